"""How many answers are wrong where nobody should err: label errors, told apart from hard images.

A model errs less the surer it is. Labels err everywhere alike. So the share of labels that contradict the model falls, with
its sureness, towards nothing on clean data, and towards the rate of label errors otherwise. That floor is the lapse rate of
psychometric functions (Wichmann and Hill 2001), fitted here by expectation and maximisation.

A model that is torn between two answers errs in at least half of the cases. Without that bound a curve could be low and
flat, and where classes are easily told apart, wrong labels would pass for a model that errs rarely and everywhere alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Fit = tuple[float, float, float]
"""Rate, offset and steepness."""

_ROUNDS = 200
# Two places from which to climb, as (rate, steepness): few errors on a flat curve; all contradictions errors, on a steep one.
_FEW, _FLAT, _STEEP = 0.02, 1.0, 4.0
_CONVERGED = 1e-5
_NEVER_ZERO = 1e-12
# Beyond that a curve is a step.
_MOST = 20.0
# A weak pull of the curve's steepness towards 0 keeps it finite where sureness parts right from wrong without an overlap.
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Lapses:
    """`rate` of label errors in 0–1; the model errs with the odds exp(offset - steepness · sureness), both 0 or more.

    `evidence` is twice the log-likelihood that the rate adds to a curve that falls to nothing: above 5.4 in 1 of 100 clean
    data sets (half a chi-squared, as the rate lies on its border).
    """

    rate: float
    offset: float
    steepness: float
    evidence: float

    def error(self, sureness: Doubles) -> Doubles:
        """How often the model itself is wrong when it is that sure."""
        return _error(self.offset, self.steepness, sureness)


def fit_lapses(sureness: Doubles, contradicted: NDArray[np.bool_], counts: Doubles | float = 1.0) -> Lapses:
    """From the log odds of the model's first choice, float (n,), and whether the label is another one, bool (n,).

    `counts` (n,) are what answers count as evidence: those about images of one group, which are right or wrong together, count
    as one.
    """
    starts = ((_FEW, _FLAT), (float(contradicted.mean()), _STEEP))
    fits = [_fit(sureness, contradicted, rate, steepness) for rate, steepness in starts]
    plain = _likelihoods(_fit(sureness, contradicted, 0.0, _FLAT), sureness, contradicted)
    best = max(fits, key=lambda fit: _likelihoods(fit, sureness, contradicted).sum())
    gain = counts * (_likelihoods(best, sureness, contradicted) - plain)
    return Lapses(*best, max(0.0, 2 * float(gain.sum())))


def _fit(sureness: Doubles, contradicted: NDArray[np.bool_], rate: float, steepness: float) -> Fit:
    offset = 0.0
    for _ in range(_ROUNDS):
        error = _error(offset, steepness, sureness)
        lapse = contradicted * rate / (rate + (1 - rate) * error + _NEVER_ZERO)
        before, rate = rate, float(lapse.mean())
        offset, steepness = _newton(offset, steepness, sureness, contradicted, 1 - lapse)
        if before and abs(rate - before) < _CONVERGED * before:
            break
    return rate, offset, steepness


def _newton(
    offset: float, steepness: float, sureness: Doubles, contradicted: NDArray[np.bool_], weight: Doubles
) -> tuple[float, float]:
    """Two steps of logistic regression on the share of each image that is no lapse, along the bounds where they are met."""
    columns = np.stack([np.ones_like(sureness), -sureness], axis=1)
    found = np.array([offset, steepness])
    for _ in range(2):
        error = _error(found[0], found[1], sureness)
        slope = columns.T @ (weight * (error - contradicted)) + _RIDGE * found
        curve = (columns * (weight * error * (1 - error))[:, None]).T @ columns + _RIDGE * np.eye(2)
        step = np.linalg.solve(curve, slope)
        if found[0] < step[0]:
            step = np.array([found[0], (slope[1] - curve[1, 0] * found[0]) / curve[1, 1]])
        found = np.clip(found - step, 0, _MOST)
    return float(found[0]), float(found[1])


def _error(offset: float, steepness: float, sureness: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(np.clip(steepness * sureness - offset, -60, 60))), np.float64)


def _likelihoods(fit: Fit, sureness: Doubles, contradicted: NDArray[np.bool_]) -> Doubles:
    rate, offset, steepness = fit
    chance = rate + (1 - rate) * _error(offset, steepness, sureness)
    return np.asarray(np.log(np.where(contradicted, chance, 1 - chance) + _NEVER_ZERO), np.float64)
