"""k-means by faiss, and how many clusters to ask it for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.clusters.silhouette import CLEAR, silhouette

MOST = 40
_CANDIDATES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40)
_CHOSEN_ON = 10_000
_ITERATIONS, _STARTS = 25, 3
# faiss takes 31 bits.
_MOST_SEED = 2**31 - 1

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Number:
    """How many clusters, the mean silhouette (-1 to 1) of the best number tried (None: too few points), and why."""

    k: int
    silhouette: float | None
    why: str


def kmeans(points: Floats, k: int, *, seed: int = 0) -> Ints:
    """Cluster 0 … k-1 of points float32 (n, d), k ≤ n: Lloyd's algorithm, the best of three starts by k-means++.

    The same points in the same order give the same clusters, whatever the number of threads that others use.
    """
    # Loaded here: 0.4 s that only those pay who ask for clusters.
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        found = min((_once(points, k, seed + start) for start in range(_STARTS)), key=lambda one: one[0])
    finally:
        faiss.omp_set_num_threads(threads)
    return np.unique(found[1], return_inverse=True)[1].astype(np.int64)


def _once(points: Floats, k: int, seed: int) -> tuple[float, Ints]:
    """The sum of squared distances that one start ends with, and the clusters."""
    import faiss

    values = np.ascontiguousarray(points, np.float32)
    means = faiss.Kmeans(
        values.shape[1],
        k,
        niter=_ITERATIONS,
        seed=seed % _MOST_SEED + 1,  # 0 would mean a seed of its own
        min_points_per_centroid=1,  # of few points a warning would be printed
        max_points_per_centroid=10**9,  # no sample is taken: all points count
    )
    means.train(values, init_centroids=_spread_start(values, k, seed))
    squares, nearest = means.index.search(values, 1)
    return float(squares.sum()), nearest[:, 0]


def _spread_start(points: Floats, k: int, seed: int) -> Floats:
    """k of the points by greedy k-means++: of a few, drawn with odds by the squared distance to those before, the best.

    (Arthur and Vassilvitskii 2007, section 4: 2 + log k at a time.)
    """
    rng = np.random.default_rng(seed)
    tries = 2 + int(math.log(k))
    chosen = [int(rng.integers(len(points)))]
    squares = _squares(points, chosen[0])
    while len(chosen) < k:
        total = squares.sum()
        odds = squares / total if total > 0 else None  # nothing but copies is left: any will do
        drawn = rng.choice(len(points), size=tries, p=odds).tolist()
        left = [np.minimum(squares, _squares(points, row)) for row in drawn]
        best = min(range(tries), key=lambda place: float(left[place].sum()))
        chosen.append(drawn[best])
        squares = left[best]
    return points[chosen]


def _squares(points: Floats, row: int) -> NDArray[np.float64]:
    return np.asarray(((points - points[row]) ** 2).sum(axis=1, dtype=np.float64))


def choose_number(points: Floats, *, seed: int = 0) -> Number:
    """Choose how many clusters (1 to 40) suit points float32 (n, d).

    The number with the highest mean silhouette (Rousseeuw 1987), computed on at most 2,000 points for 18 numbers from 2 to 40,
    where that is above `CLEAR`. Where it is not, the points lie in one cloud that no number cuts well (the silhouette
    would nearly always say 2): then so many that the pieces can be looked at, a fifth of the root of n, 2 to 30.
    """
    n = len(points)
    if n < 4:
        return Number(1, None, "there are too few different images to tell groups apart")
    chosen = points[np.sort(np.random.default_rng(seed).permutation(n)[:_CHOSEN_ON])]
    scores = {}
    for k in _CANDIDATES:
        if 2 * k > len(chosen):
            break
        score = silhouette(chosen, kmeans(chosen, k, seed=seed), seed=seed)
        if score is not None:
            scores[k] = score
    if not scores:
        return Number(1, None, "the images do not differ in anything that tells groups apart")
    best = max(scores, key=lambda k: (scores[k], -k))
    if scores[best] > CLEAR:
        why = f"of 2 to {max(scores)} clusters {best} have the highest mean silhouette ({scores[best]:.2f})"
        return Number(best, scores[best], why)
    by_size = int(np.clip(round(math.sqrt(n) / 5), 2, 30))
    at_best = f"mean silhouette at best {scores[best]:.2f}"
    why = f"no number of clusters stands out ({at_best}), so {by_size} pieces were cut to look at"
    return Number(by_size, scores[best], why)
