"""The difference between two policies on the same recorded units: events, costs or misses per hour or episode, in pairs.

A ratio of sums with its linearised variance and Student's t. Where most units agree, only those that differ say anything:
they alone count as degrees of freedom, so that two or three lucky events claim nothing.

Source: Cochran 1977, Sampling Techniques, 6.3 (ratio estimator).
"""

from __future__ import annotations

import math

import numpy as np

from tellapart.evaluation.intervals import LEVEL, Estimate, t_quantile
from tellapart.evaluation.scored import Floats

_LEAST = 2


def paired_rate(before: Floats, after: Floats, of: Floats, *, level: float = LEVEL) -> Estimate:
    """`after` less `before` per unit of `of`, all (n_units,), such as costs and hours; below 0 `after` is less.

    Without an interval where fewer than two units differ: then nobody can tell. `n` is the number of units that differ.
    """
    total = float(of.sum())
    if total <= 0:
        return Estimate(None, None, None, 0)
    differences = np.asarray(after, np.float64) - before
    differing = int(np.count_nonzero(np.abs(differences) > 1e-12))
    value = float(differences.sum()) / total
    if differing < _LEAST:
        return Estimate(value, None, None, differing)
    n = len(of)
    residuals = differences - value * of
    spread = math.sqrt(n / (n - 1) * float(residuals @ residuals)) / total
    half = t_quantile((1 + level) / 2, differing - 1) * spread
    return Estimate(value, value - half, value + half, differing, method="t")
