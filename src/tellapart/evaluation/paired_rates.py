"""The difference between two policies on the same recorded units: events, costs or misses per hour or episode, in pairs.

A ratio of sums with its linearised variance and Student's t. Where most units agree, only those that differ say anything:
they alone count as degrees of freedom, so that two or three lucky events claim nothing. Where these agree to the letter, as
three misses that became three finds do, they have no spread at all: it is taken as wide as one more unit makes it that says
the opposite by the least of the differences. Then six that agree claim something and five do not, as in a sign test.

What was tuned by cross-validation was chosen on data that overlap from fold to fold: a lucky choice is lucky in all of them,
and the plain variance is too small by the share of units that are held out over those that are not.

Sources: Cochran 1977, Sampling Techniques, 6.3 (ratio estimator); Nadeau and Bengio 2003, Inference for the Generalization
Error (variance under cross-validation).
"""

from __future__ import annotations

import math

import numpy as np

from tellapart.evaluation.intervals import LEVEL, Estimate, t_quantile
from tellapart.evaluation.scored import Floats

_LEAST = 2
_NONE = 1e-12


def paired_rate(
    before: Floats, after: Floats, of: Floats, *, n_folds: int | None = None, level: float = LEVEL
) -> Estimate:
    """`after` less `before` per unit of `of`, all (n_units,), such as costs and hours; below 0 `after` is less.

    `n_folds` is that of a cross-validation in which `after` was chosen; None: it was chosen elsewhere.
    Without an interval where fewer than two units differ: then nobody can tell. `n` is the number of units that differ.
    """
    total = float(of.sum())
    if total <= 0:
        return Estimate(None, None, None, 0)
    differences = np.asarray(after, np.float64) - before
    differing = int(np.count_nonzero(np.abs(differences) > _NONE))
    value = float(differences.sum()) / total
    if differing < _LEAST:
        return Estimate(value, None, None, differing)
    n = len(of)
    residuals = differences - value * of
    opposite = 2 * float(np.abs(differences[np.abs(differences) > _NONE]).min())
    spread = math.sqrt(n / (n - 1) * max(float(residuals @ residuals), opposite**2)) / total
    if n_folds is not None:
        spread *= math.sqrt(1 + n_folds / (n_folds - 1))
    half = t_quantile((1 + level) / 2, differing - 1) * spread
    return Estimate(value, value - half, value + half, differing, method="t")
