"""Which images show what a cluster is, and which of them fit it least."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.clusters.find import Clusters

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def distances(clusters: Clusters) -> Floats:
    """How far each image lies from the centre of its cluster, float32 (n,), 1 for the median of the cluster.

    For an image of no cluster it is the smallest such value over all clusters; NaN where there are no clusters.
    """
    far = np.full(len(clusters.of), np.nan, np.float32)
    for cluster in range(clusters.n_clusters):
        members = clusters.of == cluster
        asked = members | (clusters.of < 0)
        away = np.linalg.norm(clusters.points[asked] - clusters.points[members].mean(axis=0), axis=1)
        usual = float(np.median(away[members[asked]]))
        away = away / usual if usual > 0 else np.where(away > 0, 2.0, 1.0)
        far[asked] = np.where(members[asked], away, np.fmin(far[asked], away))
    return far


def typical(clusters: Clusters, far: Floats, cluster: int, n: int) -> Ints:
    """At most `n` rows of a cluster, the nearest to its centre first; of near-duplicates one."""
    rows = _of(clusters, cluster)
    return rows[np.argsort(far[rows], kind="stable")[:n]]


def unusual(clusters: Clusters, far: Floats, cluster: int, n: int) -> Ints:
    """At most `n` rows of a cluster, the farthest from its centre first; of near-duplicates one."""
    rows = _of(clusters, cluster)
    return rows[np.argsort(-far[rows], kind="stable")[:n]]


def _of(clusters: Clusters, cluster: int) -> Ints:
    own = clusters.stands_for == np.arange(len(clusters.of))
    return np.flatnonzero((clusters.of == cluster) & own)
