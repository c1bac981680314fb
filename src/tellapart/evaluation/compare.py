"""Two models on the same images: is one really better?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.evaluation.advice import advise
from tellapart.evaluation.intervals import LEVEL, Estimate, bootstrap, resample_count
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.scored import Scored
from tellapart.evaluation.units import units_of

LOWER_IS_BETTER = ("log_loss", "brier", "ece", "mean_cost", "hamming_loss")


@dataclass(frozen=True, slots=True)
class McNemar:
    """Images that only the first or only the second model got right, and the exact two-sided p-value.

    The p-value takes the images as independent: with groups, trust the interval of the difference instead.
    """

    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference` is second minus first with its paired interval; `better` names the winner, None for a draw."""

    metric: str
    names: tuple[str, ...]
    first: float | None
    second: float | None
    difference: Estimate
    mcnemar: McNemar | None
    better: str | None
    verdict: str


def compare(
    first: Scored,
    second: Scored,
    *,
    metric: str | None = None,
    names: tuple[str, str] = ("first", "second"),
    groups: Sequence[str | None] | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare two models on the same rows by a paired bootstrap of one metric's difference.

    Args:
        first, second: made by `score` from the same targets in the same order; only the answers differ.
        metric: a key of the evaluation's metrics; None takes the metric to trust for this data.
        groups: what was drawn independently (part, camera, day); None takes every image as independent.

    Raises:
        DataError: label_conflict when the truth differs.
        SettingsError: unknown_name for a metric that this task does not have.
    """
    if first.schema != second.schema or not np.array_equal(first.targets, second.targets):
        message = "two models are compared on the same images and labels in the same order, but the targets differ"
        raise DataError(Reason.LABEL_CONFLICT, message)
    name = metric or advise(first).headline
    unit = units_of(groups, len(first))
    measurers = [Measurer.of(scored, unit=unit) for scored in (first, second)]
    values = [m.point().overall for m in measurers]
    if name not in values[0]:
        known = ", ".join(sorted(values[0]))
        raise SettingsError(Reason.UNKNOWN_NAME, f"unknown metric {name!r}; this task knows {known}")
    count = resample_count(len(first))
    drawn = [bootstrap(m, n_resamples=count, seed=seed).overall[name] for m in measurers]
    a, b = (float(value[name][0]) for value in values)
    n_groups = None if unit is None else measurers[0].n_units
    difference = _difference(b - a, drawn[1] - drawn[0], len(first), n_groups)
    test = mcnemar(first, second)
    better = _better(name, difference, test if unit is None and _is_share_of_right(name) else None, names)
    verdict = _verdict(name, (a, b), difference, better, names)
    return Comparison(name, names, _defined(a), _defined(b), difference, test, better, verdict)


def mcnemar(first: Scored, second: Scored) -> McNemar:
    """Exact McNemar test on images answered wholly right (McNemar 1947; binomial with p = 1/2)."""
    right = [(scored.targets == scored.decided).all(axis=1) for scored in (first, second)]
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    n, fewer = only_first + only_second, min(only_first, only_second)
    logs = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) - n * math.log(2) for i in range(fewer + 1)
    ]
    p_value = min(1.0, 2 * math.fsum(math.exp(log) for log in logs))
    return McNemar(only_first, only_second, p_value)


def _is_share_of_right(name: str) -> bool:
    return name in ("accuracy", "subset_accuracy")


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _difference(
    value: float, replicates: np.ndarray[tuple[int], np.dtype[np.float64]], n: int, n_groups: int | None
) -> Estimate:
    usable = replicates[~np.isnan(replicates)]
    if math.isnan(value) or len(usable) < 20 or n_groups == 1:
        return Estimate(_defined(value), None, None, n, n_groups)
    low, high = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, min(float(low), value), max(float(high), value), n, n_groups, "bootstrap")


def _better(name: str, difference: Estimate, test: McNemar | None, names: tuple[str, str]) -> str | None:
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return None
    if test is not None and test.p_value > 1 - LEVEL:
        return None
    return names[int((difference.low > 0) != (name in LOWER_IS_BETTER))]


def _verdict(
    name: str, values: tuple[float, float], difference: Estimate, better: str | None, names: tuple[str, str]
) -> str:
    if difference.value is None or difference.low is None or difference.high is None:
        return f"{name} cannot be compared on this data: there is too little of it."
    numbers = (
        f"{name} {values[0]:.3f} for {names[0]}, {values[1]:.3f} for {names[1]}, difference {difference.value:+.3f} "
        f"(95 % interval {difference.low:+.3f} to {difference.high:+.3f}, n = {difference.n})"
    )
    if better is None:
        return f"No difference can be told from chance on this data: {numbers}."
    return f"{better} is better: {numbers}."
