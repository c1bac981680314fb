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
# A picture of one place photographed a thousand times has half a million pairs: beyond this many, neighbours in the order of
# the embeddings' main direction are compared.
_ALL_PAIRS_OF, _NEIGHBOURS = 64, 16
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
    points = evidence.embeddings[rows] - evidence.embeddings[rows].mean(axis=0)
    main = np.linalg.svd(points, full_matrices=False)[2][0]
    order = np.argsort(points @ main, kind="stable").tolist()
    near = ((order[i], order[j]) for i in range(len(order)) for j in range(i + 1, min(i + _NEIGHBOURS, len(order))))
    return ((rows[min(i, j)], rows[max(i, j)]) for i, j in near)


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
    first, second = (evidence.embeddings[pairs[:, side]] - mean for side in (0, 1))
    length = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / np.maximum(length, _NEVER_ZERO), np.float32)
