"""New images that look like ones a model knows: the same part photographed again belongs where it was, on either side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.near_duplicates import same_object_groups
from tellapart.workflows.classes.rows import Rows
from tellapart.workflows.embedding import EmbeddedDataset

ALONE = -1
# What looks alike is near to a network too: so many remembered images are compared with each new one by their looks.
_CANDIDATES = 24
# Cosines held at once.
_BLOCK = 1 << 22

Ints = NDArray[np.int64]


def known_groups(rows: Rows, images: EmbeddedDataset, groups: Ints) -> Ints:
    """The group number of the remembered images that each new one belongs to, `ALONE` where it belongs to none, int64 (n,).

    `groups` (n,) are those of the new images among themselves; they stay together.
    """
    candidates = _candidates(rows, images)
    found = np.full(len(images.embeddings), ALONE, np.int64)
    if not len(candidates):
        return found
    pictures = np.concatenate([rows.thumbnails[candidates], images.thumbnails])
    at = np.flatnonzero(rows.has_picture)[candidates]
    ids = [*(rows.ids[row] for row in at), *images.dataset.ids]
    together = same_object_groups(pictures, ids=ids).groups
    group_of = {int(one): int(rows.groups[row]) for one, row in zip(together[: len(at)][::-1], at[::-1], strict=True)}
    found = np.array([group_of.get(int(one), ALONE) for one in together[len(at) :]], np.int64)
    return _whole(found, groups)


def _whole(found: Ints, groups: Ints) -> Ints:
    """All images of a group go where the first of them belongs."""
    first: dict[int, int] = {}
    for group, known in zip(groups.tolist(), found.tolist(), strict=True):
        if known != ALONE:
            first.setdefault(group, known)
    return np.array([first.get(group, ALONE) for group in groups.tolist()], np.int64)


def _candidates(rows: Rows, images: EmbeddedDataset) -> Ints:
    """Places, among the remembered images with a picture, of those whose vectors are nearest to a new one."""
    known = _unit(rows.embeddings[rows.has_picture[rows.has_vector]])
    if not len(known):
        return np.zeros(0, np.int64)
    new, k, step = _unit(images.embeddings), min(_CANDIDATES, len(known)), max(1, _BLOCK // len(known))
    nearest = [
        np.argpartition(-(new[start : start + step] @ known.T), k - 1, axis=1)[:, :k]
        for start in range(0, len(new), step)
    ]
    return np.unique(np.concatenate(nearest)).astype(np.int64)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
