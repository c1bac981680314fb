"""New classes proposed from images that a model does not know: collected, put together by likeness, to be named."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Answers, Classifier
from tellapart.classifier.storage import load
from tellapart.clusters.find import find_clusters
from tellapart.data.dataset import Dataset
from tellapart.data.files import list_images
from tellapart.errors import DataError, Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.records import Refusal, Sample
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.propose_known import KnownClasses
from tellapart.workflows.propose_result import LOOSE, Proposal, Proposed

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
MIN_IMAGES = 5
# Times the median distance from the middle of a cluster: what lies beyond is no part of it.
_WIDE = 2.0


def propose_classes(
    model: Classifier | str | Path,
    images: Dataset | Sequence[str | Path],
    *,
    min_images: int = MIN_IMAGES,
    score: float = 1.0,
    unsure: bool = False,
    seed: int = 0,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Proposed:
    """Answer images (files, folders searched for images, or a data set) and propose classes from those that are unknown.

    Collected is what scores `score` or more (1 is the model's own threshold), with `unsure` also what gets no answer.
    A proposal has `min_images` images or more, near-duplicates counted as one. Nothing is changed. `workers`, `provider`,
    `cache_dir`, `limits` and `progress` are those of `train`.

    Raises:
        SettingsError: `bad_setting` for numbers that cannot be, or a model that knows no classes.
        DataError: `dataset_empty` when not one image can be used.
        ModelError: when the model cannot be loaded.
    """
    _check(min_images, score)
    began = time.perf_counter()
    dataset = images if isinstance(images, Dataset) else _listed(images)
    classifier = model if isinstance(model, Classifier) else load(model, provider=provider, limits=limits)
    if classifier.head.kind == "anomaly":
        message = "the model tells good from bad and knows no classes to add to: take one that was trained on classes"
        raise SettingsError(Reason.BAD_SETTING, message)
    embedder = Embedder(
        classifier.spec, classifier.backbone, None if cache_dir is None else Path(cache_dir), limits, workers
    )
    seen = embed_dataset(dataset, embedder, progress=progress)
    answers = classifier.answer(seen.embeddings)
    progress("putting together what is alike", 0, 0)
    wanted = _Wanted(KnownClasses.of(classifier), min_images, seed)
    collected = _collected(answers, score, unsure)
    proposals = wanted.proposals(seen, collected, embedder.cache_dir)
    return Proposed(
        seen.dataset,
        proposals,
        tuple(collected.tolist()),
        score,
        unsure,
        min_images,
        embedder,
        time.perf_counter() - began,
    )


def _collected(answers: Answers, score: float, unsure: bool) -> Ints:
    """Rows to be put together, the strangest first."""
    chosen = answers.ood_scores >= score
    if unsure:
        chosen |= ~answers.decisions.any(axis=1)
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(-answers.ood_scores[rows], kind="stable")]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What makes a proposal: known classes to measure by, and how many different images it needs."""

    known: KnownClasses
    min_images: int
    seed: int

    def proposals(self, seen: EmbeddedDataset, collected: Ints, cache_dir: Path | None) -> tuple[Proposal, ...]:
        """Clusters of the rows `collected`, the largest first."""
        rows = np.sort(collected)
        if len(rows) < self.min_images:
            return ()
        chosen = np.zeros(len(seen), bool)
        chosen[rows] = True
        part = seen.subset(chosen)
        alike = look_alikes(part, cache_dir).groups
        points = self.known.points(part.embeddings)
        of = self._clusters(points, alike)
        found = [self._proposal(points, alike, of == cluster, rows) for cluster in range(int(of.max(initial=-1)) + 1)]
        if not any(found):
            # Few images of one class fall apart for want of others to be told from.
            together = self._proposal(points, alike, np.ones(len(rows), bool), rows)
            found = [together if together is not None and together.tightness <= LOOSE else None]
        whole = sorted((one for one in found if one is not None), key=lambda one: -one.n_different)
        return tuple(one.named(f"unknown-{number}") for number, one in enumerate(whole, 1))

    def _clusters(self, points: Floats, alike: Ints) -> Ints:
        if len(np.unique(alike)) < 2 * self.min_images:
            return np.zeros(len(points), np.int64)  # too few for two: they are one, or nothing
        return find_clusters(points, groups=alike.tolist(), seed=self.seed).of

    def _proposal(self, points: Floats, alike: Ints, members: Bools, rows: Ints) -> Proposal | None:
        """Of a cluster bool (n,). Images that lie farther from its middle than those of a known class from theirs do not
        belong to it, unless it is as wide itself.
        """
        inside = np.flatnonzero(members)
        away = _from_middle(points[inside], alike[inside])
        kept = away <= max(self.known.reach, _WIDE * float(np.median(away)))
        inside, away = inside[kept], away[kept]
        n_different = len(np.unique(alike[inside]))
        if n_different < self.min_images:
            return None
        order = np.argsort(away, kind="stable")
        return Proposal(
            "",
            tuple(rows[inside[order]].tolist()),
            n_different,
            float(np.median(away) / self.known.typical),
            self.known.nearest(points[inside].mean(axis=0)),
        )


def _from_middle(points: Floats, alike: Ints) -> Floats:
    """Distances (n,) from the median point, to which near-duplicates add one point together."""
    _, first = np.unique(alike, return_index=True)
    return np.asarray(np.linalg.norm(points - np.median(points[first], axis=0), axis=1), np.float32)


def _listed(paths: Sequence[str | Path]) -> Dataset:
    """Image files, and all images below folders, each once."""
    uris: list[str] = []
    refusals: list[Refusal] = []
    for path in map(Path, paths):
        if not path.is_dir():
            uris.append(str(path))
            continue
        listing = list_images(str(path), f"{str(path).rstrip('/')}/")
        uris += listing.uris
        refusals += listing.refusals
    if not uris and not refusals:
        told = ", ".join(map(str, paths))
        raise DataError(
            Reason.DATASET_EMPTY, f"there is no image in {told}: name image files, or folders that hold some"
        )
    return Dataset.from_samples([Sample(uri) for uri in dict.fromkeys(uris)], refusals=refusals)


def _check(min_images: int, score: float) -> None:
    if min_images < 2 or not score > 0:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"a proposed class has two images or more and is of images of a score above 0, got {min_images} and {score:g}",
        )
