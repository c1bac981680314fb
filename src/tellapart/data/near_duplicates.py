"""Which pictures show the same thing: near-duplicates, frames of one sequence, the same object photographed again.

Found by looks alone, never by file names. Every picture is compared with its nearest neighbours only, so the time grows
almost linearly: descriptors that stand light and small shifts find the candidates, an alignment of each candidate pair
decides (`alignment`). The worst error would be a chain of chance likenesses that swallows half the data, hence two
guards: the threshold lies above what unrelated pictures of this very data set reach (pictures of one station all share
its background), and groups are joined by the mean of their members' similarities, not by a single pair (average linkage).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.alignment import Bands, compare, contrast_bands, descriptors
from tellapart.data.groups import combine_groups
from tellapart.data.hygiene.neighbours import nearest

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]

VERSION = 3
"""Raised when the same thumbnails begin to give other groups: results are cached under it."""

NEIGHBOURS = 8
# Chosen on the magnetic tiles (six exposures of each, cropped by hand): below 0.5 groups begin to hold tiles that merely
# look alike, above it groups fall apart. On CIFAR-10 not one group of two classes appears, down to 0.4.
# The ceiling matters where a few objects were photographed often: then random pairs are often the same object, and their
# quantile says too much. On generated bottles before one background (12 x 20 to 100 x 4 photos) 0.74 still finds 93 % of
# the pairs and more. What it joins too much costs a little balance; what is torn apart would leak.
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.5, 0.74
# Most of the data in one group would leave nothing to judge by: then it is the pictures that are alike, not the object.
_LARGEST_SHARE, _ALWAYS_ALLOWED = 0.6, 12
_RAISED = (0.78, 0.82, 0.86, 0.9, 0.95)
# How far above the 95 % quantile of random pairs the threshold lies, in parts of that quantile's distance to the median.
_MARGIN = 0.4
_RANDOM_PAIRS = 1200
_LEAST_COSINE = 0.6
# Up to here all are compared with all, which takes 15 s on one core; above, with those in the cells around them.
_MOST_COMPARED = 25_000
# Cosines held at once: 2^24 take 64 MiB, and the places of the nearest among them twice as much.
_BLOCK_COSINES, _SMALLEST_BLOCK = 1 << 24, 32
_PAIRS_PER_CALL = 1024


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Groups int64 (n,): equal numbers belong together, numbered by first occurrence.

    `pairs` int64 (p, 2) with `similarity` float32 (p,) in -1 to 1 and `offset` float32 (p, 2), (x, y) in parts of the
    picture's side, are the comparisons within groups that reached `threshold`. `undecided` bool (n,) marks pictures that
    stand alone though another one is nearly like them: whether they show the same thing cannot be told by looks.
    """

    groups: Int64
    undecided: NDArray[np.bool_]
    pairs: Int64
    similarity: Float32
    offset: Float32
    threshold: float


def same_object_groups(
    thumbnails: NDArray[np.uint8], *, ids: Sequence[str] | None = None, neighbours: int = NEIGHBOURS, workers: int = 2
) -> NearDuplicates:
    """Group thumbnails uint8 (n, s, s) of `image.thumbnail`, s a multiple of 16, that show the same thing.

    Equal `ids` (sha256 of the files) are put together without looking. Deterministic; measured figures are in
    docs/splits.md.
    """
    n = len(thumbnails)
    if n < 2:
        return NearDuplicates(np.arange(n), np.zeros(n, bool), *_nothing(), LOWEST_THRESHOLD)
    bands = contrast_bands(thumbnails)
    first, second = _candidates(descriptors(bands), neighbours)
    threshold = _threshold(bands, workers)
    similarity, offset = _compare_all(bands, first, second, workers)
    looks, threshold = _linked(n, first, second, similarity, threshold)
    groups = combine_groups(looks, ids) if ids is not None else combine_groups(looks)
    shown = (similarity >= threshold) & (groups[first] == groups[second])
    pairs = np.stack([first, second], axis=1)[shown]
    undecided = _undecided(groups, first, second, similarity)
    return NearDuplicates(groups, undecided, pairs, similarity[shown], offset[shown], threshold)


def _linked(n: int, first: Int64, second: Int64, similarity: Float32, threshold: float) -> tuple[Int64, float]:
    """Groups, and the threshold they were made with: raised while one group would swallow most of the data."""
    for raised in (threshold, *(step for step in _RAISED if step > threshold)):
        looks = _average_linkage(n, first, second, similarity, raised)
        if np.bincount(looks).max() <= max(_LARGEST_SHARE * n, _ALWAYS_ALLOWED):
            break
    return looks, raised


