"""One number that makes the confidence of scores mean something, where the classes' shares are stated and not fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.calibration import Calibration
from tellapart.heads.objectives import Doubles, Floats
from tellapart.records import Task

# Inverse temperatures outside this range, on scores of a typical margin of 2, come from too little data.
_SHARPEST, _FLATTEST = 20.0, 0.05
_TYPICAL_MARGIN = 2.0


def fit_temperature(logits: Floats, targets: NDArray[np.integer[Any]], *, task: Task, priors: Doubles) -> Calibration:
    """Temperature scaling (Guo et al. 2017) of held-out logits (n, k), n ≥ 1, for binary and multiclass tasks.

    `priors` (k,), sum 1, are how likely each class is beforehand: their logarithm is added to scores that do not know of it.
    Each class counts as its prior says, however many of the n targets (columns, int (n,)) are its own: what is remembered
    of many images may have other shares than they had. Scores of any size will do: they are brought to a typical margin
    first, at which a weak prior holds the temperature.
    """
    scale = _TYPICAL_MARGIN / max(margin(logits), 1e-6)
    scaled, offset = np.asarray(logits, np.float64) * scale, np.log(priors)
    weights = _weights(targets, np.asarray(priors, np.float64))
    slope = _root(scaled, offset, targets, weights)
    temperature = np.full(logits.shape[1], 1 / (slope * scale), np.float32)
    return Calibration(task, temperature, (offset - offset.max()).astype(np.float32))


def margin(logits: Floats) -> float:
    """By how much the best score (of n ≥ 1 rows) typically exceeds the second."""
    first_two = np.sort(np.partition(logits, -2, axis=1)[:, -2:], axis=1)
    return float(np.median(first_two[:, 1] - first_two[:, 0]))


def _weights(targets: NDArray[np.integer[Any]], priors: Doubles) -> Doubles:
    """Sum n."""
    counts = np.bincount(targets, minlength=len(priors))
    each = priors[targets] / counts[targets]
    return np.asarray(each * len(targets) / each.sum())


def _root(scaled: Doubles, offset: Doubles, targets: NDArray[np.integer[Any]], weights: Doubles) -> float:
    """The inverse temperature at which the derivative of the penalised log loss, which rises, is 0."""
    # Costs a start-up nothing: only training comes this way.
    from scipy.optimize import brentq

    own = scaled[np.arange(len(targets)), targets]

    def derivative(slope: float) -> float:
        p = slope * scaled + offset
        p -= p.max(axis=1, keepdims=True)
        np.exp(p, out=p)
        expected = np.einsum("ij,ij->i", p, scaled) / p.sum(axis=1)
        return float(weights @ (expected - own)) + slope - 1

    if derivative(_FLATTEST) >= 0:
        return _FLATTEST
    return _SHARPEST if derivative(_SHARPEST) <= 0 else float(brentq(derivative, _FLATTEST, _SHARPEST, xtol=1e-4))
