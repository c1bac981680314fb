"""Regularisation by cross-validation over given folds; its held-out logits serve calibration and thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.linear import ClassWeight, Targets, example_weights, make_objective
from tellapart.heads.objectives import Doubles, Floats
from tellapart.heads.solver import Design, minimise
from tellapart.heads.targets import check_targets
from tellapart.records import Task

# From far too strong to far too weak for standardised embeddings, in steps of the square root of ten.
GRID = tuple(float(f"{10 ** (exponent / 2):.3g}") for exponent in range(-10, 5))
# The coarse search stops after this many values in a row that are worse than the best one so far.
_PATIENCE = 1
# Above this many samples the search runs on an even share of them; the held-out logits still come from all.
_SEARCH_SAMPLES = 5_000
_SEARCH_FOLDS = 3
# Numbers held per score array of one batch of folds: 2^24 float32 are 64 MiB.
_BATCH_SCORES = 1 << 24


@dataclass(frozen=True, slots=True)
class Selection:
    """What cross-validation found.

    `C` is the plain minimum among `grid` (ascending; the values that were tried); `scores` are held-out log losses
    per sample, `errors` their standard errors. `logits` float32 (n, k) are held-out and uncalibrated, for that C.
    `usable` (n,) is False for samples in no fold (fold -1: their logits are 0) and for samples whose class was missing
    from the other folds: their logits say nothing about a head that has seen the class.
    """

    C: float
    grid: tuple[float, ...]
    scores: tuple[float, ...]
    errors: tuple[float, ...]
    logits: Floats
    usable: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Problem:
    """One data set to cross-validate: the shared design, and which samples each fold holds out."""

    design: Design
    targets: Targets
    weights: Floats
    held_out: NDArray[np.bool_]
    task: Task
    n_classes: int

    @classmethod
    def of(
        cls, design: Design, targets: Targets, weights: Floats, folds: NDArray[np.int64], task: Task, k: int
    ) -> _Problem:
        names = np.unique(folds[folds >= 0])
        return cls(design, targets, weights, folds == names[:, None], task, k)

    def batches(self) -> Iterator[slice]:
        """Folds that are fitted together: one wide product is far cheaper than several narrow ones."""
        per_fold = len(self.targets) * (1 if self.task is Task.BINARY else self.n_classes)
        size = max(1, _BATCH_SCORES // per_fold)
        return (slice(i, i + size) for i in range(0, len(self.held_out), size))

    def fit(self, C: float, folds: slice, start: Floats | None, tolerance: float) -> Floats:
        """Weights (F, K, r + 1), each fitted without its held-out fold."""
        keep = ~self.held_out[folds] & (self.held_out.any(axis=0))
        keep = keep[:, :, None] if self.task is Task.MULTILABEL else keep
        weights = np.asarray(C * self.weights * keep, np.float32)
        objective, sums = make_objective(self.targets, weights, task=self.task, n_classes=self.n_classes)
        flat = None if start is None else start.reshape(objective.n_problems, objective.n_rows, -1)
        solution = minimise(self.design, objective, sums, start=flat, tolerance=tolerance)
        return solution.weights.reshape(len(keep), -1, solution.weights.shape[2])

    def held_out_logits(self, folds: slice, weights: Floats, into: Floats) -> None:
        """Write each fold's logits where that fold holds out."""
        for mask, fitted in zip(self.held_out[folds], weights, strict=True):
            scores = self.design.matrix[mask] @ fitted.T
            into[mask] = scores * np.array([-0.5, 0.5], np.float32) if self.task is Task.BINARY else scores


