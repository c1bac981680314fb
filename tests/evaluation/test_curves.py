"""Confusion matrix and curves against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from tests.evaluation.builders import exclusive, multilabel, schema_of

from tellapart.evaluation.curves import confusion, curves, precision_recall, reliability, roc, threshold_curve
from tellapart.evaluation.scored import score
from tellapart.records import Task


def test_confusion_rows_are_actual() -> None:
    p, y = exclusive(200, 4, seed=1)
    got = confusion(score(p, y, schema_of(Task.MULTICLASS, 4)))
    assert np.array_equal(got.counts, sk.confusion_matrix(y, p.argmax(axis=1), labels=range(4)))
    assert got.columns == got.rows
    assert np.allclose(np.sum(got.shares, axis=1), 1)


def test_confusion_shows_unknown_answers_in_a_last_column() -> None:
    p, y = exclusive(200, 3, seed=1)
    decided = (p == p.max(axis=1, keepdims=True)) & (p > 0.6)
    got = confusion(score(p, y, schema_of(Task.MULTICLASS, 3), decisions=decided))
    assert got.columns == ("blowhole", "break", "crack", "unknown")
    assert [row[3] for row in got.counts] == [int((~decided[y == j].any(axis=1)).sum()) for j in range(3)]
    worst = got.mixed_up()
    assert list(worst) == sorted(worst, key=lambda pair: -pair[2])
    assert all(actual != answered for actual, answered, _, _ in worst)


def test_roc_and_precision_recall_equal_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    s, y = rng.random(60).round(2), rng.random(60) < 0.4
    x, recall, _ = sk.roc_curve(y, s, drop_intermediate=False)
    got = roc("a", s, y)
    assert np.allclose(got.x, x, atol=1e-6)
    assert np.allclose(got.y, recall, atol=1e-6)
    precision, recall, thresholds = sk.precision_recall_curve(y, s)
    got = precision_recall("a", s, y)
    assert np.allclose(got.x[::-1], recall[:-1], atol=1e-6)
    assert np.allclose(got.y[::-1], precision[:-1], atol=1e-6)
    assert np.allclose(got.thresholds[::-1], thresholds, atol=1e-6)


def test_long_curves_are_thinned_and_keep_their_area() -> None:
    rng = np.random.default_rng(3)
    y = rng.random(5000) < 0.1
    s = rng.normal(size=5000) + 2 * y
    got = roc("a", s, y)
    assert len(got.x) <= 103
    assert (got.x[0], got.y[0], got.x[-1], got.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(got.y, got.x) == pytest.approx(sk.roc_auc_score(y, s), abs=0.005)


def test_reliability_bins_hold_every_image() -> None:
    p, y = exclusive(500, 3, seed=2)
    bins = reliability(score(p, y, schema_of(Task.MULTICLASS, 3)))
    assert sum(b.n for b in bins) == 500
    assert sum(b.n * b.right for b in bins) == pytest.approx((p.argmax(axis=1) == y).sum())
    p, y = multilabel(100, 4)
    assert sum(b.n for b in reliability(score(p, y, schema_of(Task.MULTILABEL, 4)))) == 400


def test_threshold_curve_by_hand() -> None:
    p = np.array([0.9, 0.8, 0.4, 0.2])
    y = np.array([1, 0, 1, 0])
    costs = np.array([[0, 1], [10, 0]])
    scored = score(np.stack([1 - p, p], axis=1), y, schema_of(Task.BINARY, 2), costs=costs)
    got = threshold_curve(scored, 1)
    at = got.thresholds.index(0.5)
    assert (got.precision[at], got.recall[at], got.f1[at]) == (0.5, 0.5, 0.5)
    assert got.cost is not None
    assert got.cost[at] == (1 + 10) / 4
    assert got.recall[0] == 1.0
    assert got.cost[0] == 2 / 4


def test_binary_draws_the_positive_class_and_many_classes_draw_none() -> None:
    p, y = exclusive(50, 2)
    assert [c.label for c in curves(score(p, y, schema_of(Task.BINARY, 2))).roc] == ["scratch"]
    p, y = exclusive(50, 21)
    assert curves(score(p, y, schema_of(Task.MULTICLASS, 21))).roc == ()


def test_a_class_without_images_has_no_curve() -> None:
    p, y = exclusive(50, 3)
    y[y == 1] = 0
    assert [c.label for c in curves(score(p, y, schema_of(Task.MULTICLASS, 3))).roc] == ["blowhole", "crack"]
