"""Regularisation by cross-validation over given folds; its held-out logits serve calibration and thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.linear import ClassWeight, LinearHead, Targets, example_weights, make_objective, solve
from tellapart.heads.objectives import Doubles, Floats
from tellapart.heads.solver import Design, minimise
from tellapart.heads.targets import check_targets
from tellapart.records import Task

# From far too strong to far too weak for standardised embeddings, in steps of the square root of ten.
GRID = tuple(float(f"{10 ** (exponent / 2):.3g}") for exponent in range(-10, 5))
# Which C wins shows long before the last digit of its loss; the logits that are kept come from exact fits.
_SEARCH_TOLERANCE, _TOLERANCE = 3e-5, 3e-6
# Above this many samples the search runs on an even share of them; the held-out logits still come from all.
_SEARCH_SAMPLES = 5_000
_SEARCH_FOLDS = 3
SampleWeight = NDArray[np.floating[Any]] | None
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
    """One data set to cross-validate: the shared design, and which samples each fold holds out.

    `counts` (n,) is how much each sample says about C, None where all say the same.
    """

    design: Design
    targets: Targets
    weights: Floats
    held_out: NDArray[np.bool_]
    task: Task
    n_classes: int
    counts: Doubles | None = None

    @classmethod
    def of(
        cls, design: Design, targets: Targets, weights: Floats, folds: NDArray[np.int64], task: Task, k: int
    ) -> _Problem:
        names = np.unique(folds[folds >= 0])
        return cls(design, targets, weights, folds == names[:, None], task, k)

    def counting(self, sample_weight: SampleWeight) -> _Problem:
        """The same, where held-out samples count by their weight; of several labels by the mean of their weights."""
        if sample_weight is None:
            return self
        own = np.asarray(sample_weight, np.float64)
        return replace(self, counts=own if own.ndim == 1 else own.mean(axis=1))

    def sample(self) -> _Problem:
        """An even share of many samples in fewer folds; itself where all are few enough."""
        inside = np.flatnonzero(self.held_out.any(axis=0))
        if len(self.targets) <= _SEARCH_SAMPLES:
            return self
        rows = inside[np.random.default_rng(0).permutation(len(inside))[:_SEARCH_SAMPLES]]
        fold = self.held_out[:, rows].argmax(axis=0) % _SEARCH_FOLDS
        part = _Problem.of(
            self.design.take(rows), self.targets[rows], self.weights[rows], fold, self.task, self.n_classes
        )
        return part.counting(None if self.counts is None else self.counts[rows])

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
    k = _check(embeddings, targets, folds, grid, task=task, n_classes=n_classes)
    weights = example_weights(targets, task=task, n_classes=k, class_weight=class_weight)
    return _cross_validate(_Problem.of(Design.of(embeddings), targets, weights, folds, task, k), grid)[0]


def fit_selected(
    embeddings: Floats,
    targets: Targets,
    folds: NDArray[np.int64],
    *,
    task: Task,
    n_classes: int | None = None,
    grid: Sequence[float] = GRID,
    class_weight: ClassWeight = None,
    sample_weight: SampleWeight = None,
) -> tuple[Selection, LinearHead]:
    """`select_regularisation`, and `fit_linear` on all samples with the C it found, in little more than its time.

    The two share their preparations, and the last fit starts from the mean of the folds'. Samples of fold -1 are fitted
    on. `sample_weight` (n,), for multilabel also (n, k), is how much each is to be believed, in the fits and in the choice
    of C. Arguments and errors are those of `select_regularisation`.
    """
    k = _check(embeddings, targets, folds, grid, task=task, n_classes=n_classes)
    weights = example_weights(targets, task=task, n_classes=k, class_weight=class_weight, sample_weight=sample_weight)
    design = Design.of(embeddings)
    problem = _Problem.of(design, targets, weights, folds, task, k).counting(sample_weight)
    found, near = _cross_validate(problem, grid)
    return found, solve(design, targets, found.C * weights, task=task, n_classes=k, start=near)


def _check(
    embeddings: Floats,
    targets: Targets,
    folds: NDArray[np.int64],
    grid: Sequence[float],
    *,
    task: Task,
    n_classes: int | None,
) -> int:
    k = check_targets(embeddings, targets, task=task, n_classes=n_classes)
    names = np.unique(folds[folds >= 0])
    if folds.shape != (len(embeddings),) or len(names) < 2 or not grid:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"cross-validation needs a fold per sample, two folds or more and a value of C: "
            f"got {folds.shape} folds for {len(embeddings)} samples, {len(names)} different, {len(grid)} values",
        )
    return k


def _cross_validate(problem: _Problem, grid: Sequence[float]) -> tuple[Selection, Floats]:
    """What was found, and the mean of the folds' weights (K, r + 1)."""
    sample = problem.sample()
    search = _Search(sample)
    search.run(grid)
    best, tried = search.best(), sorted(search.found)
    near = search.weights(best)
    if sample is not problem:
        near = np.broadcast_to(near.mean(axis=0), (len(problem.held_out), *near.shape[1:]))
    logits, fits = np.zeros((len(problem.targets), problem.n_classes), np.float32), []
    for batch in problem.batches():
        fits.append(problem.fit(best, batch, near[batch], _TOLERANCE))
        problem.held_out_logits(batch, fits[-1], logits)
    scores, errors = zip(*(search.found[C] for C in tried), strict=True)
    found = Selection(best, tuple(tried), scores, errors, logits, _usable(problem))
    return found, np.concatenate(fits).mean(axis=0)


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
        self._weights: dict[float, list[Floats]] = {}
        self.found: dict[float, tuple[float, float]] = {}

    def run(self, grid: Sequence[float]) -> None:
        """Every second value until the score rises, then the neighbours of the best."""
        ordered = sorted(set(grid))
        for i in range(0, len(ordered), 2):
            self._try(ordered[i])
            # Weak regularisation is slow to fit: near the top, half a step first.
            if self._slows(ordered[: i + 1 : 2]) and i + 1 < len(ordered):
                self._try(ordered[i + 1])
            if self.best() != max(self.found):
                break
        place = ordered.index(self.best())
        for C in ordered[max(place - 1, 0) : place + 2]:
            self._try(C)

    def best(self) -> float:
        """The value of the lowest held-out log loss; of equals the stronger regularisation."""
        return min(sorted(self.found), key=lambda C: self.found[C][0])

    def weights(self, C: float) -> Floats:
        """Fitted weights (F, K, r + 1) of a value that was tried."""
        return np.concatenate(self._weights[C])

    def _slows(self, path: Sequence[float]) -> bool:
        """The last step along the path still gained, but less than the one before."""
        scores = [self.found[C][0] for C in path[-3:]]
        return len(scores) == 3 and 0 < scores[1] - scores[2] < scores[0] - scores[1]

    def _try(self, C: float) -> None:
        if C in self.found:
            return
        stronger = max((other for other in self.found if other < C), default=None)
        problem, now = self._problem, []
        for i, batch in enumerate(problem.batches()):
            start = None if stronger is None else self._weights[stronger][i]
            now.append(problem.fit(C, batch, start, _SEARCH_TOLERANCE))
            problem.held_out_logits(batch, now[-1], self._logits)
        self._weights[C] = now
        each = sample_losses(self._logits[self._usable], problem.targets[self._usable], task=problem.task)
        self.found[C] = _mean_and_error(each, None if problem.counts is None else problem.counts[self._usable])


def _mean_and_error(each: Doubles, counts: Doubles | None) -> tuple[float, float]:
    """The mean of losses and its standard error; a sample that counts less than another adds less to both."""
    if not each.size or (counts is not None and counts.sum() == 0):
        return 0.0, 0.0
    if counts is None:
        return float(each.mean()), float(each.std() / len(each) ** 0.5)
    share = counts / counts.sum()
    mean = float(share @ each)
    return mean, float(np.sqrt(np.sum((share * (each - mean)) ** 2)))


def sample_losses(logits: Floats, targets: NDArray[np.integer[Any]], *, task: Task) -> Doubles:
    """Log loss of each sample, float64 (n,), from uncalibrated logits; for multilabel the mean over labels."""
    z = logits.astype(np.float64)
    if task is Task.MULTILABEL:
        return np.asarray((np.logaddexp(0, z) - targets * z).mean(axis=1))
    z -= z.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), targets])
