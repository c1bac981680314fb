"""Vectors made ready for clustering: length 1, few dimensions, and one image for many that are all but the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 50
# Principal components of so many images are those of all of them, to what a map or a cluster can show.
_FITTED_ON = 20_000
# Images as near as this share of what is usual between neighbours, in one group, are one thing seen twice.
# A larger group is a camera or a day, and its images are not compared with one another: that would take long.
MOST_TOGETHER = 500
_TWIN_SHARE, _USUAL_NEIGHBOUR, _USUAL_ROWS = 0.5, 10, 1_000
# Vectors of length 1 that differ by no more point the same way, but for the rounding of float32.
_ROUNDING = 1e-6

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def reduced(vectors: NDArray[np.floating], dimensions: int = DIMENSIONS, *, seed: int = 0) -> Floats:
    """Principal components of vectors (n, d) brought to length 1: float32 (n, at most `dimensions`), widest first.

    Distances then follow the angle between vectors, and the dimensions that hold mere noise are gone.
    """
    values = _unit(np.asarray(vectors, np.float32))
    rows = np.sort(np.random.default_rng(seed).permutation(len(values))[:_FITTED_ON])
    most = min(dimensions, len(rows) - 1, values.shape[1])
    if most < 1 or not (np.abs(values[rows] - values[rows[0]]) > _ROUNDING).any():
        return np.zeros((len(values), 1), np.float32)
    from sklearn.decomposition import PCA

    found = PCA(most, random_state=seed % 2**32).fit(values[rows])
    return np.ascontiguousarray(found.transform(values), np.float32)


def _unit(values: Floats) -> Floats:
    """Rows brought to length 1, however long they are; those of zeros stay."""
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0)
    # The squares of large or small numbers would leave float32.
    even = values / np.where(largest > 0, largest, np.float32(1))
    lengths = np.linalg.norm(even, axis=1, keepdims=True)
    return np.asarray(even / np.where(lengths > 0, lengths, np.float32(1)), np.float32)


def representatives(
    vectors: NDArray[np.floating], points: Floats, groups: Sequence[object] | None = None, *, seed: int = 0
) -> Ints:
    """The row that stands for each of n vectors (n, D), reduced to points (n, d), int64 (n,); most stand for themselves.

    Equal vectors are one. Points of one known group (None: alone) are one when they are nearer than half of what is usual
    between an image and its tenth neighbour: ten frames of one part are then one thing, while two parts before
    one camera stay two. Groups of more than 500 are not looked at. The first row of each stands for the others.
    """
    stands = _first_equal(vectors)
    if groups is None or not any(group is not None for group in groups):
        return stands
    members: dict[object, list[int]] = defaultdict(list)
    for row in np.flatnonzero(stands == np.arange(len(points))).tolist():
        if groups[row] is not None:
            members[groups[row]].append(row)
    radius = _TWIN_SHARE * _usual_distance(points, seed)
    for rows in (rows for rows in members.values() if 1 < len(rows) <= MOST_TOGETHER):
        for row, first in _thinned(points, rows, radius):
            stands[row] = first
    return stands[stands]


def _first_equal(vectors: NDArray[np.floating]) -> Ints:
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(vector.tobytes(), row) for row, vector in enumerate(vectors)], np.int64)


def _usual_distance(points: Floats, seed: int) -> float:
    """Median distance to the tenth neighbour, of at most 1,000 points."""
    rows = np.random.default_rng(seed).permutation(len(points))[:_USUAL_ROWS]
    place = min(_USUAL_NEIGHBOUR, len(points) - 1)
    return float(np.median([np.partition(np.linalg.norm(points - points[row], axis=1), place)[place] for row in rows]))


def _thinned(points: Floats, rows: Sequence[int], radius: float) -> list[tuple[int, int]]:
    """Rows that lie within `radius` of an earlier one that was kept, with that one."""
    kept: list[int] = []
    near = []
    for row in rows:
        distances = np.linalg.norm(points[kept] - points[row], axis=1)
        if len(kept) and distances.min() < radius:
            near.append((row, kept[int(distances.argmin())]))
        else:
            kept.append(row)
    return near
