"""Parquet: Hugging Face's image form (`image: {bytes, path}` and `label`), or a table of `file_name` and `label`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tellapart.data.containers import image_bytes, image_column, no_parquet, row_uri, translated
from tellapart.data.files import list_images
from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.readers.rows import Roles, RowCollector, text_of
from tellapart.data.split_names import normalise_split
from tellapart.errors import DataError, Reason

if TYPE_CHECKING:
    import polars as pl

_BATCH_ROWS = 50_000
_PATH, _PART = "\0path", "\0part"


class Parquet:
    """One file, or a folder of shards (`data/train-00000-of-00002.parquet`: the name's first word may be a split).

    Labels: integers with the names of the `huggingface` schema metadata (negative or null: unlabelled), texts, or lists
    of either. Images stay where they are: uris are `file.parquet#row=17`.
    """

    name = "parquet"
    summary = "Hugging Face image Parquet: image {bytes, path}, label"

    def accepts(self, path: Path) -> bool:
        """A .parquet file, or a folder with some and no images beside them."""
        if path.is_file():
            return path.suffix.lower() == ".parquet"
        return path.is_dir() and bool(shards(path)) and not list_images(str(path)).uris

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Only columns other than the images are read, and of those whether they hold bytes."""
        root = path if path.is_dir() else path.parent
        files = shards(path) if path.is_dir() else [path]
        collector = RowCollector(options.images or root, options)
        for file in files:
            _read_file(file, file.relative_to(root).as_posix(), options.images is not None, collector)
        return collector.finish()


def shards(folder: Path) -> list[Path]:
    """Parquet files in the folder or its `data/`, sorted; those of tabular metadata are not shards."""
    found = [*folder.glob("*.parquet"), *folder.glob("data/*.parquet")]
    return sorted(file for file in found if file.is_file() and file.name != "metadata.parquet" and file.name[0] != ".")


def parquet_rows(path: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet table as dicts, in batches; DataError dataset_format when it is none."""
    import polars as pl

    lazy = pl.scan_parquet(path, glob=False)
    lazy = lazy if columns is None else lazy.select(columns)
    with translated(no_parquet(path)):
        n_rows = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    for start in range(0, n_rows, _BATCH_ROWS):
        with translated(no_parquet(path)):
            batch = lazy.slice(start, _BATCH_ROWS).collect()
        yield from batch.iter_rows(named=True)


def _read_file(path: Path, uri: str, images_elsewhere: bool, collector: RowCollector) -> None:
    import polars as pl

    with translated(no_parquet(path)):
        schema = pl.scan_parquet(path, glob=False).collect_schema()
        names = class_names(path)
        column = image_column(schema)
        sizes = None if column is None else _sizes(path, image_bytes(schema, column))
        paths = _paths(path, column, schema)
    roles = Roles.find(name for name in schema if name != column)
    if column is None and "file" not in roles.of:
        message = f"{path}: no column of images and none named file_name; columns are {', '.join(schema)}"
        raise DataError(Reason.DATASET_FORMAT, message)
    part = normalise_split(path.stem.split("-")[0]) or normalise_split(PurePosixPath(uri).parent.name)
    split = part if "split" not in roles.of else None
    metadata = tuple(pair for pair in roles.metadata if schema[pair[0]] != pl.Binary)
    # Names that no column of a file has, for what does not stand in a column.
    of = {"file": _PATH, **roles.of} | ({"split": _PART} if split else {})
    collector.roles = Roles(of, metadata)
    images = _Images(path.resolve().as_posix() if images_elsewhere else uri, sizes, paths)
    light = [name for name in schema if schema[name] != pl.Binary and name != column]
    label_names = names.get(of.get("labels", ""))
    for i, row in enumerate(parquet_rows(path, light)):
        _add_row({**row, _PART: split}, row_uri(images.uri, i), images, label_names, collector)


@dataclass(frozen=True, slots=True)
class _Images:
    """The image column of a file: bytes and path per row, None where the file has no such column."""

    uri: str
    sizes: list[int] | None
    paths: list[str | None] | None


def _add_row(
    row: dict[str, Any], where: str, images: _Images, names: list[str] | None, collector: RowCollector
) -> None:
    of = collector.roles.of if collector.roles else {}
    try:
        labels = named_labels(row.get(of.get("labels", "")), names)
    except DataError as exc:
        collector.refuse(where, exc.reason, f"{where}: {exc}")
        return
    i = int(where.rpartition("=")[2])
    if images.sizes is None:
        collector.add(row, where=where, labels=labels)
    elif images.sizes[i] > 0:
        collector.add(row, where=where, uri=where, labels=labels)
    elif images.paths is not None and images.paths[i]:
        collector.add({**row, of["file"]: images.paths[i]}, where=where, labels=labels)
    else:
        collector.refuse(where, Reason.EMPTY_FILE, f"{where}: the row holds no image bytes")


def named_labels(value: object, names: list[str] | None) -> object:
    """Class numbers to names where the file has names, taken literally; -1 (Hugging Face: no label) to None."""
    if isinstance(value, list):
        return [name for item in value if (name := _named(item, names)) is not None]
    name = _named(value, names)
    return [name] if name is not value and name is not None else name


def _named(value: object, names: list[str] | None) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if value < 0:
        return None
    if names is None:
        return str(value)
    if value >= len(names):
        raise DataError(Reason.BAD_ROW, f"class number {value}, the file names only {len(names)} classes")
    return names[value]


def class_names(path: Path) -> dict[str, list[str]]:
    """Column → class names, from Hugging Face's features in the file's metadata; empty when there are none."""
    import polars as pl

    try:
        about = json.loads(pl.read_parquet_metadata(path).get("huggingface", "{}"))
        features = about["info"]["features"]
        return {column: names for column, feature in features.items() if (names := _names_of(feature))}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _names_of(feature: object) -> list[str] | None:
    """Names of a ClassLabel, or of a list of them (written in several ways over the years)."""
    if isinstance(feature, list) and feature:
        return _names_of(feature[0])
    if not isinstance(feature, dict):
        return None
    if isinstance(feature.get("names"), list):
        return [text_of(name) for name in feature["names"]]
    return _names_of(feature.get("feature"))


def _sizes(path: Path, expression: pl.Expr) -> list[int]:
    """Bytes per image; streamed, so that the images are never all in memory."""
    import polars as pl

    lazy = pl.scan_parquet(path, glob=False).select(expression.bin.size().fill_null(0).alias("size"))
    return lazy.collect(engine="streaming")["size"].to_list()


def _paths(path: Path, column: str | None, schema: Mapping[str, pl.DataType]) -> list[str | None] | None:
    import polars as pl

    dtype = None if column is None else schema[column]
    if column is None or not isinstance(dtype, pl.Struct) or not any(f.name == "path" for f in dtype.fields):
        return None
    expression = pl.col(column).struct.field("path").cast(pl.String)
    return pl.scan_parquet(path, glob=False).select(expression).collect()["path"].to_list()
