"""A data set through the pipeline: embeddings, image statistics and thumbnails, with the cache in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.protocol import Backbone
from tellapart.classifier.cache import EmbeddingCache
from tellapart.classifier.pipeline import Embedded, Job, Observation, Pipeline
from tellapart.data.containers import read_bytes
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, Reason
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.quality import statistics
from tellapart.image.thumbnail import thumbnail
from tellapart.image.types import DecodeLimits, RgbImage
from tellapart.records import Refusal
from tellapart.workflows.progress import Progress, silent

_WRITE_EVERY = 256


@dataclass(frozen=True, slots=True)
class Embedder:
    """How images become embeddings: the model's path (`spec`, `backbone`) and where results are kept (None: nowhere)."""

    spec: PreprocessSpec
    backbone: Backbone
    cache_dir: Path | None = None
    limits: DecodeLimits = DecodeLimits()
    workers: int = 0


@dataclass(frozen=True, slots=True)
class EmbeddedDataset:
    """The images that could be read, n of them, in the data set's order.

    `dataset` has their ids filled in and lists the refused ones; `embeddings` is float32 (n, d), `statistics` float32
    (n, m) in the order of `image.quality.FIELDS`, `thumbnails` uint8 (n, s, s). `n_cached` came from the cache.
    """

    dataset: Dataset
    embeddings: NDArray[np.float32]
    statistics: NDArray[np.float32]
    thumbnails: NDArray[np.uint8]
    n_cached: int = 0

    def __len__(self) -> int:
        return len(self.dataset)

    def with_dataset(self, dataset: Dataset) -> EmbeddedDataset:
        """The same images with other facts about them (splits, groups)."""
        return replace(self, dataset=dataset)

    def subset(self, chosen: NDArray[np.bool_]) -> EmbeddedDataset:
        """The rows where a bool (n,) mask is True."""
        return replace(
            self,
            dataset=self.dataset.subset(chosen),
            embeddings=self.embeddings[chosen],
            statistics=self.statistics[chosen],
            thumbnails=self.thumbnails[chosen],
        )


