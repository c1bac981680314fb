"""Is it enough? How the score grows with the number of images, overall and by class, and how it would go on.

Heads are fitted on nested shares of the images and judged on images of other groups, five folds of them. The overall
curve takes the same share of every class. The curve of a class takes a share of that class alone, for that is what a
person can change by collecting more of it; a fifth of the classes is thinned at a time, so that many classes need no
more fits than five. What lies beyond the images at hand is extrapolated (`inverse_power`), and where it cannot be told, that
is said instead.

To take seconds, the heads see the 256 leading directions of the embeddings and at most 10,000 images (fewer from 100 classes
on), those of rare classes first, with one regularisation for all sizes; so scores differ by a few points from those of a
training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.heads.linear import example_weights, make_objective
from tellapart.heads.solver import Design, minimise
from tellapart.records import LabelSchema, Task
from tellapart.training.growth import MIN_GROUPS, Growth, growth_of, nothing_known
from tellapart.training.hits import Hits
from tellapart.training.linear_probe import MAX_FOLDS, check_enough, targets_of

SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)
MAX_IMAGES = 10_000
RANK = 256
# Images times classes: what a fit costs.
_MAX_WORK = 1_000_000
# Images of a class below which shares of it say nothing; and how unequally classes may be thinned for the overall curve.
_FEWEST, _UNEQUAL = 12, 1.5
_BLOCKS = 5
_REGULARISATIONS = (0.001, 0.01, 0.1, 1.0)
# Which images are right shows long before the last digit of the loss.
_TOLERANCE = 1e-4

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LearningCurves:
    """Curves of one data set: `overall` over all images, `classes` in schema order over the images of each.

    `score` names what grows: "recall" of the class, for several labels "balanced accuracy" (the mean of the shares of
    images with and without the label that are judged right); overall it is the mean over the classes `judged` (columns),
    those that have images enough. `n_measured` images took part.
    """

    score: str
    overall: Growth
    classes: tuple[Growth, ...]
    judged: tuple[int, ...]
    n_measured: int


def learning_curves(
    embeddings: Floats,
    labels: NDArray[np.uint8],
    groups: Ints,
    schema: LabelSchema,
    *,
    seed: int = 0,
    max_images: int = MAX_IMAGES,
) -> LearningCurves:
    """Curves of embeddings (n, d) with labels 0/1 (n, k) in schema order and groups (n,) that stay together.

    5,000 embeddings of 2,048 numbers take seconds on one core, more images than `max_images` no longer than these.

    Raises:
        TrainingError: `too_few_classes`, `too_few_images`.
    """
    check_enough(labels, groups, schema)
    k = labels.shape[1]
    score = "balanced accuracy" if schema.task is Task.MULTILABEL else "recall"
    n_groups = np.array([len(np.unique(groups[column != 0])) for column in labels.T])
    n_without = np.array([len(np.unique(groups[column == 0])) for column in labels.T])
    told_from = (n_without >= MIN_GROUPS) | (schema.task is not Task.MULTILABEL)
    judged = np.flatnonzero((n_groups >= MIN_GROUPS) & told_from)
    most = min(max_images, _MAX_WORK // k)
    if most < _FEWEST * k and len(labels) > most:
        why_not = f"heads on shares of the images of {k:,} classes would take too long"
        overall, *classes = (nothing_known(int(n), why_not) for n in (len(labels), *labels.sum(axis=0)))
        return LearningCurves(score, overall, tuple(classes), tuple(judged.tolist()), 0)
    rows = _share_of_large_classes(labels, groups, most, seed)
    alone, together = _Study.of(embeddings[rows], labels[rows], groups[rows], schema.task, seed).run()
    classes = [
        growth_of(alone, np.array([column]), n_now=int(n), n_groups=int(n_groups[column]))
        for column, n in enumerate(labels.sum(axis=0))
    ]
    for column in np.flatnonzero(~told_from & (n_groups >= MIN_GROUPS)):
        classes[column] = classes[column].untold(_always(int(n_without[column])))
    overall = _overall(together, judged, labels, n_groups)
    return LearningCurves(score, overall, tuple(classes), tuple(judged.tolist()), len(rows))


def _always(n_without: int) -> str:
    are = "image is" if n_without == 1 else "images are"
    return f"only {n_without} independent {are} without it, so there is nothing to tell it from"


def _overall(together: Hits, judged: Ints, labels: NDArray[np.uint8], n_groups: Ints) -> Growth:
    """The curve of the classes that have images enough, where what was measured has the mix of the whole."""
    enough, n = len(judged) >= 2, len(labels)
    found = growth_of(
        together, judged if enough else np.arange(len(n_groups)), n_now=n, n_groups=int(n_groups[judged].min(initial=n))
    )
    if not enough:
        return found.untold(f"fewer than two classes have {MIN_GROUPS} independent images")
    kept = together.labels.sum(axis=0)[judged] / labels.sum(axis=0)[judged]
    if kept.max() > _UNEQUAL * kept.min():
        return found.untold("of classes so unequal, only a part of the large ones was measured")
    return found


def _share_of_large_classes(labels: NDArray[np.uint8], groups: Ints, most: int, seed: int) -> Ints:
    """Rows of at most about `most` images, whole groups, equally many of each class as far as there are so many."""
    if len(labels) <= most:
        return np.arange(len(labels))
    nothing = ~labels.any(axis=1, keepdims=True)
    if nothing.any():  # images with none of several labels are a kind of their own
        labels = np.concatenate([labels, nothing], axis=1)
    counts = np.sort(labels.sum(axis=0, dtype=np.int64))
    room, cap = float(most), 0.0
    for left, n in zip(range(len(counts), 0, -1), counts, strict=True):
        cap = room / left
        room -= min(float(n), cap)
    place = _places(labels, groups, np.random.default_rng(seed))
    share = cap / np.maximum(labels.sum(axis=0), 1)
    kept = ((place < share) & (labels != 0)).any(axis=1)
    return np.flatnonzero(kept)


def _places(labels: NDArray[np.uint8], groups: Ints, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, k): the share of a class that comes before the image's group, groups in random order; 0 outside the class.

    Images of a class with a place below s make up about the share s of it, the same ones among those of any larger share.
    """
    names, of = np.unique(groups, return_inverse=True)
    ticket = rng.permutation(len(names))[of.reshape(-1)]
    places = np.zeros(labels.shape)
    for column in range(labels.shape[1]):
        rows = np.flatnonzero(labels[:, column])
        tickets = np.sort(ticket[rows])
        places[rows, column] = np.searchsorted(tickets, ticket[rows]) / max(len(rows), 1)
    return places


