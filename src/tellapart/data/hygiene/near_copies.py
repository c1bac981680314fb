"""Which images are one picture twice: resized, recompressed, cropped, in other light, turned a little."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.alignment import contrast_bands, overlap_correlation
from tellapart.data.groups import joined_sets
from tellapart.data.hygiene.protocol import Evidence, Float32, Int64

# The mean of two opinions, each 1 for one picture: of the greys, aligned, and of a network. Of 300 edited copies planted in
# CIFAR-10 three in a hundred lie below (those turned by 3°), of pairs that merely look alike all but a few.
_ALIKE = 0.9
# A network that disagrees has seen something that greys do not tell, such as another colour.
_LEAST_COSINE = 0.8
# Of a larger group not all pairs are compared, a thousand photos of one place having half a million, but each with its nearest.
_ALL_PAIRS_OF, _NEAREST = 32, 8
# Embeddings or cosines held at once.
_AT_ONCE = 2_048
_NEVER_ZERO = 1e-6


def near_copies(evidence: Evidence) -> list[list[int]]:
    """Rows that are one picture, two or more, the first row first; of files with the same bytes only the first counts.

    Looked for among images that are alike by looks (`look_alikes`), so that no all-pairs search is needed.
    """
    pairs = _candidates(evidence)
    if not len(pairs):
        return []
    return joined_sets(map(tuple, pairs[_are_one(evidence, pairs)].tolist()), len(evidence))


def _candidates(evidence: Evidence) -> Int64:
    """Pairs (p, 2) within the groups by looks."""
    assert evidence.look_alikes is not None
    groups: dict[int, list[int]] = defaultdict(list)
    seen = set()
    for row, (sample, group) in enumerate(zip(evidence.dataset.samples, evidence.look_alikes.tolist(), strict=True)):
        if not sample.id or (sample.id, sample.roi) not in seen:
            groups[group].append(row)
        seen.add((sample.id, sample.roi))
    found = [pair for rows in groups.values() for pair in _pairs(evidence, rows)]
    return np.array(found, np.int64).reshape(-1, 2)


def _pairs(evidence: Evidence, rows: Sequence[int]) -> Iterable[tuple[int, int]]:
    if len(rows) <= _ALL_PAIRS_OF:
        return combinations(rows, 2)
    assert evidence.embeddings is not None
    points = _unit(evidence.embeddings[rows] - evidence.embeddings.mean(axis=0))
    found = set()
    for start in range(0, len(rows), _AT_ONCE):
        cosine = points[start : start + _AT_ONCE] @ points.T
        cosine[np.arange(len(cosine)), start + np.arange(len(cosine))] = -2  # not itself
        near = np.argpartition(-cosine, _NEAREST, axis=1)[:, :_NEAREST]
        found |= {(min(i, j), max(i, j)) for i, each in enumerate(near.tolist(), start) for j in each}
    return ((rows[i], rows[j]) for i, j in sorted(found))


def _are_one(evidence: Evidence, pairs: Int64) -> NDArray[np.bool_]:
    cosine = _cosine(evidence, pairs)
    likely = np.flatnonzero(cosine >= _LEAST_COSINE)
    members, place = np.unique(pairs[likely], return_inverse=True)
    thumbnails = evidence.thumbnails[members]
    first, second = place.reshape(-1, 2).T
    grey = overlap_correlation(thumbnails, contrast_bands(thumbnails), first, second)
    alike = np.zeros(len(pairs), bool)
    alike[likely] = (cosine[likely] + grey) / 2 >= _ALIKE
    return alike


def _cosine(evidence: Evidence, pairs: Int64) -> Float32:
    """Of the embeddings' deviations from their mean: what all images share says nothing."""
    assert evidence.embeddings is not None
    mean = evidence.embeddings.mean(axis=0)
    found = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        first, second = (_unit(evidence.embeddings[pairs[part, side]] - mean) for side in (0, 1))
        found[part] = (first * second).sum(axis=1)
    return found


def _unit(vectors: Float32) -> Float32:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _NEVER_ZERO), np.float32)
