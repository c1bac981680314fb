"""Splits for a data set that other tools will train on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, Reason
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.records import Roi
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.memory import Memory
from tellapart.workflows.partition import Partition, partition
from tellapart.workflows.progress import Progress, silent


def split(
    source: str | Path,
    *,
    format: str | None = None,
    label_map: str | Path | None = None,
    how: str = "grouped",
    earlier: Path | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    workers: int = 0,
    progress: Progress = silent,
) -> tuple[Dataset, Partition]:
    """Read a data set and assign train, val and test; images assigned in the data or in `earlier` (a Parquet table that
    this function's result was saved to) stay where they are.

    Raises:
        DataError: the data set cannot be read; `unlabelled` when nothing is labelled.
    """
    dataset = Dataset.read(source, format=format, label_map=label_map)
    if dataset.schema is None:
        raise DataError(
            Reason.UNLABELLED, f"{source} has no labels, so there is nothing to stratify by; label some images first"
        )
    # Any backbone gives the thumbnails that groups are found by; the one that `train` takes fills its cache on the way.
    backbone = load_backbone("classic")
    embedder = Embedder(PreprocessSpec.parse(backbone.default_spec), backbone, cache_dir, limits, workers)
    images = embed_dataset(dataset.subset(dataset.labelled), embedder, progress=progress)
    memory = _assigned_before(earlier) if earlier is not None and earlier.is_file() else Memory()
    parted = partition(images, dataset.schema, how=how, memory=memory, seed=seed, cache_dir=cache_dir)
    return _with_findings(dataset, images.dataset, parted), parted


def _with_findings(dataset: Dataset, used: Dataset, parted: Partition) -> Dataset:
    """All samples that can be used or have no label yet, with ids, splits and, where none was declared, groups."""
    found = dict(
        zip(_keys(used), zip(used.ids, parted.splits.assigned, parted.groups.tolist(), strict=True), strict=True)
    )
    known = [found.get(key) for key in _keys(dataset)]
    kept = [one is not None or not labelled for one, labelled in zip(known, dataset.labelled, strict=True)]
    groups = [own or (one and f"found-{one[2]}") for own, one in zip(dataset.groups, known, strict=True)]
    whole = (
        dataset.with_ids([one[0] if one else own for own, one in zip(dataset.ids, known, strict=True)])
        .with_splits([one[1] if one else own for own, one in zip(dataset.splits, known, strict=True)])
        .with_groups(groups)
        .subset(kept)
    )
    return replace(whole, refusals=used.refusals)


def _keys(dataset: Dataset) -> list[tuple[str, Roi | None]]:
    return [(sample.uri, sample.roi) for sample in dataset.samples]


def _assigned_before(earlier: Path) -> Memory:
    before = Dataset.from_parquet(earlier)
    pairs = zip(before.ids, before.splits, strict=True)
    return Memory({image_id: split for image_id, split in pairs if split is not None})