@dataclass(frozen=True, slots=True)
class _Study:
    """One data set whose shares are fitted and judged."""

    design: Design
    labels: NDArray[np.uint8]
    groups: Ints
    folds: Ints
    task: Task
    seed: int

    @classmethod
    def of(cls, embeddings: Floats, labels: NDArray[np.uint8], groups: Ints, task: Task, seed: int) -> _Study:
        folds = group_folds(labels, groups, min(MAX_FOLDS, len(np.unique(groups))), seed)
        return cls(Design.leading(embeddings, RANK), labels, groups, folds, task, seed)

    def run(self) -> tuple[Hits, Hits]:
        """Which images are judged right when one class is thinned (by the class's column), and when all are."""
        alone, together = (Hits.none(self.labels, self.groups, self.folds, len(SHARES), self.task) for _ in range(2))
        C = self._regularisation()
        for fold in np.unique(self.folds):
            self._judge(int(fold), C, alone, together)
        return alone, together

    def _judge(self, fold: int, C: float, alone: Hits, together: Hits) -> None:
        train, test = self.folds != fold, self.folds == fold
        rng = np.random.default_rng((self.seed, fold))
        places = np.zeros(self.labels.shape)
        places[train] = _places(self.labels[train], self.groups[train], rng)
        every = np.arange(self.labels.shape[1])
        thinned = [(every, together)] + [(block, alone) for block in _blocks(len(every), rng)]
        full = self._fit(train[None], C)
        kept = [train & _below(places, block, share) for block, _ in thinned for share in SHARES[:-1]]
        fitted = np.concatenate([self._fit(np.array(part), C, start=full) for part in _batches(kept)])
        for i, (block, hits) in enumerate(thinned):
            for j in range(len(SHARES)):
                last = j == len(SHARES) - 1
                weights = full[0] if last else fitted[i * (len(SHARES) - 1) + j]
                used = train if last else kept[i * (len(SHARES) - 1) + j]
                hits.add(j, fold, block, self._answers(weights, test), used)

    def _fit(self, kept: Bools, C: float, *, start: Floats | None = None) -> Floats:
        """Weights (F, K, r + 1) of heads on the images kept, bool (F, n)."""
        targets, k = targets_of(self.labels, self.task), self.labels.shape[1]
        weights = np.stack(
            [
                C * example_weights(targets, task=self.task, n_classes=k, class_weight="balanced", sample_weight=one)
                for one in kept.astype(np.float32)
            ]
        )
        objective, sums = make_objective(targets, weights, task=self.task, n_classes=k)
        shape = (objective.n_problems, objective.n_rows, self.design.matrix.shape[1])
        first = None if start is None else np.repeat(start, len(kept), axis=0).reshape(shape)
        return minimise(self.design, objective, sums, start=first, tolerance=_TOLERANCE).weights.reshape(
            len(kept), -1, shape[2]
        )

    def _answers(self, weights: Floats, rows: Bools) -> Bools:
        """Which classes are told, bool (rows, k)."""
        scores = self.design.matrix[rows] @ weights.T
        if self.task is Task.MULTILABEL:
            return np.asarray(scores > 0)
        if self.task is Task.BINARY:
            return np.concatenate([scores <= 0, scores > 0], axis=1)
        return np.asarray(np.eye(scores.shape[1], dtype=bool)[scores.argmax(axis=1)])

    def _regularisation(self) -> float:
        """The one with which most images of the first fold are judged right, every class counting alike."""
        test = self.folds == self.folds[0]
        every = np.arange(self.labels.shape[1])

        def score(C: float) -> float:
            hits = Hits.none(self.labels, self.groups, np.where(test, 0, -1), 1, self.task)
            hits.add(0, 0, every, self._answers(self._fit(~test[None], C)[0], test), ~test)
            return float(hits.scores(every)[0])

        return max(_REGULARISATIONS, key=score)


def _below(places: NDArray[np.float64], block: Ints, share: float) -> Bools:
    return np.asarray((places[:, block] < share).all(axis=1))


def _blocks(k: int, rng: np.random.Generator) -> list[Ints]:
    """The classes in up to five random parts."""
    return [np.asarray(part, np.int64) for part in np.array_split(rng.permutation(k), min(k, _BLOCKS))]


def _batches(kept: list[Bools], size: int = 4) -> Iterator[list[Bools]]:
    """Fits that share their products with the design."""
    return (kept[i : i + size] for i in range(0, len(kept), size))
