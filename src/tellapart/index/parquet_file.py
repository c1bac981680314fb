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
from tellapart.index.description import Description
from tellapart.index.rows import completed
from tellapart.index.space import Space
from tellapart.index.values import checked

if TYPE_CHECKING:
    import polars as pl

METADATA_KEY = "tellapart.vectors"
COLUMNS = ("vector", "embedding")
# Rows that are written, and later read, at once: 64 MB of 256 numbers each.
_GROUP = 65_536


def write_parquet(path: Path, vectors: NDArray[np.float32], table: pl.DataFrame, about: Description) -> None:
    """One file, there whole or not at all.

    Raises:
        DataError: `write_failed`.
    """
    import polars as pl

    text = json.dumps(about.to_json(path), ensure_ascii=False, sort_keys=True)
    whole = table.drop("vector", strict=False).with_columns(pl.Series("vector", np.asarray(vectors, np.float32)))
    with writing(path) as temporary:
        whole.write_parquet(temporary, metadata={METADATA_KEY: text}, compression="lz4", row_group_size=_GROUP)


def read_parquet(path: Path) -> tuple[NDArray[np.float32], pl.DataFrame, Description, int]:
    """Vectors, table, description and how many rows had no vector. A file of others has an unknown space.

    Raises:
        DataError: `dataset_not_found`, `dataset_format`, `dataset_empty`.
    """
    import polars as pl

    if not path.is_file():
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file {path}")
    with translated(path):
        text = pl.read_parquet_metadata(path).get(METADATA_KEY)
        table = pl.read_parquet(path, glob=False)
    column = _vector_column(table, path)
    has_vector = table[column].is_not_null()
    lists = table[column] if has_vector.all() else table[column].filter(has_vector)
    rows = completed(table.drop(column), table.height).filter(has_vector)
    found, normalised = checked(_numbers(lists, path), str(path))
    about = _description(text, found.shape[1], path)
    about = about or Description(Space.unknown(found.shape[1], normalised=normalised))
    return found, rows, about, len(has_vector) - len(found)


def _description(about: str | None, dim: int, path: Path) -> Description | None:
    if about is None:
        return None
    try:
        value = json.loads(about)
    except ValueError:
        value = None
    return Description.from_json(value, dim, path)


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
    sizes: list[int] = sorted(lists.list.len().unique().to_list()) or [1]
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
    import polars as pl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            yield temporary
    except (OSError, pl.exceptions.PolarsError) as exc:
        # Of a full disk polars tells behind what it thinks of it.
        said = getattr(exc, "strerror", None) or str(exc).rpartition("IO error: ")[2]
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {said}") from exc
