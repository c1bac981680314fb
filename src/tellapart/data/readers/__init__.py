"""Readers by format name, and the one way through them: path → samples → label map → data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from tellapart.data.containers import no_parquet, translated
from tellapart.data.dataset import Dataset, as_task
from tellapart.data.label_map import LabelMap
from tellapart.data.readers.coco import Coco
from tellapart.data.readers.csv_file import Csv, GoogleCsv
from tellapart.data.readers.cvat import Cvat
from tellapart.data.readers.folders import Folders
from tellapart.data.readers.imagefolder import ImageFolder
from tellapart.data.readers.jsonl import Jsonl
from tellapart.data.readers.label_studio import LabelStudio
from tellapart.data.readers.parquet import Parquet
from tellapart.data.readers.protocol import Reader, ReadKeywords, ReadOptions, ReadResult
from tellapart.data.readers.rows import sample_order
from tellapart.data.revision_files import TABLE, is_revision
from tellapart.errors import DataError, Reason
from tellapart.records import Task

__all__ = ["READERS", "ReadOptions", "ReadResult", "Reader", "read", "reader", "sniff"]


def _registry(readers: Iterable[Reader]) -> dict[str, Reader]:
    found: dict[str, Reader] = {}
    for one in readers:
        if one.name in found:
            raise ValueError(f"two readers are called {one.name!r}")
        found[one.name] = one
    return found


# `sniff` asks in this order: the general ones come after the special ones.
READERS: dict[str, Reader] = _registry(
    [ImageFolder(), Parquet(), GoogleCsv(), Csv(), Jsonl(), LabelStudio(), Coco(), Cvat(), Folders()]
)


def reader(name: str) -> Reader:
    """The reader of that name; DataError unknown_name lists the known ones and suggests the nearest."""
    if name in READERS:
        return READERS[name]
    from difflib import get_close_matches

    near = get_close_matches(name, READERS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(READERS))
    raise DataError(Reason.UNKNOWN_NAME, f"unknown data format {name!r}{hint} (known: {known})")


def sniff(path: str | Path) -> str:
    """Name of the format of a file or folder.

    Raises:
        DataError: dataset_not_found; dataset_format, when nothing fits.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file or folder {path}")
    for name, one in READERS.items():
        if one.accepts(path):
            return name
    known = ", ".join(sorted(READERS))
    message = f"{path} is no data set tellapart knows ({known}); give a folder of class folders or an annotation file"
    raise DataError(Reason.DATASET_FORMAT, message)


def read(
    path: str | Path,
    *,
    format: str | None = None,
    label_map: LabelMap | Mapping[str, Any] | str | Path | None = None,
    task: Task | str | None = None,
    positive: str | None = None,
    **options: Unpack[ReadKeywords],
) -> Dataset:
    """See `Dataset.read`."""
    path = Path(path)
    asked = None if task is None else as_task(task)
    if format is None and is_revision(path):
        path = path / TABLE
    if format is None and _is_saved(path):
        return _reread(Dataset.from_parquet(path, root=options.get("images")), label_map, asked, positive)
    one = reader(format or sniff(path))
    if not path.exists():
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file or folder {path}")
    mapping = None if label_map is None else LabelMap.load(label_map)
    result = one.read(path, _options(options, asked))
    if not result.samples and not result.refusals:
        raise DataError(Reason.DATASET_EMPTY, f"{path} holds no images ({one.name}: {one.summary})")
    return _build(result, mapping, asked, positive)


def _build(result: ReadResult, mapping: LabelMap | None, task: Task | None, positive: str | None) -> Dataset:
    samples, refusals, warnings = list(result.samples), list(result.refusals), list(result.warnings)
    if mapping is not None:
        samples, left_out, notes = mapping.apply(samples)
        refusals += left_out
        warnings += notes
    samples.sort(key=sample_order)
    return Dataset.from_samples(
        samples, root=result.root, task=task, positive=positive, refusals=refusals, warnings=warnings
    )


def _reread(
    saved: Dataset, label_map: LabelMap | Mapping[str, Any] | str | Path | None, task: Task | None, positive: str | None
) -> Dataset:
    """A data set saved by tellapart: as it is, or with its samples put through the options."""
    if label_map is None and task is None and positive is None:
        return saved
    mapping = None if label_map is None else LabelMap.load(label_map)
    result = ReadResult(saved.root or Path(), saved.samples, saved.refusals, saved.warnings)
    return _build(result, mapping, task or (saved.task if label_map is None else None), positive)


def _is_saved(path: Path) -> bool:
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    import polars as pl

    from tellapart.data.table import METADATA_KEY

    with translated(no_parquet(path)):
        return METADATA_KEY in pl.read_parquet_metadata(path)


def _options(given: Mapping[str, Any], task: Task | None) -> ReadOptions:
    known = ReadOptions.__dataclass_fields__
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise DataError(Reason.BAD_SETTING, f"unknown option {unknown[0]!r}; known are {', '.join(known)}")
    values = dict(given)
    if values.get("images") is not None:
        values["images"] = Path(values["images"])
    if values.get("multilabel") is None and task is not None:
        values["multilabel"] = task is Task.MULTILABEL
    return ReadOptions(**values)
