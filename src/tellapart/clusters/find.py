"""Clusters of vectors by k-means or HDBSCAN, whichever suits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tellapart.clusters.density import hdbscan, smallest_size
from tellapart.clusters.kmeans import choose_number, kmeans
from tellapart.clusters.points import reduced, representatives
from tellapart.clusters.silhouette import silhouette
from tellapart.errors import Reason, SettingsError

Method = Literal["auto", "kmeans", "hdbscan"]
METHODS: tuple[Method, ...] = get_args(Method)
NONE = -1
# HDBSCAN is considered where it finds a place for most images, and does not put most of them into one cluster.
_MOST_SHARE = 2 / 3
# Its time grows with the square of their number: above that many it must be asked for by name.
_AUTO_POINTS = 10_000

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of n vectors.

    `of` is int64 (n,): 0 … `n_clusters`-1, the largest cluster first, or -1 for none. `points` float32 (n, at most 50) are
    the principal components in which they were found, `stands_for` int64 (n,) the row that stands for each (itself, or a
    near-duplicate of its group). `how` says in words how they came about, `facts` in plain JSON.
    """

    of: Ints
    points: NDArray[np.float32]
    stands_for: Ints
    method: str
    how: str
    facts: Mapping[str, Any]

    @property
    def n_clusters(self) -> int:
        """How many there are; "none" is not one."""
        return int(self.of.max(initial=NONE)) + 1

    @property
    def sizes(self) -> Ints:
        """Images in each, int64 (n_clusters,), near-duplicates and all."""
        return np.bincount(self.of[self.of >= 0], minlength=self.n_clusters).astype(np.int64)


def find_clusters(
    vectors: NDArray[np.floating],
    *,
    method: Method = "auto",
    k: int | None = None,
    min_size: int | None = None,
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> Clusters:
    """Find groups among vectors (n, d), n ≥ 1, of any length; the same vectors and seed give the same clusters.

    `k` asks k-means for so many, `min_size` is how many different images make a cluster of HDBSCAN. `groups`, one value per row
    or None, say what may be near-duplicates: these count once, and share a cluster. `auto` takes k-means where `k` is given and
    HDBSCAN where `min_size` is, else that of the two with the higher mean silhouette (an image of no cluster counts as 0), but
    HDBSCAN only where it places two thirds of the images with none of its clusters holding two thirds of those.

    Raises:
        SettingsError: `bad_setting` for an unknown method, a number that cannot be, or one that the method does not know.
    """
    _check(method, k, min_size)
    points = reduced(vectors, seed=seed)
    stands = representatives(vectors, points, groups, seed=seed)
    rows, place = np.unique(stands, return_inverse=True)
    few = points[rows]
    if method == "hdbscan" or min_size is not None:
        found = _density(few, min_size, seed)
    else:
        found = _means(few, k, seed)
        if method == "auto" and k is None and len(few) <= _AUTO_POINTS:
            dense = _density(few, min_size, seed)
            found = dense if _is_better(few, dense.of, found.of, seed) else found
    facts = {"method": found.method, **found.facts, "different_images": len(rows)}
    return Clusters(_by_size(found.of[place]), points, stands, found.method, found.how, facts)


@dataclass(frozen=True, slots=True)
class _Found:
    of: Ints
    method: str
    how: str
    facts: Mapping[str, Any]


def _means(points: NDArray[np.float32], k: int | None, seed: int) -> _Found:
    if k is not None:
        most = min(k, len(points))
        told = f"k-means, {most:,} clusters as asked for"
        if most < k:
            told = f"k-means, {most:,} clusters: there are no more different images"
        return _Found(kmeans(points, most, seed=seed), "kmeans", told, {"k": most, "asked_for": k})
    number = choose_number(points, seed=seed)
    facts = {"k": number.k, "silhouette": None if number.silhouette is None else round(number.silhouette, 4)}
    return _Found(kmeans(points, number.k, seed=seed), "kmeans", f"k-means; {number.why}", facts)


def _density(points: NDArray[np.float32], min_size: int | None, seed: int) -> _Found:
    least = smallest_size(len(points)) if min_size is None else min_size
    told = f"HDBSCAN, clusters of at least {least:,} different images"
    return _Found(hdbscan(points, least, seed=seed), "hdbscan", told, {"min_size": least})


def _is_better(points: NDArray[np.float32], dense: Ints, means: Ints, seed: int) -> bool:
    if not _convincing(dense):
        return False
    dense_score, score = silhouette(points, dense, seed=seed), silhouette(points, means, seed=seed)
    return dense_score is not None and (score is None or dense_score >= score)


def _convincing(of: Ints) -> bool:
    sizes = np.bincount(of[of >= 0])
    return len(sizes) > 1 and sizes.sum() >= _MOST_SHARE * len(of) and sizes.max() <= _MOST_SHARE * sizes.sum()


def _by_size(of: Ints) -> Ints:
    """The clusters numbered anew, the largest 0; of two as large that which is met first."""
    names, first, sizes = np.unique(of[of >= 0], return_index=True, return_counts=True)
    rank = np.full(int(of.max(initial=NONE)) + 2, NONE, np.int64)  # the last entry is that of -1
    rank[names[np.lexsort((first, -sizes))]] = np.arange(len(names))
    return rank[of]


def _check(method: str, k: int | None, min_size: int | None) -> None:
    if method not in METHODS:
        raise SettingsError(Reason.BAD_SETTING, f"a method is {', '.join(METHODS)}, got {method!r}")
    if k is not None and k < 1:
        raise SettingsError(Reason.BAD_SETTING, f"the number of clusters is 1 or more, got {k}")
    if min_size is not None and min_size < 2:
        raise SettingsError(Reason.BAD_SETTING, f"a cluster has 2 images or more, got a smallest size of {min_size}")
    if method == "hdbscan" and k is not None:
        raise SettingsError(
            Reason.BAD_SETTING, "HDBSCAN finds the number of clusters itself; give the smallest size, or take kmeans"
        )
    if min_size is not None and (method == "kmeans" or k is not None):
        raise SettingsError(Reason.BAD_SETTING, "a smallest size is for HDBSCAN; k-means takes the number of clusters")
