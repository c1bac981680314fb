"""Accuracy and macro F1 of two sets of answers to the same images, compared in pairs: by columns alone.

What `compare` says of two models, without matrices of images times classes: for thousands of classes, and for a change of
classes, where the old answers have no probabilities in the new terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.intervals import LEVEL, Estimate, resample_count, unit_weights
from tellapart.evaluation.scored import Ints
from tellapart.evaluation.units import units_of

UNKNOWN = -1
"""Column of an answer that is none."""
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Paired:
    """A metric of the answers before and after; `difference` is after minus before with its paired interval.

    `better` is "before" or "after", None where the difference may be chance.
    """

    metric: str
    before: float
    after: float
    difference: Estimate
    better: str | None


def paired(
    truth: Ints,
    before: Ints,
    after: Ints,
    *,
    n_classes: int,
    groups: Sequence[str | None] | None = None,
    seed: int = 0,
) -> tuple[Paired, Paired]:
    """Accuracy and macro F1 from columns int (n,), n > 0; `UNKNOWN` counts as wrong, and as no alarm of any class.

    Macro F1 is the mean over the classes that `truth` holds. `groups` are what was drawn independently: the bootstrap draws
    them, as `compare` does.
    """
    unit = units_of(groups, len(truth))
    n_units = len(truth) if unit is None else int(unit.max()) + 1
    points = [_measured(truth, one, np.ones(len(truth)), n_classes) for one in (before, after)]
    drawn: list[tuple[Doubles, Doubles]] = []
    for block in unit_weights(n_units, resample_count(len(truth)), seed):
        for row in block:
            weights = np.asarray(row if unit is None else row[unit], np.float64)
            drawn.append((_measured(truth, before, weights, n_classes), _measured(truth, after, weights, n_classes)))
    differences = np.array([second - first for first, second in drawn])
    found = [
        _paired(name, points[0][i], points[1][i], differences[:, i], len(truth), None if unit is None else n_units)
        for i, name in enumerate(("accuracy", "f1_macro"))
    ]
    return found[0], found[1]


def _measured(truth: Ints, answers: Ints, weights: Doubles, n_classes: int) -> Doubles:
    """Accuracy and macro F1 under weights (n,)."""
    right, said = answers == truth, answers != UNKNOWN
    actual = np.bincount(truth, weights, n_classes)
    hits = np.bincount(truth[right], weights[right], n_classes)
    answered = np.bincount(answers[said], weights[said], n_classes)
    present = actual > 0
    f1 = 2 * hits[present] / (actual + answered)[present]
    return np.array([hits.sum() / weights.sum(), f1.mean()])


def _paired(name: str, before: float, after: float, differences: Doubles, n: int, n_groups: int | None) -> Paired:
    value = float(after - before)
    if n_groups == 1:
        return Paired(name, float(before), float(after), Estimate(value, None, None, n, n_groups), None)
    ends = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = min(float(ends[0]), value), max(float(ends[1]), value)
    better = "after" if low > 0 else "before" if high < 0 else None
    estimate = Estimate(value, low, high, n, n_groups, "bootstrap")
    return Paired(name, float(before), float(after), estimate, better)
