"""Linear discriminant analysis from class statistics: a linear head in closed form, whatever the statistics grew from.

Classes are Gaussian with their own mean and one covariance (Fisher 1936), so the log of one class's density less another's is
linear in the embedding. The covariance is that within classes, its correlations shrunk towards none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.calibration import Calibration
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.heads.linear import LinearHead
from tellapart.records import Task

Doubles = NDArray[np.float64]
# Deviations for which the variance between the means counts beside those within classes.
_BELIEVED = 1.0
# Below the mean variance by this factor a feature is constant, and what moves it later must not outweigh all others.
_LEAST = 1e-6
# See `shrinkage_of`.
_MORE = 10.0
# Random vectors for a trace: it comes out to about a hundredth.
_PROBES = 32
# The shares and what they rest on settle in so many rounds.
_ROUNDS = 3
# Means that look no further apart than chance has them are taken to be this part of it apart.
_LEAST_SPREAD = 0.1
# Lower than any score of a class that has images, and no trouble to a softmax of float32.
_NEVER = 1e4


@dataclass(frozen=True, slots=True, eq=False)
class WithinCovariance:
    """The shrunk covariance within classes, D^½ ((1 - shrinkage) R + shrinkage I) D^½ with correlations R.

    `deviation` float64 (d,) is the root of D; `correlations` (d, d) are shrunk already.
    """

    deviation: Doubles
    correlations: Doubles
    shrinkage: float

    @classmethod
    def of(cls, statistics: ClassStatistics) -> WithinCovariance:
        """By the statistics alone: one set of images always gives the same, however it was added."""
        n, variance = statistics.n_scatter, _variance(statistics)
        deviation = np.sqrt(variance)
        if n == 0:
            return cls(deviation, np.eye(len(variance)), 1.0)
        correlations = statistics.scatter / n
        correlations /= deviation
        correlations /= deviation[:, None]
        shrinkage = shrinkage_of(correlations, n)
        correlations *= 1 - shrinkage
        np.fill_diagonal(correlations, 1.0)
        return cls(deviation, correlations, shrinkage)

    def solved(self, rows: Doubles) -> tuple[Doubles, float]:
        """The inverse covariance times rows (k, d), as rows, and the effective number of features (see `lda_head`)."""
        # Costs a start-up nothing: only a head that is fitted comes this way.
        from scipy.linalg import cho_solve, cholesky

        factor = cholesky(self.correlations, lower=True), True
        solved = cho_solve(factor, (rows / self.deviation).T).T / self.deviation
        d = len(self.deviation)
        if self.shrinkage == 1:
            return solved, float(d)
        # The trace of inverse · unshrunk, by the trace of the inverse; that by random signs (Hutchinson 1989), the same
        # every time: the inverse itself would cost more than all the rest.
        signs = np.random.default_rng(0).choice((-1.0, 1.0), (d, _PROBES))
        trace = float(np.vdot(signs, cho_solve(factor, signs))) / _PROBES
        return solved, float(np.clip((d - self.shrinkage * trace) / (1 - self.shrinkage), 0, d))


def shrinkage_of(correlations: Doubles, n: int) -> float:
    """Share (0 to 1) of the identity to mix into correlations (d, d) that `n` ≥ 1 deviations have shown.

    With o, the oracle approximating shrinkage (Chen, Wiesel, Eldar & Hero 2010, eq. 23; here of correlations, so that
    features of any scale count alike), it is 10 o / (1 + 10 o). o is the best for the squared error of the matrix of Gaussian
    features; to tell classes apart by its inverse more serves: docs/dynamic.md has the experiment. Few images give much, and
    it falls as 1/n.
    """
    d = len(correlations)
    squares, trace = float(np.vdot(correlations, correlations)), float(np.trace(correlations))
    excess = squares - trace**2 / d
    if excess <= 0:
        return 1.0
    weight = _MORE * ((1 - 2 / d) * squares + trace**2) / ((n + 1 - 2 / d) * excess)
    return weight / (1 + weight)


def lda_head(
    statistics: ClassStatistics,
    label_ids: Sequence[int],
    *,
    task: Task,
    within: WithinCovariance | None = None,
) -> LinearHead:
    """The uncalibrated head whose columns are the classes `label_ids`, in this order.

    Scores are log densities up to what all classes share, so they grow with the number of features: calibrate before they
    are read as confidence. Every class is taken for equally likely beforehand; what is known otherwise belongs into the
    offsets of the calibration. The mean of few images is off by chance, in thousands of features by more than classes lie
    apart: so it is drawn to the middle of all classes, by the share of its way from there that is chance (`_believed`). A
    class without images is never answered.

    Raises:
        SettingsError: `bad_setting` for several labels per image, an unknown id or no image at all.
    """
    counts, means = _chosen(statistics, label_ids, task)
    present = counts > 0
    middle = means[present].mean(axis=0)
    away = np.where(present[:, None], means - middle, 0.0)
    solved, effective = (within or WithinCovariance.of(statistics)).solved(away)
    share, weights = _believed(away, solved, counts, effective)
    middle, solved, away = middle + weights @ away, solved - weights @ solved, away - weights @ away
    offset = -0.5 * share**2 * np.einsum("ij,ij->i", solved, away)
    return _head(solved * share[:, None], offset, middle, present, task)


def _believed(away: Doubles, solved: Doubles, counts: NDArray[np.int64], effective: float) -> tuple[Doubles, Doubles]:
    """How much of each class's way from the middle is believed, 0 to 1 (k,), and each class's weight in that middle.

    Empirical Bayes (Efron & Morris 1973): where features are made independent and of variance 1, class means scatter with
    variance t around the middle and the mean of n images with 1/n around its class, so the share is t / (t + 1/n). t is
    what the squared ways have more than chance explains.
    """
    chance = 1 / np.maximum(counts, 1)
    share = np.asarray(counts > 0, np.float64)
    for _ in range(_ROUNDS):
        weights = share / share.sum()
        ways = np.einsum("ij,ij->i", solved - weights @ solved, away - weights @ away)
        spread = float(weights @ (ways / max(effective, 1.0) - chance)) / max(1 - float(weights @ weights), 1e-9)
        spread = max(spread, _LEAST_SPREAD * float(weights @ chance))
        share = np.where(counts > 0, spread / (spread + chance), 0.0)
    return share, share / share.sum()


def nearest_mean_head(statistics: ClassStatistics, label_ids: Sequence[int], *, task: Task) -> LinearHead:
    """The uncalibrated head by which the nearest mean answers, each feature scaled to its spread within classes.

    Arguments and errors as `lda_head`, which this is without correlations and without any allowance for few images.
    """
    counts, means = _chosen(statistics, label_ids, task)
    present = counts > 0
    middle = means[present].mean(axis=0)
    away = np.where(present[:, None], means - middle, 0.0)
    solved = away / _variance(statistics)
    return _head(solved, -0.5 * np.einsum("ij,ij->i", solved, away), middle, present, task)


def _variance(statistics: ClassStatistics) -> Doubles:
    """Variance (d,) of each feature within classes, above 0.

    The variance between the means counts as one deviation more: without it features would get any weight from one or two.
    """
    present = statistics.counts > 0
    between = statistics.means[present].var(axis=0) if present.any() else np.ones(statistics.n_features)
    variance = (np.diagonal(statistics.scatter) + _BELIEVED * between) / (statistics.n_scatter + _BELIEVED)
    return np.asarray(variance + _LEAST * (float(variance.mean()) or 1.0))


def _chosen(statistics: ClassStatistics, label_ids: Sequence[int], task: Task) -> tuple[NDArray[np.int64], Doubles]:
    """Counts (k,) and means (k, d) in the order asked for."""
    if task is Task.MULTILABEL:
        message = "class statistics are of one label per image, and this task has several: take another method"
        raise SettingsError(Reason.BAD_SETTING, message)
    at = {one: row for row, one in enumerate(statistics.ids)}
    unknown = [one for one in label_ids if one not in at]
    if unknown or not statistics.counts.any():
        what = f"no class of the id {unknown[0]}" if unknown else "no image"
        raise SettingsError(
            Reason.BAD_SETTING, f"the class statistics have {what}, so there is no head to make of them"
        )
    rows = [at[one] for one in label_ids]
    return statistics.counts[rows], statistics.means[rows]


def _head(solved: Doubles, offset: Doubles, middle: Doubles, present: NDArray[np.bool_], task: Task) -> LinearHead:
    """Scores of `(x - middle) @ solvedᵀ + offset`; a binary head has both columns, of opposite sign."""
    bias = np.where(present, offset - solved @ middle, 0.0)
    weight = solved.T
    if task is Task.BINARY:
        weight, bias = weight - weight.mean(axis=1, keepdims=True), bias - bias.mean()
    bias = np.where(present, bias, (bias[present].min() if present.any() else 0.0) - _NEVER)
    k = len(bias)
    return LinearHead(
        task, np.ascontiguousarray(weight, np.float32), bias.astype(np.float32), Calibration.identity(task, k)
    )
