"""Splits for a data set that other tools will train on."""

from __future__ import annotations

from pathlib import Path

from tellapart.backbones.registry import load_backbone
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, Reason
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.workflows.embedding import Embedder, embed_dataset
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
    if earlier is not None and earlier.is_file():
        images = images.with_dataset(_assigned_before(images.dataset, earlier))
    parted = partition(images, dataset.schema, how=how, earlier=None, seed=seed, cache_dir=cache_dir)
    groups = [str(group) for group in parted.groups]
    return images.dataset.with_splits(parted.splits.assigned).with_groups(groups), parted


def _assigned_before(dataset: Dataset, earlier: Path) -> Dataset:
    before = Dataset.from_parquet(earlier)
    split_of = dict(zip(before.ids, before.splits, strict=True))
    return dataset.with_splits(
        [own or split_of.get(image_id) for own, image_id in zip(dataset.splits, dataset.ids, strict=True)]
    )
