"""Images of which a head is least sure, spread over what they show."""

from __future__ import annotations

import numpy as np

from tellapart.data.suggest.clusters import Clusters
from tellapart.data.suggest.pool import Floats, Ints, Pool

# How many times more images than are wanted are clustered. With 4 to 20 the curves on CIFAR-10 and the magnetic tiles are
# the same within their spread; with all images in it uncertainty no longer counts, and they are those of random choice.
_WIDTH = 10


def least_sure(pool: Pool, margins: Floats, n: int, seed: int) -> Ints:
    """Up to `n` rows int64 of images with small `margins` float32 (n,) (0 torn between two answers, 1 sure), no two alike.

    The least sure are put into `n` clusters, in which doubt counts, and each cluster gives the image at its centre
    (Zhdanov, "Diverse mini-batch active learning", 2019). The least sure comes first.
    """
    rows = pool.rows
    candidates = pool.distinct(rows[np.argsort(margins[rows], kind="stable")], _WIDTH * n)
    if len(candidates) > n:
        centres = _centres(pool.points[candidates], 1 - margins[candidates], n, seed)
        # Fewer clusters than wanted hold anything where points coincide: the least sure of the rest fill up.
        candidates = np.concatenate([candidates[centres], np.delete(candidates, centres)])[:n]
    return candidates[np.argsort(margins[candidates], kind="stable")]


def _centres(points: Floats, doubts: Floats, n: int, seed: int) -> Ints:
    weights = np.maximum(doubts, 1e-3).astype(np.float32)  # k-means takes no weight of 0
    found = Clusters.find(points, n, seed, weights=weights)
    filled = (found.members(cluster) for cluster in range(found.n_clusters))
    return np.array([places[0] for places in filled if len(places)], np.int64)
