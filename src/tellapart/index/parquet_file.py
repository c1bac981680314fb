"""Vectors in a Parquet file: one row each, the vector as a list of fixed size, the space in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason
from tellapart.files import replacing
from tellapart.index.rows import completed
from tellapart.index.space import Space
from tellapart.index.values import checked

if TYPE_CHECKING:
    import polars as pl

METADATA_KEY = "tellapart.vectors"
FORMAT = 1
COLUMNS = ("vector", "embedding")
# Rows that are written, and later read, at once: 64 MB of 256 numbers each.
_GROUP = 65_536


def write_parquet(path: Path, vectors: NDArray[np.float32], table: pl.DataFrame, space: Space) -> None:
    """One file, there whole or not at all.

    Raises:
        DataError: `write_failed`.
    """
    import polars as pl

    about = json.dumps({"format": FORMAT, "space": space.to_json()}, ensure_ascii=False, sort_keys=True)
    whole = table.drop("vector", strict=False).with_columns(pl.Series("vector", np.asarray(vectors, np.float32)))
    with writing(path) as temporary:
        whole.write_parquet(temporary, metadata={METADATA_KEY: about}, compression="lz4", row_group_size=_GROUP)


def read_parquet(path: Path) -> tuple[NDArray[np.float32], pl.DataFrame, Space, int]:
    """Vectors, table, space and how many rows had no vector. Space is unknown where the file does not say it.

    Raises:
        DataError: `dataset_not_found`, `dataset_format`, `dataset_empty`.
    """
    import polars as pl

    if not path.is_file():
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file {path}")
    with translated(path):
        about = pl.read_parquet_metadata(path).get(METADATA_KEY)
        table = pl.read_parquet(path, glob=False)
    column = _vector_column(table, path)
    has_vector = table[column].is_not_null()
    lists = table[column] if has_vector.all() else table[column].filter(has_vector)
    rows = completed(table.drop(column), table.height).filter(has_vector)
    found, normalised = checked(_numbers(lists, path), str(path))
    space = _space(about, found.shape[1], path) or Space.unknown(found.shape[1], normalised=normalised)
    return found, rows, space, len(has_vector) - len(found)


def space_from(about: Any, dim: int, path: Path) -> Space:
    """The space of a description that we wrote.

    Raises:
        DataError: `dataset_format` when it is damaged, or of a later tellapart.
    """
    try:
        if about["format"] != FORMAT:
            message = f"{path} has format {about['format']!r}, this tellapart reads format {FORMAT}; update tellapart"
            raise DataError(Reason.DATASET_FORMAT, message)
        space = Space.from_json(about["space"])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise DataError(
            Reason.DATASET_FORMAT, f"{path}: the description of its vectors is damaged ({exc!r}); embed again"
        ) from exc
    if space.dim != dim:
        message = f"{path}: its vectors have {dim} numbers each, its description says {space.dim}; embed again"
        raise DataError(Reason.DATASET_FORMAT, message)
    return space


def _space(about: str | None, dim: int, path: Path) -> Space | None:
    if about is None:
        return None
    try:
        value = json.loads(about)
    except ValueError:
        value = None
    return space_from(value, dim, path)


def _vector_column(table: pl.DataFrame, path: Path) -> str:
    import polars as pl

    for name in COLUMNS:
        dtype = table.schema.get(name)
        if isinstance(dtype, pl.List | pl.Array) and dtype.inner is not None and dtype.inner.is_float():
            return name
    raise DataError(
        Reason.DATASET_FORMAT,
        f"{path} has no column 'vector' or 'embedding' with a list of numbers (float) in each row; its columns: "
        f"{', '.join(table.columns) or 'none'}",
    )


def _numbers(lists: pl.Series, path: Path) -> NDArray[np.floating[Any]]:
    """The lists as one array float32 (n, d), filled chunk by chunk: it is there once, beside what was read."""
    dim = _size(lists, path)
    out = np.empty((len(lists), dim), np.float32)
    done = 0
    for chunk in lists.get_chunks():
        flat = chunk.explode()
        if flat.null_count():
            raise DataError(Reason.DATASET_FORMAT, f"{path}: a vector has an empty place; leave its row out")
        out[done : done + len(chunk)] = flat.to_numpy().reshape(len(chunk), dim)
        done += len(chunk)
    return out


def _size(lists: pl.Series, path: Path) -> int:
    """Of every list."""
    import polars as pl

    if isinstance(lists.dtype, pl.Array):
        return int(lists.dtype.size)
    sizes = sorted(lists.list.len().unique().to_list()) or [1]
    if len(sizes) > 1 or not sizes[0]:
        lengths = ", ".join(map(str, sizes[:5])) + (" …" if sizes[5:] else "")
        message = f"{path}: all vectors must have as many numbers, at least one; these have {lengths}"
        raise DataError(Reason.DATASET_FORMAT, message)
    return sizes[0]


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Every way in which polars fails on a damaged file, as one error: its parser panics on some damage."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as exc:
        said = str(exc).split("\n", 1)[0][:200]
        raise DataError(Reason.DATASET_FORMAT, f"{path} is not a readable Parquet file ({said})") from exc


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of `path` at the end, in a folder that is made when it is not there.

    Raises:
        DataError: `write_failed`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            yield temporary
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc
