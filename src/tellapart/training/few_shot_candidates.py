"""The heads among which `few_shot` chooses, each with its answers for images it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.linear import ClassWeight, example_weights
from tellapart.heads.selection import GRID, fit_selected
from tellapart.records import Task
from tellapart.training.linear_probe import targets_of
from tellapart.training.prototypes import cosine, euclidean
from tellapart.training.ridge import Ridge

Doubles = NDArray[np.float64]
Labels = NDArray[np.uint8]
Fit = Callable[[Doubles, Labels, Task], tuple[Doubles, Doubles]]

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
# Weaker ones separate so few images completely and are sure of everything.
_STRONG = tuple(C for C in GRID if C <= 0.03)
# A decomposition of all images at once; above, the other candidates are left to choose among.
_RIDGE_IMAGES = 3_000
# A feature that hardly varies among so few images varies more among others: this share of the mean variance at least.
_FLOOR = 1e-3
# Scores of classes get this spread before they are calibrated, which then needs evidence to make them surer.
_SPREAD = 0.5
# In those units: what a class without an image scores.
_ABSENT = -10.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A linear head on plain embeddings, float32 weight (d, k) and bias (k,), its scores float32 (n, k) for images unseen."""

    name: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    held_out: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shots:
    """The few images: embeddings (n, d), labels 0/1 (n, k), and the fold (n,) that leaves each out."""

    embeddings: NDArray[np.float32]
    labels: Labels
    folds: NDArray[np.int64]
    task: Task
    class_weight: ClassWeight

    @property
    def usable(self) -> NDArray[np.bool_]:
        """bool (n,): another image of the same class is in the other folds, so an answer without this fold says something."""
        if self.task is Task.MULTILABEL:
            return np.full(len(self.labels), len(np.unique(self.folds)) > 1)
        known = [self.labels[self.folds != fold].any(axis=0) for fold in range(self.folds.max() + 1)]
        return np.asarray((self.labels & np.stack(known)[self.folds]).any(axis=1))


def candidates(shots: Shots) -> Iterator[Candidate]:
    """Prototypes by angle and by distance, ridge regressions from weak to strong, and logistic regression.

    Where no image can be judged there is one, the first.
    """
    centre, scale = _standard(shots.embeddings)
    z = (shots.embeddings - centre) / scale
    yield _finished("cosine prototypes", *_with_prototypes(z, shots, cosine), centre, scale, shots)
    if not shots.usable.any():
        return
    yield _finished("prototypes", *_with_prototypes(z, shots, euclidean), centre, scale, shots)
    if len(z) <= _RIDGE_IMAGES:
        ridge = Ridge.of(z, _weights(shots))
        for penalty in PENALTIES:
            fitted = (*ridge.fit(shots.labels, penalty), ridge.held_out(shots.labels, shots.folds, penalty))
            yield _finished(f"ridge {penalty:g}", *fitted, centre, scale, shots)
    yield _logistic(shots)


def _standard(embeddings: NDArray[np.float32]) -> tuple[Doubles, Doubles]:
    """Mean and spread (d,) of each feature."""
    variance = embeddings.var(axis=0, dtype=np.float64)
    spread = np.sqrt(variance + _FLOOR * variance.mean())
    return embeddings.mean(axis=0, dtype=np.float64), np.where(spread > 0, spread, 1.0)


def _with_prototypes(z: Doubles, shots: Shots, fit: Fit) -> tuple[Doubles, Doubles, Doubles]:
    """Weight, bias and held-out scores on standardised features."""
    held_out = np.empty(shots.labels.shape)
    for fold in np.unique(shots.folds):
        out = shots.folds == fold
        weight, bias = fit(z[~out], shots.labels[~out], shots.task)
        held_out[out] = z[out] @ weight + bias
    return *fit(z, shots.labels, shots.task), held_out


def _weights(shots: Shots) -> NDArray[np.float32]:
    """What each image counts in a ridge regression; of several labels, which would each want their own, all alike."""
    if shots.task is Task.MULTILABEL:
        return np.ones(len(shots.labels), np.float32)
    targets = targets_of(shots.labels, shots.task)
    return example_weights(targets, task=shots.task, n_classes=shots.labels.shape[1], class_weight=shots.class_weight)


def _logistic(shots: Shots) -> Candidate:
    """Logistic regression, its regularisation chosen by the same folds."""
    found, head = fit_selected(
        shots.embeddings,
        targets_of(shots.labels, shots.task),
        shots.folds,
        task=shots.task,
        n_classes=shots.labels.shape[1],
        grid=_STRONG,
        class_weight=shots.class_weight,
    )
    nothing, one = np.zeros(shots.embeddings.shape[1]), np.ones(shots.embeddings.shape[1])
    return _finished("logistic regression", head.weight, head.bias, found.logits, nothing, one, shots)


def _finished(
    name: str,
    weight: NDArray[np.floating],
    bias: NDArray[np.floating],
    held_out: NDArray[np.floating],
    centre: Doubles,
    scale: Doubles,
    shots: Shots,
) -> Candidate:
    """The candidate on plain embeddings; scores of equal spread, those of classes without an image far below."""
    weight = weight / scale[:, None]
    bias = bias - centre @ weight
    usable = shots.usable
    seen = held_out[usable] if usable.any() else shots.embeddings @ weight + bias
    factor = _SPREAD / max(_spread(seen, shots.task), 1e-12)
    held_out = np.where(_absent_from_folds(shots), _ABSENT, held_out * factor)
    present = shots.labels.any(axis=0)
    weight, bias = np.where(present, weight * factor, 0), np.where(present, bias * factor, _ABSENT)
    # Rows one after the other in memory: files are written so.
    return Candidate(name, *(np.ascontiguousarray(one, np.float32) for one in (weight, bias, held_out)))


def _spread(scores: NDArray[np.floating], task: Task) -> float:
    """Root mean square; but for several labels within each image, where only differences count."""
    around = 0.0 if task is Task.MULTILABEL else scores.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.mean((scores - around) ** 2)))


def _absent_from_folds(shots: Shots) -> NDArray[np.bool_]:
    """bool (n, k): the class has no image outside the image's fold."""
    absent = np.zeros(shots.labels.shape, bool)
    for fold in np.unique(shots.folds):
        out = shots.folds == fold
        absent[out] = ~shots.labels[~out].any(axis=0)
    return absent
