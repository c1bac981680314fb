"""What a score of images like the known ones looks like: parts to hold out, and the value few further images exceed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.objectives import Floats

# Detectors fitted for the threshold: few samples want most of them in each, many can spare some for time.
_CROSS_FITS, _CROSS_FITS_MANY, _MANY = 5, 3, 2_000


def parts(folds: NDArray[np.int64], n: int) -> list[NDArray[np.bool_]]:
    """Masks of samples to hold out: the folds, merged to five or three; none where there is nothing to learn from."""
    names = np.unique(folds[folds >= 0])
    if len(names) == 0 or (len(names) == 1 and (folds >= 0).all()):
        return []
    cross_fits = min(len(names), _CROSS_FITS if n < _MANY else _CROSS_FITS_MANY)
    part = np.where(folds >= 0, np.searchsorted(names, folds) % cross_fits, -1)
    return [part == fold for fold in range(cross_fits)]


def quantile_of_distances(distances: Floats, share: float) -> float:
    """Distance > 0 that about `share` of further samples exceeds: an order statistic, or its extrapolation."""
    logs = np.log(np.maximum(distances.astype(np.float64), 1e-12))
    return float(np.exp(quantile(logs, share)))


def quantile(scores: NDArray[np.floating], share: float) -> float:
    """Score that about `share` of further samples exceeds; with too few for an order statistic as of a normal spread."""
    ordered = np.sort(scores.astype(np.float64))
    n = len(ordered)
    place = int(np.ceil((n + 1) * (1 - share))) - 1
    if place < n:
        return float(ordered[place])
    # The standard library's statistics costs a start-up nothing here: only training comes this way.
    from statistics import NormalDist

    spread = float(ordered.std(ddof=1)) if n > 1 else 0.0
    # Mean and spread of few samples are uncertain themselves: the normal quantile is widened as for a t distribution.
    far = NormalDist().inv_cdf(1 - share) * np.sqrt(1 + 1 / n) * (1 + 2.0 / n)
    return max(float(ordered[-1]), float(ordered.mean() + far * spread))