class NothingUsable(DataError):
    """Not one image gave an embedding; `refusals` say why."""

    def __init__(self, refused_before: Sequence[Refusal], refusals: Sequence[Refusal]) -> None:
        super().__init__(Reason.DATASET_EMPTY, _nothing_usable([*refused_before, *refusals]))
        self.refused_before, self.refusals = tuple(refused_before), tuple(refusals)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle between processes."""
        return type(self), (self.refused_before, self.refusals)


def embed_dataset(dataset: Dataset, embedder: Embedder, *, progress: Progress = silent) -> EmbeddedDataset:
    """Embed every image of a data set once; bad images are added to its refusals.

    Raises:
        NothingUsable: `dataset_empty` when no image at all can be used.
    """
    with ExitStack() as stack:
        run = _Run(dataset, embedder, _open_cache(embedder, stack), progress)
        found = list(run.outcomes())
    kept = [(row, outcome) for row, outcome in enumerate(found) if isinstance(outcome, Embedded)]
    refusals = [outcome for outcome in found if isinstance(outcome, Refusal)]
    if not kept:
        raise NothingUsable(dataset.refusals, refusals)
    rows = [row for row, _ in kept]
    images = [outcome for _, outcome in kept]
    seen = [image.observation for image in images if image.observation is not None]
    used = dataset.subset(rows).with_ids([image.id for image in images])
    return EmbeddedDataset(
        dataset=replace(used, refusals=(*dataset.refusals, *refusals)),
        embeddings=np.stack([image.embedding for image in images]),
        statistics=np.stack([one.statistics for one in seen]),
        thumbnails=np.stack([one.thumbnail for one in seen]),
        n_cached=run.n_cached,
    )


def outcomes(
    dataset: Dataset, embedder: Embedder, *, observing: bool = False, progress: Progress = silent
) -> Iterator[Embedded | Refusal]:
    """What comes of every image, in the data set's order; memory does not depend on how many there are.

    Observations are there when asked for, and where there is a cache to keep them for a training.
    """
    with ExitStack() as stack:
        cache = _open_cache(embedder, stack)
        yield from _Run(dataset, embedder, cache, progress, observing=observing or cache is not None).outcomes()


def embed_again(
    dataset: Dataset, embedder: Embedder, *, progress: Progress = silent, mend: str = "run it again"
) -> EmbeddedDataset:
    """Embed images that were embedded before: all of them, in their order. `mend` ends the sentence where that fails.

    Raises:
        DataError: `read_failed` when images are gone, cannot be read any more or hold something else by now.
    """
    images = embed_dataset(dataset, embedder, progress=progress)
    if images.dataset.ids == dataset.ids:
        return images
    found = set(images.dataset.ids)
    lost = [uri for uri, image_id in zip(dataset.uris, dataset.ids, strict=True) if image_id not in found]
    first = f", the first {lost[0]}" if lost else ""
    message = f"{max(1, len(lost)):,} of the images changed or went while the training was under way{first}; {mend}"
    raise DataError(Reason.READ_FAILED, message)


def observe(image: RgbImage) -> Observation:
    """What training notes of each image beside its embedding."""
    return Observation(statistics(image).to_array(), thumbnail(image.pixels))


class _Run:
    """One pass over the jobs; what was computed is put into the cache every few hundred images."""

    def __init__(
        self,
        dataset: Dataset,
        embedder: Embedder,
        cache: EmbeddingCache | None,
        progress: Progress,
        *,
        observing: bool = True,
    ) -> None:
        self._jobs = [Job(sample.uri, sample.uri, sample.roi) for sample in dataset.samples]
        self._cache, self._progress = cache, progress
        self._cached_ids: set[tuple[str, object]] = set()
        root, limits = dataset.root, embedder.limits
        self._pipeline = Pipeline(
            embedder.spec,
            embedder.backbone,
            lambda uri: read_bytes(uri, root=root, limits=limits),
            limits,
            workers=embedder.workers,
            observe=observe if observing else None,
            known=self._known if cache else None,
        )

    @property
    def n_cached(self) -> int:
        return len(self._cached_ids)

    def outcomes(self) -> Iterator[Embedded | Refusal]:
        fresh: list[tuple[Job, Embedded]] = []
        done = 0
        try:
            for batch in self._pipeline.run(self._jobs):
                jobs = self._jobs[done : done + len(batch)]
                fresh += [(job, e) for job, e in zip(jobs, batch, strict=True) if not isinstance(e, Refusal)]
                done += len(batch)
                yield from batch
                self._progress("reading images", done, len(self._jobs))
                if len(fresh) >= _WRITE_EVERY:
                    self._store(fresh)
        finally:
            self._store(fresh)  # also after Ctrl-C: what is done need not be done again

    def _known(self, image_id: str, job: Job) -> Embedded | None:
        found = self._cache.get(image_id, job) if self._cache else None
        if found is not None:
            self._cached_ids.add((job.uri, job.roi))
        return found

    def _store(self, fresh: list[tuple[Job, Embedded]]) -> None:
        new = [(job, e) for job, e in fresh if (job.uri, job.roi) not in self._cached_ids]
        if self._cache is not None and new:
            self._cache.put(new)
        fresh.clear()


def _open_cache(embedder: Embedder, stack: ExitStack) -> EmbeddingCache | None:
    if embedder.cache_dir is None:
        return None
    folder = embedder.cache_dir / "embeddings"
    try:
        cache = EmbeddingCache(folder, preprocess_hash=embedder.spec.hash, backbone_sha256=embedder.backbone.sha256)
    except OSError:
        return None  # slower, not worse: a full or read-only disk must not stop a training
    return stack.enter_context(cache)


def _nothing_usable(refusals: Sequence[Refusal]) -> str:
    first = f" the first: {refusals[0].sentence}" if refusals else ""
    return f"none of the images can be used, {len(refusals)} refused;{first}"
