"""The linear head finds scikit-learn's optimum, and stands whatever the data holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tests.heads.data import embeddings

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.linear import LinearHead, fit_linear, solve
from tellapart.heads.solver import Design
from tellapart.records import Task


def _standardised(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    x = x.astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _reference(x: Any, y: Any, C: float, **options: Any) -> LogisticRegression:
    fit_options = {"sample_weight": options.pop("sample_weight", None)}
    return LogisticRegression(C=C, tol=1e-9, max_iter=20_000, **options).fit(_standardised(x), y, **fit_options)


def _softmax_loss(x: Any, y: Any, weight: Any, bias: Any, C: float) -> float:
    z = x @ weight + bias
    z = z - z.max(axis=1, keepdims=True)
    losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]
    return float(C * losses.sum() + 0.5 * (weight**2).sum())


@pytest.mark.parametrize("C", [0.001, 0.1, 10.0])
@pytest.mark.parametrize(("n", "d", "k"), [(600, 40, 5), (90, 200, 4)])
def test_multiclass_loss_equals_scikit_learns(n: int, d: int, k: int, C: float) -> None:
    x, y = embeddings(n, d, k)
    head = fit_linear(x, y, task=Task.MULTICLASS, C=C)
    reference = _reference(x, y, C)
    scale, mean = x.std(axis=0, dtype=np.float64), x.mean(axis=0, dtype=np.float64)
    ours = _softmax_loss(_standardised(x), y, head.weight * scale[:, None], head.bias + mean @ head.weight, C)
    best = _softmax_loss(_standardised(x), y, reference.coef_.T, reference.intercept_, C)
    assert ours == pytest.approx(best, rel=1e-4)
    np.testing.assert_allclose(head.probabilities(x), reference.predict_proba(_standardised(x)), atol=0.01)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1.0, 1: 4.0}])
def test_binary_probabilities_equal_scikit_learns(class_weight: Any) -> None:
    x, y = embeddings(500, 30, 4)
    y = (y == 1).astype(np.int64)
    head = fit_linear(x, y, task=Task.BINARY, C=0.3, class_weight=class_weight)
    expected = _reference(x, y, 0.3, class_weight=class_weight).predict_proba(_standardised(x))
    np.testing.assert_allclose(head.probabilities(x), expected, atol=0.005)


def test_multiclass_balanced_with_sample_weights_equals_scikit_learns() -> None:
    x, y = embeddings(500, 30, 4)
    y[y == 3] = np.where(np.arange(int((y == 3).sum())) < 10, 3, 0)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y))
    head = fit_linear(x, y, task=Task.MULTICLASS, C=0.1, class_weight="balanced", sample_weight=weight)
    # scikit-learn balances by plain counts, tellapart by weighted ones: give it those.
    counts = np.bincount(y, weight)
    table = {c: weight.sum() / (4 * counts[c]) for c in range(4)}
    expected = _reference(x, y, 0.1, class_weight=table, sample_weight=weight).predict_proba(_standardised(x))
    np.testing.assert_allclose(head.probabilities(x), expected, atol=0.01)


def test_multilabel_is_one_binary_problem_per_label() -> None:
    x, y = embeddings(500, 30, 4)
    labels = np.stack([y == 0, y <= 1, y == 3], axis=1).astype(np.uint8)
    head = fit_linear(x, labels, task=Task.MULTILABEL, C=0.1)
    for column in range(3):
        expected = _reference(x, labels[:, column], 0.1).predict_proba(_standardised(x))[:, 1]
        np.testing.assert_allclose(head.probabilities(x)[:, column], expected, atol=0.005)


def test_sample_weight_zero_leaves_a_sample_out() -> None:
    x, y = embeddings(200, 10, 3)
    spoiled = np.concatenate([y[:150], (y[150:] + 1) % 3])
    weight = np.repeat([1.0, 0.0], [150, 50])
    first = fit_linear(x, y, task=Task.MULTICLASS, sample_weight=weight)
    second = fit_linear(x, spoiled, task=Task.MULTICLASS, sample_weight=weight)
    np.testing.assert_allclose(first.weight, second.weight, atol=1e-5)


def _degenerate() -> dict[str, tuple[Any, Any]]:
    x, y = embeddings(60, 12, 3)
    constant, twice = x.copy(), np.concatenate([x, x], axis=1)
    constant[:, 3] = 7.5
    separable = x.copy()
    separable[:, 0] = 100 * y
    return {
        "constant feature": (constant, y),
        "all features constant": (np.ones_like(x), y),
        "repeated columns": (twice, y),
        "separable": (separable, y),
        "two samples": (x[:2], np.array([0, 2])),
        "one sample": (x[:1], np.array([1])),
        "one class": (x, np.ones(60, np.int64)),
        "single example of a class": (x, np.array([2] + [0, 1] * 29 + [0])),
        "more features than samples": (embeddings(8, 300, 3)[0], np.arange(8) % 3),
        "huge scale": (x * np.float32(1e12), y),
        "tiny scale": (x * np.float32(1e-12), y),
        "float64": (x.astype(np.float64), y),
    }


@pytest.mark.parametrize("name", list(_degenerate()))
@pytest.mark.parametrize("C", [1e-4, 1e4])
def test_no_data_is_too_odd(name: str, C: float) -> None:
    x, y = _degenerate()[name]
    probabilities = fit_linear(x, y, task=Task.MULTICLASS, n_classes=4, C=C).probabilities(x)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert probabilities[:, 3].max() < 0.01, "a class without examples is hardly ever answered"


def test_separable_data_is_learned() -> None:
    x, y = _degenerate()["separable"]
    assert (fit_linear(x, y, task=Task.MULTICLASS, C=1e4).probabilities(x).argmax(axis=1) == y).all()


def test_zero_weight_of_a_class_is_no_error() -> None:
    x, y = embeddings(60, 12, 3)
    head = fit_linear(x, y, task=Task.MULTICLASS, class_weight={0: 0.0})
    assert head.probabilities(x)[:, 0].max() < 0.01


def test_binary_columns_mirror_each_other() -> None:
    x, y = embeddings(60, 12, 2)
    head = fit_linear(x, y, task=Task.BINARY)
    np.testing.assert_array_equal(head.logits(x)[:, 0], -head.logits(x)[:, 1])


def _fit(**changes: Any) -> LinearHead:
    x, y = embeddings(20, 5, 2)
    options: dict[str, Any] = {"embeddings": x, "targets": y, "task": Task.MULTICLASS} | changes
    return fit_linear(**options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"C": 0.0}, "C, the inverse of the regularisation, is a positive number, got 0.0"),
        ({"C": float("nan")}, "C, the inverse of the regularisation, is a positive number, got nan"),
        ({"embeddings": np.ones(20, np.float32)}, "embeddings are floats of shape (n, d), got float32 of shape (20,)"),
        (
            {"embeddings": np.full((20, 2), np.nan)},
            "embeddings are finite numbers, got 20 rows with NaN or infinity: does the backbone suit the images?",
        ),
        ({"targets": np.full(20, -1)}, "targets lie in 0 to 0, got -1 to -1"),
        ({"targets": np.full(20, 2), "task": Task.BINARY}, "targets lie in 0 to 1, got 2 to 2"),
        (
            {"targets": np.zeros(3, int)},
            "multiclass targets for 20 embeddings are integers of shape (20,), got int64 (3,)",
        ),
        (
            {"task": Task.MULTILABEL},
            "multilabel targets for 20 embeddings are integers of shape (20, k), got int64 (20,)",
        ),
        ({"task": Task.BINARY, "n_classes": 3}, "n_classes is 3, but the targets have 2 classes"),
        ({"class_weight": {5: 1.0}}, "class weights are numbers >= 0 by column 0 to 1, got 5: 1.0"),
        (
            {"sample_weight": np.zeros(20)},
            "sample weights are one finite number >= 0 per sample, not all of them 0: expected shape (20,), got (20,)",
        ),
    ],
)
def test_faults_are_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _fit(**changes)
    assert str(caught.value) == message
    assert caught.value.reason is Reason.BAD_SETTING


def test_other_embeddings_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"reads embeddings of 5 numbers, got 6: was the backbone changed\?"):
        _fit().logits(np.ones((2, 6), np.float32))


def test_damaged_arrays_are_refused() -> None:
    arrays = _fit().arrays()
    with pytest.raises(ModelError) as caught:
        LinearHead.from_arrays({k: v for k, v in arrays.items() if k != "bias"}, task=Task.MULTICLASS)
    assert str(caught.value) == "a linear head needs an array 'bias'; the file has: offset, temperature, weight"
    with pytest.raises(ModelError, match=r"needs weight \(d, k\), bias \(k,\)"):
        LinearHead.from_arrays(arrays | {"bias": np.ones(3)}, task=Task.MULTICLASS)


def test_leading_directions_hold_what_matters() -> None:
    """Features of rank 6 in 40 dimensions: six directions are all of them, and the head they give is the same."""
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(200, 6)) @ rng.normal(size=(6, 40))).astype(np.float32)
    targets = (features[:, 0] > 0).astype(np.int64) + (features[:, 1] > 0)
    whole = fit_linear(features, targets, task=Task.MULTICLASS)
    design = Design.leading(features, 6)
    assert design.matrix.shape == (200, 7)
    found = solve(design, targets, np.ones(200, np.float32), task=Task.MULTICLASS, n_classes=3)
    np.testing.assert_allclose(found.logits(features), whole.logits(features), atol=0.05)
    np.testing.assert_allclose(design.eigenvalues.sum(), 40, rtol=1e-4)


def test_leading_directions_of_few_samples() -> None:
    features = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    design = Design.leading(features, 256)
    assert design.matrix.shape == (5, 6)
    assert (design.eigenvalues >= 0).all()


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_of_several_labels_each_has_weights_of_its_own(class_weight: Any) -> None:
    features, y = embeddings(120, 8, 3)
    targets = np.stack([y == 0, y == 1], axis=1).astype(np.uint8)
    weight = np.random.default_rng(0).uniform(0.1, 1, (120, 2))
    both = fit_linear(features, targets, task=Task.MULTILABEL, class_weight=class_weight, sample_weight=weight)
    for label in range(2):
        one = fit_linear(
            features, targets, task=Task.MULTILABEL, class_weight=class_weight, sample_weight=weight[:, label]
        )
        np.testing.assert_allclose(both.weight[:, label], one.weight[:, label], atol=2e-3)
