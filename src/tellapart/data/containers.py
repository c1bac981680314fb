"""Bytes of an image, wherever they lie: a plain file, or a row of a Parquet file (`train.parquet#row=17`)."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.errors import DataError, ImageError, Reason, TellapartError
from tellapart.image.types import DecodeLimits

if TYPE_CHECKING:
    import polars as pl

_ROW = re.compile(r"(.+\.parquet)#row=(\d{1,15})", re.DOTALL | re.IGNORECASE)
_PROBE_ROWS = 16
_BLOCK_BYTES = 32 * 2**20
_MAX_BLOCK_ROWS = 16_384
_KEPT_BLOCKS = 4
IMAGE_COLUMNS = ("image", "img", "bytes", "image_bytes")


def split_row(uri: str) -> tuple[str, int] | None:
    """`("train.parquet", 17)` for `train.parquet#row=17`, None for a plain path."""
    match = _ROW.fullmatch(uri)
    return (match[1], int(match[2])) if match else None


def row_uri(path: str, row: int) -> str:
    """Inverse of `split_row`; rows count from 0."""
    return f"{path}#row={row}"


def content_id(data: bytes) -> str:
    """Id of a sample: sha256 (hex) of the file's bytes, as it lies on disk."""
    return hashlib.sha256(data).hexdigest()


def read_bytes(uri: str, *, root: Path | None, limits: DecodeLimits) -> bytes:
    """The encoded image behind a sample's uri; `root` is where relative uris start (None: the working directory).

    Safe to call from many threads. For Parquet rows at most 4 blocks of about 32 MiB are kept for the whole process, so
    reading in the data set's order costs one decode per block.

    Raises:
        ImageError: file_not_found, empty_file, file_too_large, read_failed … (see `tellapart.image.source.read_file`).
    """
    row = split_row(uri)
    if row is None:
        from tellapart.image.source import read_file

        return read_file(uri if root is None else root / uri, limits)
    path, index = row
    data = _BLOCKS.get(path if root is None else str(root / path), index)
    if not data:
        raise ImageError(Reason.EMPTY_FILE, f"{uri}: the row holds no image bytes")
    if len(data) > limits.max_bytes:
        message = f"{uri}: {len(data)} bytes, at most {limits.max_bytes} are allowed; raise max_bytes if it is genuine"
        raise ImageError(Reason.FILE_TOO_LARGE, message)
    return data


@contextmanager
def translated(raise_as: Callable[[str], TellapartError]) -> Iterator[None]:
    """Every way in which polars fails on a damaged file, as one error; `raise_as` gets what polars said.

    Its parser panics on some damage, and a panic is no Exception.
    """
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as exc:
        raise raise_as(str(exc).split("\n", 1)[0][:200]) from exc


def no_parquet(path: str | Path) -> Callable[[str], TellapartError]:
    """For `translated`: DataError dataset_format about a whole file."""
    return lambda said: DataError(Reason.DATASET_FORMAT, f"{path} is not a readable Parquet file ({said})")


def image_column(schema: Mapping[str, pl.DataType]) -> str | None:
    """Name of the column that holds encoded images (a struct with `bytes`, or binary); None if there is none."""
    import polars as pl

    def holds_images(dtype: pl.DataType) -> bool:
        if isinstance(dtype, pl.Struct):
            return any(field.name == "bytes" and field.dtype == pl.Binary for field in dtype.fields)
        return bool(dtype == pl.Binary)

    found = [name for name, dtype in schema.items() if holds_images(dtype)]
    named = [name for name in found if name.lower() in IMAGE_COLUMNS]
    return next(iter(named or found), None)


def image_bytes(schema: Mapping[str, pl.DataType], column: str) -> pl.Expr:
    """Expression for the encoded bytes of an image column, struct or plain binary."""
    import polars as pl

    expression = pl.col(column)
    return expression if schema[column] == pl.Binary else expression.struct.field("bytes")


@dataclass(slots=True)
class _File:
    """What must be known of a Parquet file to read blocks of it: rows per block, and the stamp it was opened with."""

    stamp: tuple[int, int]
    expression: pl.Expr
    n_rows: int
    block_rows: int


@dataclass(slots=True)
class _BlockCache:
    """The least recently used blocks of encoded images, bounded in number and (about) in bytes."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    files: dict[str, _File] = field(default_factory=dict)
    blocks: OrderedDict[tuple[str, tuple[int, int], int], list[bytes | None]] = field(default_factory=OrderedDict)

    def get(self, path: str, row: int) -> bytes | None:
        """Bytes of one row; the lock is held while a block is read, so that threads do not read it twice."""
        with self.lock:
            file = self._open(path)
            if row >= file.n_rows:
                message = f"{path}#row={row}: the file has only {file.n_rows} rows, counted from 0"
                raise ImageError(Reason.FILE_NOT_FOUND, message)
            number = row // file.block_rows
            key = (path, file.stamp, number)
            if key not in self.blocks:
                self.blocks[key] = _read_rows(path, file.expression, number * file.block_rows, file.block_rows)
                while len(self.blocks) > _KEPT_BLOCKS:
                    self.blocks.popitem(last=False)
            self.blocks.move_to_end(key)
            return self.blocks[key][row - number * file.block_rows]

    def _open(self, path: str) -> _File:
        stamp = _stamp(path)
        file = self.files.get(path)
        if file is None or file.stamp != stamp:
            file = self.files[path] = _probe(path, stamp)
        return file


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except FileNotFoundError as exc:
        raise ImageError(Reason.FILE_NOT_FOUND, f"{path}: there is no such file") from exc
    except PermissionError as exc:
        raise ImageError(Reason.PERMISSION_DENIED, f"{path}: the file may not be read by this user") from exc
    except (OSError, ValueError) as exc:
        raise ImageError(Reason.READ_FAILED, f"{path}: the file cannot be read ({exc})") from exc
    return status.st_mtime_ns, status.st_size


def _probe(path: str, stamp: tuple[int, int]) -> _File:
    import polars as pl

    with translated(lambda said: ImageError(Reason.READ_FAILED, f"{path}: not a readable Parquet file ({said})")):
        schema = pl.scan_parquet(path, glob=False).collect_schema()
        n_rows = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    column = image_column(schema)
    if column is None:
        raise ImageError(Reason.NOT_AN_IMAGE, f"{path}: no column holds images; columns are {', '.join(schema)}")
    expression = image_bytes(schema, column)
    probe = [len(data or b"") for data in _read_rows(path, expression, 0, _PROBE_ROWS)]
    mean = max(1, sum(probe) // max(1, len(probe)))
    return _File(stamp, expression, n_rows, max(1, min(_MAX_BLOCK_ROWS, _BLOCK_BYTES // mean)))


def _read_rows(path: str, expression: pl.Expr, start: int, count: int) -> list[bytes | None]:
    import polars as pl

    with translated(lambda said: ImageError(Reason.READ_FAILED, f"{path}: rows from {start} cannot be read ({said})")):
        frame = pl.scan_parquet(path, glob=False).slice(start, count).select(expression.alias("bytes")).collect()
    return frame["bytes"].to_list()


_BLOCKS = _BlockCache()
