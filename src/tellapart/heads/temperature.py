"""A temperature and offsets that make confidence mean something where the classes' shares are stated, not those at hand."""

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
# As in `calibration`: an offset is believed as if so many samples had said it is 0. Of more classes than this none is fitted.
_OFFSET_PRIOR, _LARGEST_OFFSET, _MOST_OFFSETS = 30.0, 10.0, 1_000


def fit_temperature(logits: Floats, targets: NDArray[np.integer[Any]], *, task: Task, priors: Doubles) -> Calibration:
    """Temperature (Guo et al. 2017) and offsets (Alexandari et al. 2020) from held-out logits (n, k), n ≥ 1, one label each.

    `priors` (k,), sum 1, are how likely each class is beforehand: their logarithm is added to scores that do not know of it.
    Each class counts as its prior says, however many of the n targets (columns, int (n,)) are its own: what is remembered
    of many images may have other shares than they had. Scores of any size will do: they are brought to a typical margin
    first, at which a weak prior holds the temperature.
    """
    scale = _TYPICAL_MARGIN / max(margin(logits), 1e-6)
    scaled, prior = np.asarray(logits, np.float64) * scale, np.log(priors)
    slope, moved = _fitted(scaled, prior, targets, _weights(targets, np.asarray(priors, np.float64)))
    temperature, offset = np.full(logits.shape[1], 1 / (slope * scale), np.float32), prior + moved
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


def _fitted(
    scaled: Doubles, prior: Doubles, targets: NDArray[np.integer[Any]], weights: Doubles
) -> tuple[float, Doubles]:
    """Inverse temperature and offsets (k,) of the least penalised log loss, a convex function."""
    # Costs a start-up nothing: only training comes this way.
    from scipy.optimize import minimize

    rows, k = np.arange(len(targets)), len(prior)
    free = k if k <= _MOST_OFFSETS else 0

    def loss(at: Doubles) -> tuple[float, Doubles]:
        moved = at[1:] if free else np.zeros(k)
        z = at[0] * scaled + prior + moved
        z -= z.max(axis=1, keepdims=True)
        own, p = z[rows, targets], np.exp(z)
        total = p.sum(axis=1)
        value = weights @ (np.log(total) - own) + 0.5 * (at[0] - 1) ** 2 + 0.5 * _OFFSET_PRIOR * moved @ moved
        residual = p * (weights / total)[:, None]
        residual[rows, targets] -= weights
        slope = np.vdot(residual, scaled) + at[0] - 1
        gradient = np.append(slope, residual.sum(axis=0) + _OFFSET_PRIOR * moved) if free else np.array([slope])
        return float(value), gradient

    limits = [(_FLATTEST, _SHARPEST), *[(-_LARGEST_OFFSET, _LARGEST_OFFSET)] * free]
    start = np.append(1.0, np.zeros(free))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 200}).x
    return float(found[0]), np.asarray(found[1:] if free else np.zeros(k))
