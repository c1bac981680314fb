"""The polars table inside a data set: its documented schema, to and from samples, and on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.data.containers import no_parquet, translated
from tellapart.errors import DataError, Reason
from tellapart.files import replacing
from tellapart.records import Roi, Sample

if TYPE_CHECKING:
    import polars as pl

FORMAT_VERSION = 1
METADATA_KEY = "tellapart"
META = "meta:"
FIXED = ("uri", "id", "labels", "group", "split", "roi", "captured_at")


def fixed_schema() -> dict[str, Any]:
    """Types of the fixed columns; metadata columns are `meta:<key>` strings. `roi` is the JSON of `Roi.to_json`."""
    import polars as pl

    text = pl.String()
    return dict.fromkeys(FIXED, text) | {"labels": pl.List(text), "captured_at": pl.Datetime("us", "UTC")}


def from_samples(samples: Sequence[Sample]) -> pl.DataFrame:
    """One row per sample, in the given order."""
    import polars as pl

    columns: dict[str, Any] = {
        "uri": [s.uri for s in samples],
        "id": [s.id for s in samples],
        "labels": _label_series([s.labels for s in samples]),
        "group": [s.group for s in samples],
        "split": [s.split for s in samples],
        "roi": [roi_text(s.roi) for s in samples],
        "captured_at": [s.captured_at for s in samples],
    }
    keys = sorted({key for s in samples for key in s.metadata})
    columns |= {META + key: [s.metadata.get(key) for s in samples] for key in keys}
    schema = fixed_schema() | {META + key: pl.String() for key in keys}
    return pl.DataFrame(columns, schema=schema, strict=False)


def _label_series(labels: Sequence[tuple[str, ...] | None]) -> pl.Series:
    """List column by way of the few distinct values: polars makes a series of its own for every row's list."""
    import polars as pl

    place = {value: i for i, value in enumerate(dict.fromkeys(labels))}
    distinct = pl.Series([None if value is None else list(value) for value in place], dtype=pl.List(pl.String))
    return distinct.gather([place[value] for value in labels])


def to_samples(table: pl.DataFrame) -> tuple[Sample, ...]:
    """Inverse of `from_samples`."""
    keys = [name for name in table.columns if name.startswith(META)]
    names = [name.removeprefix(META) for name in keys]
    empty: Mapping[str, str] = {}
    rows = table.select(*FIXED, *keys).iter_rows()
    return tuple(
        Sample(
            uri,
            None if labels is None else tuple(labels),
            id_,
            group,
            split,
            None if roi is None else Roi.from_json(json.loads(roi)),
            captured_at,
            {k: v for k, v in zip(names, extra, strict=True) if v is not None} if extra else empty,
        )
        for uri, id_, labels, group, split, roi, captured_at, *extra in rows
    )


def roi_text(roi: Roi | None) -> str | None:
    """A region as the table holds it: compact JSON, the same text for the same region."""
    return None if roi is None else json.dumps(roi.to_json(), ensure_ascii=False, separators=(",", ":"))


def write_table(table: pl.DataFrame, path: Path, about: Mapping[str, Any]) -> None:
    """Table and what is known about it, as one Parquet file; atomic."""
    value = json.dumps({"format": FORMAT_VERSION, **about}, ensure_ascii=False, sort_keys=True)
    with atomic_path(path) as temporary:
        table.write_parquet(temporary, metadata={METADATA_KEY: value})


def read_table(path: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Inverse of `write_table`.

    Raises:
        DataError: dataset_not_found or dataset_format.
    """
    import polars as pl

    if not path.is_file():
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file {path}")
    with translated(no_parquet(path)):
        text = pl.read_parquet_metadata(path).get(METADATA_KEY, "null")
        table = pl.read_parquet(path, glob=False)
    try:
        about = json.loads(text)
    except ValueError:
        about = None
    if not isinstance(about, dict) or not set(FIXED) <= set(table.columns):
        raise DataError(Reason.DATASET_FORMAT, f"{path} is no data set saved by tellapart; read it with Dataset.read")
    if about.get("format") != FORMAT_VERSION:
        found = about.get("format")
        message = f"{path} has format {found!r}, this tellapart reads format {FORMAT_VERSION}; upgrade tellapart"
        raise DataError(Reason.DATASET_FORMAT, message)
    return table, about


@contextmanager
def atomic_path(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """`files.replacing` in a folder that is made when it is not there.

    Raises:
        DataError: write_failed, for any OSError inside.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, sync=sync) as temporary:
            yield temporary
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written ({exc})") from exc
