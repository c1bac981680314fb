"""Vectors in a `.npy` file: memory-mapped, with their rows and their space in two files beside it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason
from tellapart.index.description import Description
from tellapart.index.parquet_file import translated, writing
from tellapart.index.rows import completed
from tellapart.index.space import Space
from tellapart.index.values import checked

if TYPE_CHECKING:
    import polars as pl

KIND = "vectors"
# Vectors that prove that the three files belong together; a checksum of all would read what is to stay on the disk.
_LOOKED_AT = 64


def companions(path: Path) -> tuple[Path, Path]:
    """The files beside `x.npy`: its rows `x.rows.parquet`, its space `x.json`."""
    return path.with_suffix(".rows.parquet"), path.with_suffix(".json")


def write_npy(path: Path, vectors: NDArray[np.float32], table: pl.DataFrame, about: Description, dtype: str) -> None:
    """Three files, the vectors last: until then an earlier `.npy` is refused as not belonging to its rows, never mistaken.

    Raises:
        DataError: `write_failed`; `dataset_format` when float16 cannot hold a value.
    """
    with np.errstate(over="ignore"):
        values = vectors if dtype == "float32" else np.asarray(vectors, dtype)
    if dtype == "float16" and not np.isfinite(values).all():
        message = (
            "the vectors have values above 65,504, which float16 cannot hold; write them as float32, or normalise them"
        )
        raise DataError(Reason.DATASET_FORMAT, message)
    rows, description = companions(path)
    proof = {"tellapart": KIND, "rows": len(values), "check": _check(values)}
    text = json.dumps({**proof, **about.to_json(description)}, indent=2, ensure_ascii=False)
    # All three are there before the first takes its place; the innermost does so first.
    with writing(path) as vectors_file, writing(description) as description_file, writing(rows) as rows_file:
        table.write_parquet(rows_file)
        description_file.write_text(text + "\n", encoding="utf-8")
        with vectors_file.open("wb") as file:
            _write_array(file, np.ascontiguousarray(values))


def _write_array(file: BinaryIO, values: NDArray[Any]) -> None:
    # NumPy's own writing hides why it failed: on a full disk it names bytes.
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(values))
    file.write(values.data)


def read_npy(path: Path) -> tuple[NDArray[np.float32], pl.DataFrame, Description, int]:
    """Vectors, table, description and 0. A file without our description beside it has an unknown space, its ids are row
    numbers.

    Raises:
        DataError: `dataset_not_found`, `dataset_format`, `dataset_empty`, `read_failed`.
    """
    import polars as pl

    values, (rows, description) = _mapped(path), companions(path)
    about = _described(description)
    if about is None:
        found, normalised = checked(values, str(path))
        space = Space.unknown(found.shape[1], normalised=normalised)
        return found, completed(pl.DataFrame(), len(found)), Description(space), 0
    if values.ndim != 2 or about.get("rows") != len(values) or about.get("check") != _check(values):
        raise DataError(
            Reason.DATASET_FORMAT,
            f"{description} does not belong to {path}: a copy or a writing of both was cut short; copy or embed again",
        )
    told = Description.from_json(about, values.shape[1], description)
    return np.ascontiguousarray(values, np.float32), _rows(rows, len(values)), told, 0


def _mapped(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file {path}")
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, EOFError, OverflowError, SyntaxError) as exc:
        said = str(exc).split("\n", 1)[0][:200]
        raise DataError(Reason.DATASET_FORMAT, f"{path} is not a readable .npy file ({said})") from exc
    except OSError as exc:
        raise DataError(Reason.READ_FAILED, f"{path} could not be read: {exc.strerror or exc}") from exc


def _described(path: Path) -> dict[str, Any] | None:
    """Our JSON; None where there is none, or one that somebody else put there."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.get("tellapart") == KIND else None


def _rows(path: Path, n: int) -> pl.DataFrame:
    import polars as pl

    if not path.is_file():
        raise DataError(Reason.DATASET_FORMAT, f"the rows of the vectors, {path}, are missing; copy the file again")
    with translated(path):
        table = pl.read_parquet(path, glob=False)
    if table.height != n:
        message = f"{path} has {table.height:,} rows for {n:,} vectors; copy or embed again"
        raise DataError(Reason.DATASET_FORMAT, message)
    return completed(table, n)


def _check(values: NDArray[Any]) -> str:
    """sha256 over the shape, the type and some vectors, evenly spread from the first to the last."""
    places = np.unique(np.linspace(0, len(values) - 1, min(len(values), _LOOKED_AT)).astype(np.int64))
    seen = np.ascontiguousarray(values[places])
    return sha256(f"{values.shape} {values.dtype.name} ".encode() + seen.tobytes()).hexdigest()
