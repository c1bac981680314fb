"""Confidence intervals for every metric, from one bootstrap shared by all of them.

What is resampled is what was drawn independently: images, or whole groups (parts, cameras, days) where groups are
given. Replicates are weightings, not copies of the data (`Measurer.replicates`).

Metrics that live in 0–1 and are good when high get a Wilson score interval whose sample size is the one the bootstrap's
spread stands for, n_eff = p(1 - p) / variance, never more than the images (or groups) behind the number. For a plain
proportion that is Wilson's interval itself; for F1, ROC-AUC and macro averages it carries the same behaviour near 0 and
1 over, where percentile intervals shrink to nothing: a perfect score on 20 images has the interval 0.84–1, not 1–1.
With few groups Student's t takes the place of the normal quantile. Losses get bias-corrected percentiles.
`benchmarks/interval_coverage.py` prints how often the intervals contain the truth.

Sources: Wilson 1927; Efron and Tibshirani 1993, chapters 13–14; Korn and Graubard 1998 (effective sample size).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.metrics import Measured, Measurer
from tellapart.evaluation.scored import Bools, Floats

LEVEL = 0.95
N_RESAMPLES = 1000
_BLOCK_VALUES = 2_000_000
_MAX_VALUES = 20_000_000
_LOSSES = ("log_loss", "brier", "ece", "mean_cost", "cost", "delay")
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its interval: None where the data cannot say (a class without images, a single group).

    `n` is the number of images behind the number (for recall the images of the class, for precision the answers),
    `n_groups` the number of groups these come from, None when images count as independent. `method` is "wilson",
    "bootstrap" or "none".
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_groups: int | None = None
    method: str = "none"


@dataclass(frozen=True, slots=True)
class Behind:
    """How many images, and how many independent units, a metric rests on.

    `most` bounds the sample size its spread may stand for; `sure` is the sample size when there is no spread to see.
    """

    n: int
    units: int
    most: float
    sure: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """All metrics of one evaluation with intervals: by name, and per class (one `Estimate` per column)."""

    overall: dict[str, Estimate]
    per_class: dict[str, tuple[Estimate, ...]]
    n_resamples: int


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval for a share of `n` (may be fractional: an effective sample size)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def t_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t, to 1 % from 3 degrees of freedom on (Abramowitz and Stegun 26.7.5)."""
    z = _NORMAL.inv_cdf(probability)
    if freedom > 1000:
        return z
    if freedom <= 2:
        return (
            math.tan(math.pi * (probability - 0.5))
            if freedom <= 1
            else (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
        )
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


def resample_count(n: int) -> int:
    """Replicates for n images: 1,000, fewer (never under 200) above 20,000, where intervals are narrow anyway."""
    return max(200, min(N_RESAMPLES, _MAX_VALUES // max(n, 1)))


def unit_weights(n_units: int, n_resamples: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Bootstrap weights in blocks (b, n_units): how often each unit was drawn in n_units draws with replacement."""
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_VALUES // n_units)
    for start in range(0, n_resamples, block):
        weights = np.empty((min(block, n_resamples - start), n_units), dtype=np.float32)
        for row in weights:
            row[:] = np.bincount(generator.integers(0, n_units, n_units), minlength=n_units)
        yield weights


def bootstrap(measurer: Measurer, *, n_resamples: int, seed: int) -> Measured:
    """Replicates of all metrics; the same seed and units give the same weightings, so that models can be paired."""
    by_unit = np.nan_to_num(measurer.by_unit())
    parts = [measurer.replicates(by_unit, weights) for weights in unit_weights(measurer.n_units, n_resamples, seed)]
    return Measured(
        {name: np.concatenate([part.overall[name] for part in parts]) for name in parts[0].overall},
        {name: np.concatenate([part.per_class[name] for part in parts]) for name in parts[0].per_class},
    )


def estimate_all(
    measurer: Measurer, *, seed: int = 0, n_resamples: int | None = None, level: float = LEVEL, only: str | None = None
) -> Estimates:
    """Every metric of `measurer` with its interval; `only` keeps one overall metric and saves the rest's time."""
    count = resample_count(len(measurer.scored)) if n_resamples is None else n_resamples
    point, replicates = measurer.point(), bootstrap(measurer, n_resamples=count, seed=seed)
    behind = _Support.of(measurer)
    overall = {
        name: interval(name, float(value[0]), replicates.overall[name], behind.overall(name), behind.grouped, level)
        for name, value in point.overall.items()
        if only is None or name == only
    }
    per_class = {
        name: tuple(
            interval(name, float(v), replicates.per_class[name][:, j], behind.of_class(name, j), behind.grouped, level)
            for j, v in enumerate(values[0])
        )
        for name, values in point.per_class.items()
        if only is None
    }
    return Estimates(overall, per_class, count)


def interval(
    name: str, value: float, replicates: Floats, behind: Behind, grouped: bool, level: float = LEVEL
) -> Estimate:
    """Turn a value and its bootstrap replicates into an `Estimate`."""
    n_groups = behind.units if grouped else None
    if math.isnan(value):
        return Estimate(None, None, None, behind.n, n_groups)
    usable = replicates[~np.isnan(replicates)]
    if (behind.units < 2 and grouped) or len(usable) < 20:
        return Estimate(value, None, None, behind.n, n_groups)
    if name.startswith(_LOSSES):
        low, high = _bias_corrected(value, usable, level)
        return Estimate(value, low, high, behind.n, n_groups, "bootstrap")
    # Between groups only n_groups - 1 deviations are free; single images are plenty or the Wilson form covers them.
    tail = (1 + level) / 2
    z = _NORMAL.inv_cdf(tail)
    variance = float(usable.var())
    if grouped:
        variance *= behind.units / max(behind.units - 1, 1)
    spread = value * (1 - value)
    if variance < 1e-12 or spread < 1e-12:
        effective = behind.sure
    else:
        z = t_quantile(tail, behind.units - 1) if grouped else z
        effective = min(spread / variance, behind.most * _headroom(name))
    low, high = wilson(value, max(effective, 1.0), z)
    return Estimate(value, low, high, behind.n, n_groups, "wilson")


def _headroom(name: str) -> float:
    """How much more than its count a metric may know: a rank uses more of each image than a yes or no does."""
    if name.startswith("roc_auc"):
        return 4.0
    return 2.0 if name.startswith("f1") or name == "precision_macro" else 1.0


def _bias_corrected(value: float, replicates: Floats, level: float) -> tuple[float, float]:
    """Bias-corrected percentiles (Efron and Tibshirani 1993, 14.3 without acceleration), always around the value."""
    below = (np.count_nonzero(replicates < value) + np.count_nonzero(replicates == value) / 2) / len(replicates)
    shift = _NORMAL.inv_cdf(min(max(below, 0.01), 0.99))
    ends = [_NORMAL.cdf(2 * shift + _NORMAL.inv_cdf(tail)) for tail in ((1 - level) / 2, (1 + level) / 2)]
    low, high = np.quantile(replicates, ends)
    return min(float(low), value), max(float(high), value)


@dataclass(frozen=True, slots=True)
class _Support:
    """Images and groups of each class, as truth, as answer, and without it."""

    n: int
    units: int
    grouped: bool
    actual: tuple[Behind, ...]
    predicted: tuple[Behind, ...]
    absent: tuple[Behind, ...]
    positive: int | None
    answered: Behind

    @classmethod
    def of(cls, m: Measurer) -> _Support:
        scored = m.scored

        def count(rows: Bools) -> Behind:
            n = int(rows.sum())
            units = n if m.unit is None else int(np.count_nonzero(np.bincount(m.unit[rows])))
            return Behind(n, units, float(n), float(units))

        columns = range(scored.targets.shape[1])
        return cls(
            len(scored),
            m.n_units,
            m.unit is not None,
            tuple(count(scored.targets[:, j]) for j in columns),
            tuple(count(scored.decided[:, j]) for j in columns),
            tuple(count(~scored.targets[:, j]) for j in columns),
            scored.positive,
            count(np.asarray(scored.decided.any(axis=1))),
        )

    def of_class(self, name: str, j: int) -> Behind:
        """What one class's number rests on."""
        actual, predicted, absent = self.actual[j], self.predicted[j], self.absent[j]
        if name == "precision":
            return predicted if predicted.n else actual
        if name == "roc_auc":
            return Behind(actual.n, actual.units, min(actual.most, absent.most), min(actual.sure, absent.sure))
        return actual

    def overall(self, name: str) -> Behind:
        """What an overall number rests on: a mean over classes is bounded by its smallest class."""
        if self.positive is not None and name in ("precision", "recall", "f1", "roc_auc", "average_precision"):
            return self.of_class(name, self.positive)
        if name == "accuracy_answered":
            return self.answered
        if name.endswith("_macro") or name == "balanced_accuracy":
            classes = [self.of_class(name.removesuffix("_macro"), j) for j, a in enumerate(self.actual) if a.n]
            most, sure = _spread_thin([c.most for c in classes]), _spread_thin([c.sure for c in classes])
            return Behind(self.n, self.units, min(most, self.n), min(sure, self.units))
        return Behind(self.n, self.units, float(self.n), float(self.units))


def _spread_thin(counts: list[float]) -> float:
    """Sample size of a mean of shares with these sample sizes: k² / Σ 1/n, small as soon as one class is small."""
    return len(counts) ** 2 / sum(1 / max(n, 1.0) for n in counts) if counts else 1.0
