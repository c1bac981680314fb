"""Label quality: what a model that has not seen an image thinks of its labels."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.data.hygiene.label_quality import cell_quality, judgeable, label_quality
from tellapart.records import Task


def one_hot(*columns: int) -> np.ndarray:
    return np.eye(3, dtype=np.uint8)[list(columns)]


def test_one_label_is_weighed_against_its_strongest_rival() -> None:
    probabilities = np.array([[0.6, 0.2, 0.2], [0.6, 0.2, 0.2], [0, 0, 1]], np.float32)
    quality = label_quality(one_hot(0, 1, 2), probabilities, Task.MULTICLASS)
    assert quality.dtype == np.float32
    np.testing.assert_allclose(quality, [0.75, 0.25, 1], rtol=1e-6)


def test_two_classes_are_judged_alike() -> None:
    labels = np.eye(2, dtype=np.uint8)[[0, 1]]
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1]], np.float32)
    np.testing.assert_allclose(label_quality(labels, probabilities, Task.BINARY), [0.9, 0.1], rtol=1e-6)


def test_of_several_labels_the_worst_counts() -> None:
    labels = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 0]], np.uint8)
    probabilities = np.array([[0.9, 0.2, 0.6], [0.9, 0.7, 0.95], [0.1, 0.2, 0.3]], np.float32)
    cells = [[0.9, 0.8, 0.6], [0.9, 0.7, 0.05], [0.9, 0.8, 0.7]]
    np.testing.assert_allclose(cell_quality(labels, probabilities), cells, rtol=1e-5)
    np.testing.assert_allclose(label_quality(labels, probabilities, Task.MULTILABEL), [0.6, 0.05, 0.7], rtol=1e-5)


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.MULTILABEL])
def test_nothing_speaks_against_what_nobody_judged(task: Task) -> None:
    probabilities = np.array([[0.2, 0.7, 0.1], [np.nan] * 3, [0.9, 0.05, 0.05]], np.float32)
    quality = label_quality(one_hot(0, 1, 0), probabilities, task)
    expected = [2 / 9, 1, 90 / 95] if task is Task.MULTICLASS else [0.2, 1, 0.9]
    np.testing.assert_allclose(quality, expected, rtol=1e-6)
    assert judgeable(probabilities).tolist() == [True, False, True]


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.MULTILABEL])
def test_nobody_judged_anything(task: Task) -> None:
    nothing = np.full((2, 3), np.nan, np.float32)
    assert label_quality(one_hot(0, 1), nothing, task).tolist() == [1, 1]
    assert label_quality(one_hot(), nothing[:0], task).shape == (0,)


def test_labels_that_no_image_has_do_not_matter() -> None:
    labels = np.zeros((2, 3), np.uint8)
    probabilities = np.full((2, 3), 0.25, np.float32)
    assert label_quality(labels, probabilities, Task.MULTILABEL).tolist() == [0.75, 0.75]


def test_rounding_is_forgiven() -> None:
    probabilities = np.array([[np.nextafter(np.float32(1), np.float32(2)), -1e-9, 0]], np.float32)
    assert label_quality(one_hot(0), probabilities, Task.MULTICLASS).tolist() == [1]
