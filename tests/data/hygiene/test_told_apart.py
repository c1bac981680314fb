"""How well a model tells two classes apart: the area under the ROC curve and its error."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tellapart.data.hygiene.told_apart import told_apart


def test_it_is_the_area_under_the_curve() -> None:
    rng = np.random.default_rng(0)
    labels = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, 300)]
    answers = (rng.integers(0, 8, (300, 3)) + 2 * labels).astype(np.float32)  # many ties
    found = told_apart(labels, answers, 0, 2)
    assert found is not None
    either = labels[:, 1] == 0
    expected = roc_auc_score(labels[either, 0], (answers[:, 0] - answers[:, 2])[either])
    assert found.share == pytest.approx(expected, abs=1e-9)


def test_the_error_is_how_far_it_scatters() -> None:
    def draw(seed: int) -> tuple[float, float]:
        rng = np.random.default_rng(seed)
        labels = np.eye(2, dtype=np.uint8)[np.arange(120) % 3 % 2]
        found = told_apart(labels, (rng.normal(size=(120, 2)) + 0.5 * labels).astype(np.float32), 0, 1)
        assert found is not None
        return found.share, found.error

    shares, errors = np.array([draw(seed) for seed in range(300)]).T
    assert np.mean(errors) == pytest.approx(shares.std(), rel=0.15)


def test_images_with_both_or_neither_say_nothing() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [0, 0]], np.uint8)
    answers = np.array([[0.9, 0], [0.8, 0], [0, 0.9], [0, 0.8], [0, 0.9], [0.9, 0]], np.float32)
    found = told_apart(labels, answers, 0, 1)
    assert found is not None
    assert found.share == 1
    assert 0 < found.error < 0.5


def test_one_image_of_a_class_is_too_few() -> None:
    assert told_apart(np.eye(2, dtype=np.uint8)[[0, 0, 1]], np.zeros((3, 2), np.float32), 0, 1) is None
