"""Every metric equals scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.builders import exclusive, multilabel, schema_of

from tellapart.errors import DataError, Reason, TrainingError
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.scored import score
from tellapart.records import LabelSchema, Task

sizes = st.tuples(st.integers(1, 40), st.integers(2, 8), st.integers(0, 2**32 - 1), st.sampled_from([None, 0, 1]))


def overall(scored: Any) -> dict[str, float]:
    return {name: float(value[0]) for name, value in Measurer.of(scored).point().overall.items()}


def close(got: float, wanted: float) -> bool:
    return got == pytest.approx(wanted, abs=1e-9, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(sizes, st.floats(0, 0.6))
def test_multiclass_metrics_equal_scikit_learn(size: Any, threshold: float) -> None:
    n, k, seed, digits = size
    p, y = exclusive(n, k, seed=seed, digits=digits)
    decided = np.zeros((n, k), dtype=bool)
    decided[np.arange(n), p.argmax(axis=1)] = p.max(axis=1) >= threshold
    schema = LabelSchema.from_names([f"c{i}" for i in range(k)], task=Task.MULTICLASS)
    got = overall(score(p, y, schema, decisions=decided))
    answer = np.where(decided.any(axis=1), p.argmax(axis=1), -1)
    present = sorted(set(y.tolist()))

    assert close(got["accuracy"], sk.accuracy_score(y, answer))
    assert close(got["coverage"], float((answer >= 0).mean()))
    for name, metric in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
        for average in ("macro", "weighted"):
            wanted = metric(y, answer, labels=present, average=average, zero_division=0)
            assert close(got[f"{name}_{average}"], wanted), (name, average)
        wanted = metric(y, answer, labels=range(k), average="micro", zero_division=0)
        assert close(got[f"{name}_micro"], wanted), name
    assert close(got["balanced_accuracy"], got["recall_macro"])
    assert close(got["log_loss"], sk.log_loss(y, p, labels=range(k)))
    assert close(got["brier"], float(((p - np.eye(k)[y]) ** 2).sum(axis=1).mean()))
    if k > 5:
        assert close(got["top5"], sk.top_k_accuracy_score(y, p, k=5, labels=range(k)))
    assert ("top5" in got) == (k > 5)
    separable = [j for j in present if len(present) > 1]
    if separable:
        assert close(got["roc_auc_macro"], np.mean([sk.roc_auc_score(y == j, p[:, j]) for j in separable]))
    average_precisions = [sk.average_precision_score(y == j, p[:, j]) for j in present]
    assert close(got["average_precision_macro"], np.mean(average_precisions))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 50), st.integers(0, 2**32 - 1), st.sampled_from([None, 0, 1]))
def test_binary_metrics_are_those_of_the_positive_class(n: int, seed: int, digits: int | None) -> None:
    p, y = exclusive(n, 2, seed=seed, digits=digits)
    y[0], y[1] = 0, 1
    got = overall(score(p, y, schema_of(Task.BINARY, 2)))
    answer = p.argmax(axis=1)
    assert close(got["precision"], sk.precision_score(y, answer, zero_division=0))
    assert close(got["recall"], sk.recall_score(y, answer))
    assert close(got["f1"], sk.f1_score(y, answer))
    assert close(got["f1_macro"], sk.f1_score(y, answer, average="macro"))
    assert close(got["balanced_accuracy"], sk.balanced_accuracy_score(y, answer))
    assert close(got["roc_auc"], sk.roc_auc_score(y, p[:, 1]))
    assert close(got["average_precision"], sk.average_precision_score(y, p[:, 1]))
    assert close(got["brier"], sk.brier_score_loss(y, p[:, 1]))
    assert close(got["log_loss"], sk.log_loss(y, p[:, 1]))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 2**32 - 1), st.sampled_from([None, 1]))
def test_multilabel_metrics_equal_scikit_learn(n: int, k: int, seed: int, digits: int | None) -> None:
    p, y = multilabel(n, k, seed=seed, digits=digits)
    got = overall(score(p, y, schema_of(Task.MULTILABEL, k)))
    answer = (p >= 0.5).astype(int)
    present = np.flatnonzero(y.any(axis=0))
    assert close(got["subset_accuracy"], sk.accuracy_score(y, answer))
    assert close(got["hamming_loss"], sk.hamming_loss(y, answer))
    for name, metric in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
        for average in ("micro", "samples"):
            assert close(got[f"{name}_{average}"], metric(y, answer, average=average, zero_division=0)), average
        if len(present):
            wanted = metric(y, answer, labels=present, average="macro", zero_division=0)
            assert close(got[f"{name}_macro"], wanted)
            wanted = metric(y, answer, labels=present, average="weighted", zero_division=0)
            assert close(got[f"{name}_weighted"], wanted)
    if 0 < y.sum() < y.size:
        assert close(got["roc_auc_micro"], sk.roc_auc_score(y.ravel(), p.ravel()))
        assert close(got["average_precision_micro"], sk.average_precision_score(y, p, average="micro"))
    clipped = np.clip(p, 0, 1)
    losses = [sk.log_loss(y[:, j], clipped[:, j], labels=[0, 1]) for j in range(k)]
    assert close(got["log_loss"], np.mean(losses))
    assert close(got["brier"], np.mean([np.mean((y[:, j] - p[:, j]) ** 2) for j in range(k)]))


def naive_ece(confidence: Any, right: Any) -> float:
    total = 0.0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if i == 0:
            inside |= confidence == 0
        if inside.any():
            total += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return total


def test_ece_equals_its_definition() -> None:
    p, y = exclusive(400, 4, seed=3)
    got = overall(score(p, y, schema_of(Task.MULTICLASS, 4)))
    assert got["ece"] == pytest.approx(naive_ece(p.max(axis=1), p.argmax(axis=1) == y), abs=1e-12)
    p, y = multilabel(400, 3, seed=3)
    got = overall(score(p, y, schema_of(Task.MULTILABEL, 3)))
    assert got["ece"] == pytest.approx(np.mean([naive_ece(p[:, j], y[:, j]) for j in range(3)]), abs=1e-12)


def test_absent_class_is_not_measured_and_left_out_of_the_macro_average() -> None:
    p, y = exclusive(60, 3, seed=1)
    y[y == 2] = 0
    m = Measurer.of(score(p, y, schema_of(Task.MULTICLASS, 3))).point()
    for name in ("precision", "recall", "f1", "roc_auc", "average_precision"):
        assert np.isnan(m.per_class[name][0, 2])
        assert m.overall[f"{name}_macro"][0] == pytest.approx(m.per_class[name][0, :2].mean(), abs=1e-12)


def test_unknown_lowers_recall_and_not_precision() -> None:
    p = np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.45, 0.55]])
    y = np.array([1, 1, 0, 1])
    decided = np.array([[0, 1], [0, 0], [1, 0], [0, 1]], dtype=bool)
    got = overall(score(p, y, schema_of(Task.BINARY, 2), decisions=decided))
    assert got["precision"] == 1.0
    assert got["recall"] == pytest.approx(2 / 3)
    assert got["accuracy"] == 0.75
    assert got["accuracy_answered"] == 1.0


def test_mean_cost_charges_unknown_answers() -> None:
    p = np.array([[0.1, 0.9], [0.9, 0.1], [0.6, 0.4]])
    decided = np.array([[0, 1], [1, 0], [0, 0]], dtype=bool)
    costs = np.array([[0, 1, 0.5], [8, 0, 0.25]])
    scored = score(p, np.array([0, 1, 1]), schema_of(Task.BINARY, 2), decisions=decided, costs=costs)
    assert overall(scored)["mean_cost"] == pytest.approx((1 + 8 + 0.25) / 3)
    labels = score(p, np.eye(3, 2, dtype=np.uint8), schema_of(Task.MULTILABEL, 2), costs=np.array([[1, 10], [2, 20.0]]))
    # rows: answers {1}, {0}, {0}; truth {0}, {1}, {} → miss 0 + alarm 1, alarm 0 + miss 1, alarm 0
    assert overall(labels)["mean_cost"] == pytest.approx((12 + 21 + 1) / 3)


@pytest.mark.parametrize(
    ("p", "y", "decided", "message"),
    [
        (np.ones((2, 3)), np.zeros(2, int), None, "probabilities want shape (n, 2), one column per label, got (2, 3)"),
        (
            np.array([[np.nan, 1.0]]),
            np.zeros(1, int),
            None,
            "probabilities must lie in 0–1, got NaN, infinity or values outside; calibrate or clip them first",
        ),
        (np.full((2, 2), 0.5), np.array([0, 2]), None, "targets are columns 0–1 of the schema, got 0–2"),
        (
            np.full((2, 2), 0.5),
            np.zeros((2, 2), int),
            None,
            "binary targets want integer columns of shape (2,), got int64 (2, 2)",
        ),
        (
            np.full((1, 2), 0.5),
            np.array([0]),
            np.ones((1, 2), bool),
            "a binary decision sets at most one label per image, got rows with several",
        ),
        (
            np.full((1, 2), 0.5),
            np.array([0]),
            np.ones((2, 2), bool),
            "decisions want the shape of the probabilities, (1, 2), got (2, 2)",
        ),
    ],
)
def test_contradictions_are_refused(p: Any, y: Any, decided: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        score(p, y, schema_of(Task.BINARY, 2), decisions=decided)
    assert caught.value.reason is Reason.LABEL_CONFLICT
    assert str(caught.value) == message


def test_cost_table_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        score(np.full((1, 2), 0.5), np.array([0]), schema_of(Task.BINARY, 2), costs=np.ones((3, 3)))
    assert str(caught.value) == "a cost table for 2 binary labels has shape (2, 2) or (2, 3), got (3, 3)"


def test_nothing_to_evaluate_is_said() -> None:
    with pytest.raises(TrainingError) as caught:
        score(np.zeros((0, 2)), np.zeros(0, int), schema_of(Task.BINARY, 2))
    assert caught.value.reason is Reason.NO_TEST_DATA
    assert str(caught.value) == (
        "there is not one labelled image to evaluate on; give the test split images or name another folder"
    )


def test_replicate_with_unit_weights_is_the_plain_value() -> None:
    p, y = multilabel(80, 3, seed=5)
    m = Measurer.of(score(p, y, schema_of(Task.MULTILABEL, 3)))
    replicate = m.replicates(m.by_unit(), np.ones((1, 80), dtype=np.float32))
    for name, value in m.point().overall.items():
        assert replicate.overall[name][0] == pytest.approx(value[0], abs=1e-5), name


def test_replicate_with_doubled_rows_is_the_metric_of_the_doubled_data() -> None:
    p, y = exclusive(50, 3, seed=7)
    schema = schema_of(Task.MULTICLASS, 3)
    m = Measurer.of(score(p, y, schema), ranking=False)
    weights = np.random.default_rng(0).integers(0, 3, (1, 50)).astype(np.float32)
    rows = np.repeat(np.arange(50), weights[0].astype(int))
    doubled = Measurer.of(score(p[rows], y[rows], schema), ranking=False).point().overall
    replicate = m.replicates(m.by_unit(), weights).overall
    for name in ("accuracy", "f1_macro", "precision_weighted", "log_loss", "brier"):
        assert replicate[name][0] == pytest.approx(doubled[name][0], abs=1e-5), name
