"""How far each image's labels can be believed, by a model that has not seen the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.records import Task

_NEVER_ZERO = 1e-12


def label_quality(labels: NDArray[np.uint8], probabilities: NDArray[np.float32], task: Task) -> NDArray[np.float32]:
    """How surely each image is labelled right, float32 (n,) in 0–1, 1 = surely; from labels and probabilities (n, k).

    The probabilities are out of fold: a model that has seen the image agrees with its label. A row of nan could not be
    judged and gets 1, as nothing speaks against it. One label is weighed against its strongest rival alone: where three
    labels share the rest, its own probability says less. Of several labels the worst counts (`cell_quality`).

    Source: the self-confidence of cleanlab (Northcutt et al. 2021, Confident Learning, JAIR 70), one class against one.
    """
    if task is Task.MULTILABEL:
        return np.asarray(cell_quality(labels, probabilities).min(axis=1, initial=1), np.float32)
    quality, judged = np.ones(len(labels), np.float32), judgeable(probabilities)
    if judged.any():
        quality[judged] = _against_rival(labels[judged].argmax(axis=1), probabilities[judged])
    return quality


def cell_quality(labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """How surely each label of a multi-label image is rightly there, or rightly not there: float32 (n, k) in 0–1."""
    quality, judged = np.ones(labels.shape, np.float32), judgeable(probabilities)
    if judged.any():
        for column in range(labels.shape[1]):
            present = probabilities[judged, column]
            quality[judged, column] = _self_confidence(labels[judged, column], np.stack([1 - present, present], axis=1))
    return quality


def judgeable(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """bool (n,): rows that a model could judge."""
    return np.asarray(np.isfinite(probabilities).all(axis=1))


def _against_rival(column: NDArray[np.integer[Any]], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    own = np.take_along_axis(probabilities, column[:, None], axis=1)[:, 0]
    others = probabilities.copy()
    np.put_along_axis(others, column[:, None], 0, axis=1)
    pair = np.maximum(np.stack([own, others.max(axis=1)], axis=1), _NEVER_ZERO)
    return _self_confidence(np.zeros(len(column), np.int64), pair / pair.sum(axis=1, keepdims=True))


def _self_confidence(column: NDArray[np.integer[Any]], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    from cleanlab.rank import get_label_quality_scores  # 3 s to import

    # Rounding may leave a probability a hair outside 0–1, which cleanlab refuses.
    scores = get_label_quality_scores(column.astype(np.int64), probabilities.clip(0, 1), method="self_confidence")
    return np.asarray(scores, np.float32)
