"""Prototypes against the distances and angles that they stand for."""

from __future__ import annotations

import numpy as np

from tellapart.records import Task
from tellapart.training.prototypes import cosine, euclidean

RNG = np.random.default_rng(1)
Z = RNG.normal(size=(20, 8))
Z -= Z.mean(axis=0)
CLASSES = np.arange(20) % 4
LABELS = np.eye(4, dtype=np.uint8)[CLASSES]
NEW = RNG.normal(size=(50, 8))


def test_the_nearest_mean_scores_highest() -> None:
    weight, bias = euclidean(Z, LABELS, Task.MULTICLASS)
    means = np.stack([Z[c == CLASSES].mean(axis=0) for c in range(4)])
    distances = ((NEW[:, None] - means) ** 2).sum(axis=2)
    scores = NEW @ weight + bias
    np.testing.assert_allclose(scores, (NEW**2).sum(axis=1, keepdims=True) - distances, atol=1e-9)


def test_the_mean_direction_at_the_smallest_angle_scores_highest() -> None:
    weight, bias = cosine(Z, LABELS, Task.MULTICLASS)
    unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    means = np.stack([unit[c == CLASSES].mean(axis=0) for c in range(4)])
    cosines = NEW @ means.T / np.linalg.norm(means, axis=1) / np.linalg.norm(NEW, axis=1, keepdims=True)
    np.testing.assert_array_equal((NEW @ weight + bias).argmax(axis=1), cosines.argmax(axis=1))
    np.testing.assert_allclose(np.linalg.norm(weight, axis=0), 1)


def test_of_several_labels_the_nearer_of_with_and_without_decides() -> None:
    labels = (RNG.random((20, 3)) < 0.4).astype(np.uint8)
    weight, bias = euclidean(Z, labels, Task.MULTILABEL)
    for column in range(3):
        has = labels[:, column] == 1
        nearer = ((NEW - Z[has].mean(0)) ** 2).sum(1) < ((NEW - Z[~has].mean(0)) ** 2).sum(1)
        np.testing.assert_array_equal((NEW @ weight + bias)[:, column] > 0, nearer)


def test_a_class_without_an_image_is_zeros() -> None:
    more = np.pad(LABELS, ((0, 0), (0, 1)))
    for fit in (euclidean, cosine):
        weight, bias = fit(Z, more, Task.MULTICLASS)
        assert not weight[:, 4].any()
        assert bias[4] == 0
