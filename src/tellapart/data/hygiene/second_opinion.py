"""What an image shows, by a head that did not see it and by its neighbours' labels together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.groups import combine_groups
from tellapart.data.hygiene.label_quality import judgeable
from tellapart.data.hygiene.neighbours import neighbours
from tellapart.data.hygiene.protocol import Evidence, Float32
from tellapart.records import Task

# One vote in a hundred neighbours: fewer cannot be told from none.
_FLOOR = 0.01
_NEVER_ZERO = 1e-9


def second_opinion(evidence: Evidence) -> Float32:
    """`opinion` of all images of a data set."""
    assert evidence.embeddings is not None
    assert evidence.probabilities is not None
    labels, task = evidence.labels, evidence.schema.task
    return opinion(evidence.embeddings, evidence.probabilities, labels, relatives(evidence), task)


def opinion(
    embeddings: Float32, probabilities: Float32, labels: NDArray[np.uint8], groups: NDArray[np.int64], task: Task
) -> Float32:
    """Probabilities float32 (n, k) from embeddings (n, d) and out-of-fold probabilities; nan where no head could judge.

    The geometric mean of the head's answer and of the share of labels among 50 neighbours, those of the image's group left
    out. The two err differently: on CIFAR-10 the mean is right more often than either, and finds more wrong labels
    (docs/check.md).
    """
    votes = neighbours(embeddings, groups).vote(labels)
    if task is not Task.MULTILABEL:
        return _mean(probabilities, (votes + _FLOOR) / (1 + _FLOOR * votes.shape[1]))
    present = (votes + _FLOOR) / (1 + 2 * _FLOOR)
    heads = np.stack([1 - probabilities, probabilities], axis=2)
    return _mean(heads, np.stack([1 - present, present], axis=2))[:, :, 1]


def relatives(evidence: Evidence) -> NDArray[np.int64]:
    """Group of each image, int64 (n,): the same file, the same declared group, or alike by looks where that is known."""
    dataset = evidence.dataset
    looks = [] if evidence.look_alikes is None else [evidence.look_alikes]
    return combine_groups(dataset.ids, dataset.groups, *looks)


def _mean(heads: Float32, votes: Float32) -> Float32:
    """Of two answers whose last axis are alternatives; the head's alone where an image has no neighbours."""
    votes = np.where(np.isfinite(votes), votes, 1)
    product = np.sqrt(np.maximum(heads, _NEVER_ZERO) * votes)  # maximum keeps nan
    judged = judgeable(heads.reshape(len(heads), -1))
    product[judged] /= product[judged].sum(axis=-1, keepdims=True)
    return np.asarray(product, np.float32)
