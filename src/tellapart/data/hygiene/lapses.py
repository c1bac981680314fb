"""How many answers are wrong where nobody should err: label errors, told apart from hard images.

A model errs less the surer it is. Labels err everywhere alike. So the share of labels that contradict the model falls, with
its sureness, towards nothing on clean data, and towards the rate of label errors otherwise. That floor is the lapse rate of
psychometric functions (Wichmann and Hill 2001), fitted here by expectation and maximisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_ROUNDS = 60
_FIRST_RATE = 0.02
_NEVER_ZERO = 1e-12
# A weak pull of the curve's steepness towards 0 keeps it finite where sureness parts right from wrong without an overlap.
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Lapses:
    """`rate` of label errors in 0–1; the model errs with the odds exp(offset - steepness · sureness).

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


def fit_lapses(sureness: Doubles, contradicted: NDArray[np.bool_]) -> Lapses:
    """From the log odds of the model's first choice, float (n,), and whether the label is another one, bool (n,)."""
    rate, offset, steepness = _fit(sureness, contradicted, _FIRST_RATE)
    _, plain_offset, plain_steepness = _fit(sureness, contradicted, 0.0)
    gain = _likelihood(rate, _error(offset, steepness, sureness), contradicted) - _likelihood(
        0.0, _error(plain_offset, plain_steepness, sureness), contradicted
    )
    return Lapses(rate, offset, steepness, max(0.0, 2 * gain))


def _fit(sureness: Doubles, contradicted: NDArray[np.bool_], rate: float) -> tuple[float, float, float]:
    offset, steepness = 0.0, 1.0
    for _ in range(_ROUNDS):
        error = _error(offset, steepness, sureness)
        lapse = contradicted * rate / (rate + (1 - rate) * error + _NEVER_ZERO)
        rate = float(lapse.mean())
        offset, steepness = _newton(offset, steepness, sureness, contradicted, 1 - lapse)
    return rate, offset, steepness


def _newton(
    offset: float, steepness: float, sureness: Doubles, contradicted: NDArray[np.bool_], weight: Doubles
) -> tuple[float, float]:
    """Two steps of logistic regression on the share of each image that is no lapse."""
    columns = np.stack([np.ones_like(sureness), -sureness], axis=1)
    found = np.array([offset, steepness])
    for _ in range(2):
        error = _error(found[0], found[1], sureness)
        slope = columns.T @ (weight * (error - contradicted)) + _RIDGE * found
        curve = (columns * (weight * error * (1 - error))[:, None]).T @ columns + _RIDGE * np.eye(2)
        found = found - np.linalg.solve(curve, slope)
    return float(np.clip(found[0], -20, 20)), float(np.clip(found[1], 0, 20))


def _error(offset: float, steepness: float, sureness: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(np.clip(steepness * sureness - offset, -60, 60))), np.float64)


def _likelihood(rate: float, error: Doubles, contradicted: NDArray[np.bool_]) -> float:
    chance = rate + (1 - rate) * error
    return float(np.log(np.where(contradicted, chance, 1 - chance) + _NEVER_ZERO).sum())
