"""Samples as rows of canonical columns, the inverse of `readers.rows`; and the fields a format has no place for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.data.readers.rows import metadata_column
from tellapart.data.table import atomic_path
from tellapart.data.writers.images import Placer, target_free
from tellapart.data.writers.protocol import WriteOptions, WriteReport
from tellapart.errors import DataError, Reason
from tellapart.records import Sample

EVERYTHING = frozenset({"multilabel", "unlabelled", "empty", "group", "split", "roi", "captured_at", "metadata"})
_HAS: dict[str, Callable[[Sample], bool]] = {
    "unlabelled": lambda s: s.labels is None,
    "empty": lambda s: s.labels == (),
    "group": lambda s: s.group is not None,
    "split": lambda s: s.split is not None,
    "roi": lambda s: s.roi is not None,
    "captured_at": lambda s: s.captured_at is not None,
    "metadata": lambda s: bool(s.metadata),
}


def lost_fields(samples: Iterable[Sample], carries: frozenset[str]) -> tuple[str, ...]:
    """Names of the fields that some sample has and the format cannot hold."""
    samples = list(samples)
    return tuple(name for name, has in _HAS.items() if name not in carries and any(map(has, samples)))


def refuse_multilabel(dataset: Dataset, carries: frozenset[str], name: str) -> None:
    """DataError where one label per image is all that the format can say."""
    if "multilabel" not in carries and any(len(s.labels or ()) > 1 for s in dataset.samples):
        message = f"{name} holds one label per image, some images have several; write csv, jsonl, parquet or coco"
        raise DataError(Reason.BAD_SETTING, message)


def context(sample: Sample) -> dict[str, Any]:
    """Group, split, time, region and metadata as columns; absent ones are left out."""
    row: dict[str, Any] = {"group": sample.group, "split": sample.split}
    if sample.captured_at is not None:
        row["captured_at"] = sample.captured_at.isoformat()
    if sample.roi is not None:
        row["roi"] = sample.roi.to_json()
    row |= {metadata_column(key): value for key, value in sample.metadata.items()}
    return {key: value for key, value in row.items() if value is not None}


def placed(dataset: Dataset, placer: Placer) -> Iterator[tuple[str, Sample]]:
    """(file name, sample) of all samples whose image can be placed."""
    for sample in dataset.samples:
        name = placer.place(sample)
        if name is not None:
            yield name, sample


def write_annotations(
    dataset: Dataset, path: Path, options: WriteOptions, carries: frozenset[str], write: Callable[[Path, Placer], int]
) -> WriteReport:
    """The frame of every writer of one annotation file: checks, images, the file itself (atomic), the report."""
    target_free(path, options.overwrite)
    refuse_multilabel(dataset, carries, path.name)
    placer = Placer(dataset, path.parent, options.copy, options.overwrite)
    with atomic_path(path) as temporary:
        n_written = write(temporary, placer)
    lost = lost_fields(dataset.samples, carries)
    return WriteReport(path, n_written, lost, tuple(placer.refusals), placer.warnings())


def dump_json(value: object, path: Path) -> None:
    """A JSON document in UTF-8."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
