"""Which score tells unknown images best: classes are left out in turn, and their images must stand out.

What is unknown later is not at hand; a class that the model was not shown is the nearest thing to it (as novelty detection
is commonly judged). Each kind of rejection is fitted on some images of the other classes, and ranks the images of the
classes left out against further images of the others: the kind of the highest ROC-AUC answers "unknown" in the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import t_quantile
from tellapart.evaluation.ranking import roc_auc
from tellapart.heads.class_distance import ClassDistance
from tellapart.heads.energy import energy
from tellapart.heads.linear import LinearHead
from tellapart.heads.objectives import Floats
from tellapart.heads.ood import OodDetector
from tellapart.heads.rejection import REJECTION_FITS
from tellapart.heads.relative_distance import RelativeDistance

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]
FitReduced = Callable[[Floats, Ints, int], LinearHead]
"""A head of the method's own kind on points (n, r), the columns (n,) of their classes and the number of these."""

DEFAULT = "mahalanobis"
_LEAST_CLASSES = 4
# Images of a class that are worth an AUROC, and of all classes that are looked at.
_LEAST_IMAGES, _MOST_IMAGES = 8, 1_500
# Of more classes than these, so many are looked at.
_MOST_CLASSES = 50
_ROUNDS = 5
# One side of an 80 % interval: few classes differ much from one another, and a wrong choice costs as much as a right one
# gains.
_SURE = 0.9
# A gain in ROC-AUC that nobody would notice.
_TRIFLE = 0.01
# One part of the known images is not fitted on: it is what the unknown ones are told from.
_PARTS = 3


@dataclass(frozen=True, slots=True)
class RejectionChoice:
    """ROC-AUC of each kind on each class that was left out, float64 (m,) in the order of `classes`, and the kind chosen.

    The chosen one is the simplest that is not clearly worse than the best: an 80 % interval of their mean difference over
    classes holds 0, or the difference is within 0.01.
    """

    chosen: str
    classes: Ints
    auroc: Mapping[str, Doubles]

    def interval(self, kind: str) -> tuple[float, float, float]:
        """Mean ROC-AUC of a kind over classes, with the ends of its 95 % interval."""
        values = self.auroc[kind]
        mean, half = float(values.mean()), t_quantile(0.975, len(values) - 1) * _error(values)
        return mean, max(mean - half, 0.0), min(mean + half, 1.0)

    def facts(self) -> dict[str, Any]:
        """For the card."""
        kinds = {kind: [round(value, 4) for value in self.interval(kind)] for kind in self.auroc}
        return {"classes_held_out": len(self.classes), "auroc": kinds}

    def note(self) -> str:
        """For people: what was chosen, why, and how good it is."""
        mean, low, high = self.interval(self.chosen)
        others = ", ".join(f"{kind} {values.mean():.2f}" for kind, values in self.auroc.items() if kind != self.chosen)
        return (
            f"unknowns    told by {self.chosen}: AUROC {mean:.2f} ({low:.2f} to {high:.2f}) on {len(self.classes)} classes "
            f"left out in turn; {others}"
        )


def choose_rejection(
    embeddings: Floats, classes: Ints, folds: Ints, fit_head: FitReduced, *, seed: int = 0
) -> RejectionChoice | None:
    """Of images (n, d) by the column (n,) of their class; None where classes or images are too few to leave some out.

    `folds` int64 (n,) keeps groups together, -1 where an image is in none. At most 1,500 images are looked at, of all
    classes alike, and at most five times something is fitted.
    """
    rows = _sample(classes, folds, seed)
    embeddings, classes, folds = embeddings[rows], classes[rows], folds[rows]
    names, counts = np.unique(classes, return_counts=True)
    eligible = names[counts >= _LEAST_IMAGES]
    if len(names) < _LEAST_CLASSES or len(eligible) < 2 or len(np.unique(folds)) < 2:
        return None
    found: dict[int, dict[str, float]] = {}
    for turn, left_out in enumerate(_rounds(eligible, len(names), seed)):
        found |= _round(embeddings, classes, left_out, _judging(folds, turn), fit_head)
    if len(found) < 2:
        return None
    held_out = np.array(sorted(found), np.int64)
    auroc = {kind: np.array([found[name][kind] for name in held_out.tolist()]) for kind in REJECTION_FITS}
    return RejectionChoice(_best(auroc), held_out, auroc)


