"""k-means on the points of a pool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tellapart.data.suggest.pool import Floats, Ints

_ITERATIONS = 15
# faiss takes 31 bits.
_MOST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Clusters:
    """Cluster of each of n points (`of`, int64 (n,), 0 to `n_clusters` - 1; some may be empty) and how far it lies from
    that cluster's centre (`distances`, float32 (n,), squared)."""

    of: Ints
    distances: Floats
    n_clusters: int

    @classmethod
    def find(cls, points: Floats, n_clusters: int, seed: int, *, weights: Floats | None = None) -> Clusters:
        """One or more, at most as many as there are points; `weights` float32 (n,) > 0 say how much each point counts."""
        # Loaded here: 0.4 s that only those pay who ask for suggestions.
        import faiss

        n_clusters = max(1, min(n_clusters, len(points)))
        means = faiss.Kmeans(
            points.shape[1],
            n_clusters,
            niter=_ITERATIONS,
            seed=seed % _MOST_SEED + 1,  # 0 would mean a seed of its own
            min_points_per_centroid=1,  # of few points a warning would be printed
            max_points_per_centroid=len(points),
        )
        means.train(points, weights=weights)
        distances, nearest = means.index.search(points, 1)
        return cls(nearest[:, 0].astype(np.int64), distances[:, 0], n_clusters)

    def members(self, cluster: int) -> Ints:
        """Places of a cluster's points, the nearest to its centre first."""
        places = np.flatnonzero(self.of == cluster)
        return places[np.argsort(self.distances[places], kind="stable")]
