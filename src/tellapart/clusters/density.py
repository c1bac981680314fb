"""HDBSCAN by scikit-learn: clusters are dense places, and what lies between them belongs to none."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# In more dimensions all points are about equally far apart, and no place is denser than another.
DIMENSIONS = 20
MOST_POINTS = 20_000
_NEIGHBOURS = 5

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def smallest_size(n: int) -> int:
    """How many images make a cluster where nobody says: a quarter of the root of n, at least 5."""
    return max(5, round(math.sqrt(n) / 4))


def hdbscan(points: Floats, min_size: int | None = None, *, seed: int = 0) -> Ints:
    """Cluster of each of n points float32 (n, d), widest dimension first, or -1 for none.

    (Campello, Moulavi, Sander 2013; clusters by excess of mass.) Only the first 20 dimensions count. Above 20,000 points the
    clusters are those of a random 20,000, and any other point has the cluster of the nearest of them.
    """
    from sklearn.cluster import HDBSCAN

    values = np.ascontiguousarray(points[:, :DIMENSIONS], np.float64)
    least = smallest_size(len(points)) if min_size is None else min_size
    rows = np.sort(np.random.default_rng(seed).permutation(len(values))[:MOST_POINTS])
    if len(rows) <= least:
        return np.full(len(values), -1, np.int64)
    neighbours = min(_NEIGHBOURS, least)
    found = HDBSCAN(min_cluster_size=least, min_samples=neighbours, copy=True).fit_predict(values[rows])
    if len(rows) == len(values):
        return np.asarray(found, np.int64)
    from sklearn.neighbors import KNeighborsClassifier

    return np.asarray(KNeighborsClassifier(1).fit(values[rows], found).predict(values), np.int64)
