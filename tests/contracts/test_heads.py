"""What every head must do, whatever its kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.heads.data import embeddings

from tellapart.errors import Reason, SettingsError
from tellapart.heads.protocol import Head, HeadKind, head_kind, heads, register_head
from tellapart.records import Task

pytestmark = pytest.mark.parametrize("kind", [k for k in heads().values() if k.fit], ids=lambda kind: kind.name)


def _data(task: Task, n: int = 150) -> tuple[Any, Any]:
    x, y = embeddings(n, 16, 3)
    if task is Task.BINARY:
        return x, (y == 0).astype(np.int64)
    return x, (np.eye(3, dtype=np.uint8)[y] if task is Task.MULTILABEL else y)


def _fit(kind: HeadKind, task: Task, **options: Any) -> Head:
    assert kind.fit is not None
    return kind.fit(*_data(task), task=task, **options)


@pytest.mark.parametrize("task", list(Task))
def test_answers_have_the_shape_and_range(kind: HeadKind, task: Task) -> None:
    head, (x, _) = _fit(kind, task), _data(task)
    k = 2 if task is Task.BINARY else 3
    assert (head.task, head.n_features, head.n_classes) == (task, 16, k)
    for part in (x, x[:1], x[:0]):
        logits, probabilities = head.logits(part), head.probabilities(part)
        assert logits.shape == probabilities.shape == (len(part), k)
        assert logits.dtype == probabilities.dtype == np.float32
        assert np.isfinite(logits).all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        if task is not Task.MULTILABEL:
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("task", list(Task))
def test_it_learns(kind: HeadKind, task: Task) -> None:
    x, y = _data(task)
    p = _fit(kind, task).probabilities(x)
    right = (p > 0.5) == (y == 1) if task is Task.MULTILABEL else p.argmax(axis=1) == y
    assert right.mean() > 0.7


@pytest.mark.parametrize("task", list(Task))
def test_arrays_round_trip_exactly(kind: HeadKind, task: Task) -> None:
    head, (x, _) = _fit(kind, task), _data(task)
    arrays = head.arrays()
    assert all(value.dtype == np.float32 and value.flags.c_contiguous for value in arrays.values())
    again = kind.restore(arrays, task=task)
    np.testing.assert_array_equal(again.probabilities(x), head.probabilities(x))


@pytest.mark.parametrize("task", list(Task))
def test_same_data_same_head_and_order_is_irrelevant(kind: HeadKind, task: Task) -> None:
    x, y = _data(task)
    head, order = _fit(kind, task), np.random.default_rng(0).permutation(len(x))
    for name, value in _fit(kind, task).arrays().items():
        np.testing.assert_array_equal(value, head.arrays()[name])
    assert kind.fit is not None
    other = kind.fit(x[order], y[order], task=task)
    np.testing.assert_allclose(other.probabilities(x), head.probabilities(x), atol=0.01)


@pytest.mark.parametrize("task", list(Task))
def test_class_weights_raise_their_class(kind: HeadKind, task: Task) -> None:
    x, _ = _data(task)
    plain, heavy = _fit(kind, task, C=0.01), _fit(kind, task, C=0.01, class_weight={1: 10.0})
    assert heavy.probabilities(x)[:, 1].mean() > plain.probabilities(x)[:, 1].mean() + 0.05


@pytest.mark.parametrize("task", list(Task))
def test_a_class_without_examples_has_a_column(kind: HeadKind, task: Task) -> None:
    x, y = _data(task)
    targets = np.pad(y, ((0, 0), (0, 1))) if task is Task.MULTILABEL else np.zeros_like(y)
    assert kind.fit is not None
    head = kind.fit(x, targets, task=task, n_classes=2 if task is Task.BINARY else 4)
    assert np.isfinite(head.probabilities(x)).all()
    assert head.probabilities(x)[:, -1].max() < 0.05


def test_the_registry_finds_it(kind: HeadKind) -> None:
    assert head_kind(kind.name) is kind
    with pytest.raises(SettingsError) as caught:
        head_kind(kind.name + "x")
    known = ", ".join(sorted(heads()))
    expected = f"unknown head '{kind.name}x', known are: {known}; did you mean '{kind.name}'?"
    assert str(caught.value) == expected
    assert caught.value.reason is Reason.UNKNOWN_NAME


def test_a_name_is_taken_once(kind: HeadKind) -> None:
    with pytest.raises(SettingsError) as caught:
        register_head(kind)
    assert str(caught.value) == f"a head named '{kind.name}' is registered already: choose another name"
