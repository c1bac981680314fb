"""What is clustered: vectors with what is known about their images, from a file or made of the images themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import DEFAULT_BACKBONE
from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Answers, Classifier
from tellapart.classifier.storage import load, read_reference
from tellapart.data.dataset import Dataset
from tellapart.data.groups import combine_groups
from tellapart.data.split_names import normalise_split
from tellapart.errors import DataError, Reason, SettingsError, TellapartError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.index.space import Space
from tellapart.index.vectors import Vectors
from tellapart.records import Roi, Sample
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.progress import Progress
from tellapart.workflows.reference import read_splits
from tellapart.workflows.vector_source import open_source

_VECTOR_COLUMNS = ("vector", "embedding")


@dataclass(frozen=True, slots=True)
class Pool:
    """n images and their vectors float32 (n, d).

    `dataset` holds them in the same order, `groups` int64 (n,) what may be near-duplicates. `spec` is how the network saw them
    (None: not known). `answers` are those of the model `model`, where there is one.
    """

    dataset: Dataset
    vectors: NDArray[np.float32]
    groups: NDArray[np.int64]
    space: Space
    spec: PreprocessSpec | None
    limits: DecodeLimits
    answers: Answers | None = None
    model: Classifier | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """How `open_pool` sees images, and where it keeps what it computes."""

    model: Classifier | str | Path | None
    backbone: str | Path | None
    preprocess: str | None
    images: Path | None
    store: Store | None
    workers: int
    provider: str
    cache_dir: Path | None
    limits: DecodeLimits
    progress: Progress


def open_pool(source: Vectors | Dataset | str | Path, opening: Opening) -> Pool:
    """Vectors as they are, from memory or a file; of anything else that `Dataset.read` takes its images are embedded.

    Raises:
        SettingsError: `bad_setting` for a backbone beside vectors or a model.
        DataError: `foreign_vectors` for vectors that the model did not make, and what reading raises.
        BackboneError, ModelError, SpecError.
    """
    vectors = source if isinstance(source, Vectors) else _read_vectors(source)
    model = opening.model
    if isinstance(model, str | Path):
        model = load(model, provider=opening.provider, limits=opening.limits)
    if model is not None and opening.backbone is not None:
        raise SettingsError(Reason.BAD_SETTING, "a model has its own backbone: name one of them")
    if vectors is not None:
        return _of_vectors(vectors, source, model, opening)
    dataset = source if isinstance(source, Dataset) else Dataset.read(str(source), images=opening.images)
    return _embedded(dataset, model, opening)


def holds_vectors(path: Path) -> bool:
    """Whether a path is a file of vectors and no data set."""
    if path.suffix.lower() == ".npy":
        return True
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    import polars as pl

    try:
        columns = pl.read_parquet_schema(path)
    except (pl.exceptions.PolarsError, OSError):
        return False
    return any(name in columns for name in _VECTOR_COLUMNS)


def _read_vectors(source: Dataset | str | Path) -> Vectors | None:
    if isinstance(source, Dataset) or not holds_vectors(Path(source)):
        return None
    return Vectors.read(source)


def _of_vectors(vectors: Vectors, source: object, model: Classifier | None, opening: Opening) -> Pool:
    if opening.backbone is not None or opening.preprocess is not None:
        given = "backbone" if opening.backbone is not None else "preprocessing"
        raise SettingsError(
            Reason.BAD_SETTING, f"these are vectors already: leave out the {given}, or name the images instead"
        )
    if len(vectors) == 0:
        raise DataError(Reason.DATASET_EMPTY, "there are no vectors to put into clusters")
    name = str(source) if isinstance(source, str | Path) else "these vectors"
    if model is not None:
        own = open_source(model, Dataset.from_samples([])).space(normalised=False)
        own.check_same(vectors.space, name)
    dataset = _as_dataset(vectors, opening.images)
    return Pool(
        dataset=_with_splits(dataset, model),
        vectors=vectors.vectors,
        groups=combine_groups(_known(dataset.ids), dataset.groups),
        space=vectors.space,
        spec=_spec(vectors.space.preprocess),
        limits=opening.limits,
        answers=None if model is None else model.answer(np.asarray(vectors.vectors, np.float32)),
        model=model,
    )


def _as_dataset(vectors: Vectors, images: Path | None) -> Dataset:
    """The rows as samples; one without uri goes by its id, and has no picture."""
    table = vectors.table
    regions = table["roi"].to_list() if "roi" in table.columns else [None] * len(vectors)
    columns = (table[name].to_list() for name in ("uri", "id", "labels", "group", "split"))
    samples = [
        Sample(
            uri=id_ if uri is None else uri,
            id=id_,
            labels=None if labels is None else tuple(labels),
            group=group,
            split=None if split is None else normalise_split(split),
            roi=_region(region),
        )
        for uri, id_, labels, group, split, region in zip(*columns, regions, strict=True)
    ]
    root = vectors.root if images is None else images
    return Dataset.from_samples(samples, root=root, refusals=vectors.refusals)


def _region(text: object) -> Roi | None:
    try:
        return Roi.from_json(json.loads(text)) if isinstance(text, str) else None
    except (ValueError, TypeError, KeyError, TellapartError):
        return None  # a column of that name that somebody else uses


def _spec(text: str) -> PreprocessSpec | None:
    try:
        return PreprocessSpec.parse(text) if text else None
    except TellapartError:
        return None


def _embedded(dataset: Dataset, model: Classifier | None, opening: Opening) -> Pool:
    seen_by = open_source(
        model or opening.backbone or DEFAULT_BACKBONE,
        dataset,
        preprocess=opening.preprocess,
        store=opening.store,
        provider=opening.provider,
        limits=opening.limits,
    )
    embedder = Embedder(seen_by.spec, seen_by.backbone, opening.cache_dir, opening.limits, opening.workers)
    images = embed_dataset(dataset, embedder, progress=opening.progress)
    opening.progress("looking for near-duplicates", 0, 0)
    alike = look_alikes(images, opening.cache_dir).groups
    return Pool(
        dataset=_with_splits(images.dataset, model),
        vectors=images.embeddings,
        groups=combine_groups(images.dataset.ids, images.dataset.groups, alike),
        space=seen_by.space(normalised=False),
        spec=seen_by.spec,
        limits=opening.limits,
        answers=None if model is None else model.answer(images.embeddings),
        model=model,
    )


def _with_splits(dataset: Dataset, model: Classifier | None) -> Dataset:
    """The model's own splits, where the data has none: mistakes on images it was trained on are another thing."""
    if model is None or any(dataset.splits):
        return dataset
    reference = model.enclosures.reference
    if not reference and model.location:
        reference = read_reference(model.location)
    trained: Mapping[str, str] = read_splits(reference)
    return dataset.with_splits([trained.get(image_id) for image_id in dataset.ids])


def _known(ids: tuple[str, ...]) -> list[str | None]:
    """Ids that tell equal images apart; a row number tells nothing, and does no harm."""
    return [id_ or None for id_ in ids]
