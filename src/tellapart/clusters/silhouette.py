"""How well points lie within their clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLEAR = 0.25
"""Mean silhouettes up to this mean "no substantial structure" (Kaufman and Rousseeuw, Finding Groups in Data, 1990)."""
_JUDGED_ON = 2_000


def silhouette(points: NDArray[np.float32], of: NDArray[np.int64], *, seed: int = 0) -> float | None:
    """Mean silhouette (Rousseeuw 1987; -1 to 1) of points float32 (n, d) in clusters int64 (n,), on at most 2,000 of them.

    A point of no cluster (-1) counts as 0, which is that of a point halfway between two. None where there are not two clusters.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(points))[:_JUDGED_ON])
    placed = rows[of[rows] >= 0]
    if not 2 <= len(np.unique(of[placed])) < len(placed):
        return None
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(points[placed], of[placed])) * len(placed) / len(rows)