def _undecided(groups: Int64, first: Int64, second: Int64, similarity: Float32) -> NDArray[np.bool_]:
    best = np.full(len(groups), -1, np.float32)
    np.maximum.at(best, first, similarity)
    np.maximum.at(best, second, similarity)
    alone = np.bincount(groups)[groups] == 1
    return np.asarray(alone & (best >= LOWEST_THRESHOLD))


def _nothing() -> tuple[Int64, Float32, Float32]:
    return np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros((0, 2), np.float32)


def _candidates(vectors: Float32, neighbours: int) -> tuple[Int64, Int64]:
    """Each picture with its nearest others by cosine, each pair once, smaller index first."""
    n = len(vectors)
    k = min(neighbours, n - 1)
    pairs = np.unique(_by_cells(vectors, k) if n > _MOST_COMPARED else _by_comparing_all(vectors, k))
    return (pairs // n).astype(np.int64), (pairs % n).astype(np.int64)


def _by_comparing_all(vectors: Float32, k: int) -> Int64:
    """Pairs as smaller index times n plus the larger; twice where both are near to each other."""
    n = len(vectors)
    found = []
    block = max(_SMALLEST_BLOCK, _BLOCK_COSINES // n)
    for start in range(0, n, block):
        cosine = vectors[start : start + block] @ vectors.T
        rows = np.arange(len(cosine))
        cosine[rows, start + rows] = -2  # not itself
        near = np.argpartition(cosine, n - k, axis=1)[:, n - k :]
        close = np.take_along_axis(cosine, near, axis=1) >= _LEAST_COSINE
        one, other = np.repeat(start + rows, k)[close.ravel()], near.ravel()[close.ravel()]
        found.append(np.minimum(one, other) * n + np.maximum(one, other))
    return np.concatenate(found)


def _by_cells(vectors: Float32, k: int) -> Int64:
    """The same in near-linear time: of 30,000 photos 0.2 % of the pairs with a cosine of 0.7 are missed, none of 0.9."""
    n = len(vectors)
    found = nearest(np.ascontiguousarray(vectors), np.arange(n), k)
    one, place = np.nonzero(found.similarity >= _LEAST_COSINE)
    other = found.rows[one, place]
    return np.asarray(np.minimum(one, other) * n + np.maximum(one, other), np.int64)


def _threshold(bands: Bands, workers: int) -> float:
    """Similarity that unrelated pictures of this data set hardly ever reach.

    Random pairs tell: of a data set of twenty objects or more, those that do belong together are too few to count.
    """
    n = len(bands.fine)
    rng = np.random.default_rng(0)
    first = rng.integers(n, size=_RANDOM_PAIRS)
    second = (first + rng.integers(1, n, size=_RANDOM_PAIRS)) % n
    similarity, _ = _compare_all(bands, first, second, workers)
    middle, high = np.quantile(similarity, [0.5, 0.95])
    return float(np.clip(high + _MARGIN * (high - middle), LOWEST_THRESHOLD, HIGHEST_THRESHOLD))


def _compare_all(bands: Bands, first: Int64, second: Int64, workers: int) -> tuple[Float32, Float32]:
    """`compare` in parts, on several threads: numpy's products release the interpreter lock."""
    parts = [slice(start, start + _PAIRS_PER_CALL) for start in range(0, len(first), _PAIRS_PER_CALL)]
    if not parts:
        return _nothing()[1:]
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(lambda part: compare(bands, first[part], second[part]), parts))
    return np.concatenate([similarity for similarity, _ in done]), np.concatenate([offset for _, offset in done])


def _average_linkage(n: int, first: Int64, second: Int64, similarity: Float32, threshold: float) -> Int64:
    """Join groups, best pair first, while the mean similarity of all compared pairs between them reaches the threshold."""
    neighbours: list[dict[int, float]] = [{} for _ in range(n)]
    for i, j, value in zip(first.tolist(), second.tolist(), similarity.tolist(), strict=True):
        neighbours[i][j] = neighbours[j][i] = value
    group, members = list(range(n)), [[i] for i in range(n)]
    order = np.argsort(-similarity, kind="stable")
    for place in order[: int((similarity >= threshold).sum())].tolist():
        a, b = group[first[place]], group[second[place]]
        if a == b:
            continue
        small, large = sorted((a, b), key=lambda g: len(members[g]))
        between = [value for i in members[small] for j, value in neighbours[i].items() if group[j] == large]
        if sum(between) / len(between) >= threshold:
            for i in members[small]:
                group[i] = large
            members[large] += members[small]
            members[small] = []
    return np.array(group, np.int64)