def _sample(classes: Ints, folds: Ints, seed: int) -> Ints:
    """Rows of at most so many images, of each class at most as many as of the others where all have enough."""
    rng = np.random.default_rng(seed)
    present, sizes = np.unique(classes[folds >= 0], return_counts=True)
    if len(present) > _MOST_CLASSES:
        present = rng.permutation(present[sizes >= min(_LEAST_IMAGES, sizes.max())])[:_MOST_CLASSES]
    order = rng.permutation(np.flatnonzero((folds >= 0) & np.isin(classes, present)))
    by_class = order[np.argsort(classes[order], kind="stable")]
    names, starts, counts = np.unique(classes[by_class], return_index=True, return_counts=True)
    rank = np.arange(len(by_class)) - np.repeat(starts, counts)
    most = max(_MOST_IMAGES // max(len(names), 1), 1)
    # What small classes leave free the large ones take.
    while (counts.clip(max=most + 1)).sum() <= _MOST_IMAGES and most < counts.max(initial=0):
        most += 1
    return np.sort(by_class[rank < most])


def _rounds(eligible: Ints, n_classes: int, seed: int) -> list[Ints]:
    """Which classes are left out together: all once, never more than a third, so that a task of classes remains."""
    order = np.random.default_rng(seed).permutation(eligible)
    at_once = max(min(-(-len(order) // _ROUNDS), n_classes // 3), 1)
    n_rounds = min(-(-len(order) // at_once), _ROUNDS)
    return np.array_split(order[: n_rounds * at_once], n_rounds)


def _judging(folds: Ints, turn: int) -> Bools:
    """The images of the folds that are told from unknown ones this time."""
    parts = np.unique(folds, return_inverse=True)[1].reshape(-1) % _PARTS
    return np.asarray(parts == turn % (int(parts.max()) + 1))


def _round(
    embeddings: Floats, classes: Ints, left_out: Ints, judging: Bools, fit_head: FitReduced
) -> dict[int, dict[str, float]]:
    """ROC-AUC of each kind by class left out."""
    unknown = np.isin(classes, left_out)
    fitted, known = ~unknown & ~judging, ~unknown & judging
    if len(np.unique(classes[fitted])) < 2 or not known.any():
        return {}
    space, points = _reduced(embeddings, fitted)
    measures = _measures(space, points[fitted], classes[fitted], fit_head)
    scores = {kind: (measure(points[known]), measure(points[unknown])) for kind, measure in measures.items()}
    return {
        name: {kind: _auroc(like, unlike[classes[unknown] == name]) for kind, (like, unlike) in scores.items()}
        for name in left_out.tolist()
    }


def _reduced(embeddings: Floats, fitted: Bools) -> tuple[OodDetector, Floats]:
    """The principal directions of the images of a mask, and what all images (n, r + 1) are by them.

    The last number is the length of what lies beside the directions: no kind asks for more, and all become cheap.
    """
    whole = OodDetector.unscaled(embeddings[fitted])[0]
    inside, beside = whole.coordinates(embeddings)
    r = inside.shape[1]
    basis = np.eye(r + 1, r, dtype=np.float32)
    space = OodDetector(np.zeros(r + 1, np.float32), np.ones(r + 1, np.float32), basis, whole.weight, whole.rest)
    return space, np.concatenate([inside, np.sqrt(beside)[:, None]], axis=1)


def _measures(
    space: OodDetector, points: Floats, classes: Ints, fit_head: FitReduced
) -> dict[str, Callable[[Floats], Floats]]:
    """By kind: what grows with strangeness. The head sees the principal directions alone."""
    names, columns = np.unique(classes, return_inverse=True)
    head = fit_head(points[:, :-1], columns.reshape(-1).astype(np.int64), len(names))
    return {
        "mahalanobis": space.score,
        "class_distance": ClassDistance.within(space, points, classes).score,
        "relative_distance": RelativeDistance.within(space, points, classes).values,
        "energy": lambda some: energy(head.logits(some[:, :-1])),
    }


def _auroc(like: Floats, unlike: Floats) -> float:
    scores = np.concatenate([like, unlike]).astype(np.float64)
    return roc_auc(scores, np.arange(len(scores)) >= len(like))[0]


def _best(auroc: Mapping[str, Doubles]) -> str:
    """The first, and so the simplest, that is not clearly worse than the best and better than all that are simpler still."""
    best = max(auroc.values(), key=np.mean)
    simpler: list[float] = []
    for kind, values in auroc.items():
        lost = best - values
        pays = all(values.mean() > mean + _TRIFLE for mean in simpler)
        if pays and lost.mean() <= max(t_quantile(_SURE, len(lost) - 1) * _error(lost), _TRIFLE):
            return kind
        simpler.append(float(values.mean()))
    return DEFAULT


def _error(values: Doubles) -> float:
    """Standard error of a mean over classes."""
    return float(values.std(ddof=1) / len(values) ** 0.5)