def select_regularisation(
    embeddings: Floats,
    targets: Targets,
    folds: NDArray[np.int64],
    *,
    task: Task,
    n_classes: int | None = None,
    grid: Sequence[float] = GRID,
    class_weight: ClassWeight = None,
) -> Selection:
    """Choose C by held-out log loss over the caller's folds, which keep groups together.

    `folds` int64 (n,) numbers the fold that holds a sample out, -1 for none (then it is not trained on either); at
    least two folds. Other arguments as for `fit_linear`. With more than 5,000 samples C is searched on that many of
    them and three folds. Features are standardised over all samples: that uses no target.

    Raises:
        SettingsError: `bad_setting` for arrays that do not fit together, or fewer than two folds.
    """
    k = check_targets(embeddings, targets, task=task, n_classes=n_classes)
    names = np.unique(folds[folds >= 0])
    if folds.shape != (len(embeddings),) or len(names) < 2 or not grid:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"cross-validation needs a fold per sample, two folds or more and a value of C: "
            f"got {folds.shape} folds for {len(embeddings)} samples, {len(names)} different, {len(grid)} values",
        )
    weights = example_weights(targets, task=task, n_classes=k, class_weight=class_weight)
    design = Design.of(embeddings)
    whole = _Problem.of(design, targets, weights, folds, task, k)
    usable = _usable(whole)
    rows = _search_rows(folds, len(embeddings))
    part = whole
    if rows is not None:
        merged = np.where(folds >= 0, np.searchsorted(names, folds) % _SEARCH_FOLDS, -1)
        part = _Problem.of(design.take(rows), targets[rows], weights[rows], merged[rows], task, k)
    search = _Search(part)
    search.run(grid)
    best, tried = search.best(), sorted(search.found)
    logits = np.zeros((len(embeddings), k), np.float32)
    for batch in whole.batches():
        whole.held_out_logits(batch, whole.fit(best, batch, None, 3e-6), logits)
    scores, errors = zip(*(search.found[C] for C in tried), strict=True)
    return Selection(best, tuple(tried), scores, errors, logits, usable)


def _search_rows(folds: NDArray[np.int64], n: int) -> NDArray[np.int64] | None:
    """An even share of the samples, spread over the whole order; None where all are few enough."""
    if n <= _SEARCH_SAMPLES:
        return None
    inside = np.flatnonzero(folds >= 0)
    return inside[np.random.default_rng(0).permutation(len(inside))[:_SEARCH_SAMPLES]]


def _usable(problem: _Problem) -> NDArray[np.bool_]:
    usable = problem.held_out.any(axis=0)
    if problem.task is Task.MULTILABEL:
        return np.asarray(usable)
    for mask in problem.held_out:
        seen = np.bincount(problem.targets[~mask & problem.held_out.any(axis=0)], minlength=problem.n_classes) > 0
        usable = usable & (~mask | seen[problem.targets])
    return np.asarray(usable)


class _Search:
    """Scores along the path from strong to weak regularisation, each fit started from the nearest stronger one."""

    def __init__(self, problem: _Problem) -> None:
        self._problem, self._usable = problem, _usable(problem)
        self._logits = np.zeros((len(problem.targets), problem.n_classes), np.float32)
        self._states: dict[float, dict[int, Floats]] = {}
        self.found: dict[float, tuple[float, float]] = {}

    def run(self, grid: Sequence[float]) -> None:
        """Every second value until the score rises, then the neighbours of the best."""
        ordered = sorted(set(grid))
        coarse = ordered[::2]
        for i, C in enumerate(coarse):
            self._try(C)
            if i - coarse.index(self.best()) >= _PATIENCE:
                break
        place = ordered.index(self.best())
        for C in ordered[max(place - 1, 0) : place + 2]:
            if C not in self.found:
                self._try(C)

    def best(self) -> float:
        """The value of the lowest held-out log loss; of equals the stronger regularisation."""
        return min(sorted(self.found), key=lambda C: self.found[C][0])

    def _try(self, C: float) -> None:
        stronger = max((other for other in self._states if other < C), default=None)
        start = {} if stronger is None else self._states[stronger]
        problem, now = self._problem, self._states.setdefault(C, {})
        for batch in problem.batches():
            now[batch.start] = problem.fit(C, batch, start.get(batch.start), 3e-5)
            problem.held_out_logits(batch, now[batch.start], self._logits)
        each = sample_losses(self._logits[self._usable], problem.targets[self._usable], task=problem.task)
        self.found[C] = (float(each.mean()), float(each.std() / len(each) ** 0.5)) if each.size else (0.0, 0.0)


def sample_losses(logits: Floats, targets: NDArray[np.integer[Any]], *, task: Task) -> Doubles:
    """Log loss of each sample, float64 (n,), from uncalibrated logits; for multilabel the mean over labels."""
    z = logits.astype(np.float64)
    if task is Task.MULTILABEL:
        return np.asarray((np.logaddexp(0, z) - targets * z).mean(axis=1))
    z -= z.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), targets])
