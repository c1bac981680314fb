"""Paired comparison by columns: the same as `compare` says of matrices."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.evaluation.compare import compare
from tellapart.evaluation.paired import UNKNOWN, paired
from tellapart.evaluation.scored import score
from tellapart.records import LabelSchema, Task

SCHEMA = LabelSchema.from_names(["a", "b", "c", "d"], task=Task.MULTICLASS)


def answers(rng: np.random.Generator, truth: np.ndarray, right: float) -> np.ndarray:
    """Columns that are right as often, else anything, some unknown."""
    other = rng.integers(UNKNOWN, 4, len(truth))
    return np.where(rng.random(len(truth)) < right, truth, other)


def decided(columns: np.ndarray) -> np.ndarray:
    return columns[:, None] == np.arange(4)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("better", [0.6, 0.9])
def test_it_is_what_compare_says(grouped: bool, better: float) -> None:
    rng = np.random.default_rng(3)
    truth = rng.choice(3, 120, p=[0.6, 0.3, 0.1])  # of the fourth class there is no image
    before, after = answers(rng, truth, 0.6), answers(rng, truth, better)
    groups = [str(i // 3) for i in range(120)] if grouped else None
    plain = np.full((120, 4), 0.25)
    scored = [score(plain, truth, SCHEMA, decisions=decided(one)) for one in (before, after)]
    for found in paired(truth, before, after, n_classes=4, groups=groups, seed=5):
        expected = compare(*scored, metric=found.metric, names=("before", "after"), groups=groups, seed=5)
        assert (found.before, found.after) == pytest.approx((expected.first, expected.second))
        one, other = found.difference, expected.difference
        assert (one.n, one.n_groups, one.method) == (other.n, other.n_groups, other.method)
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=2e-6)
        if found.metric == "f1_macro" or grouped:
            assert found.better == expected.better


def test_one_group_has_no_interval() -> None:
    truth = np.array([0, 1, 1])
    for found in paired(truth, np.array([0, 0, UNKNOWN]), truth, n_classes=2, groups=["a", "a", "a"]):
        assert (found.difference.low, found.difference.high, found.better) == (None, None, None)
    accuracy, f1 = paired(truth, np.array([0, 0, UNKNOWN]), truth, n_classes=2)
    assert (accuracy.before, accuracy.after) == pytest.approx((1 / 3, 1))
    assert (f1.before, f1.after) == pytest.approx((1 / 3, 1))


def test_ten_thousand_classes_are_quick() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10_000, 5_000)
    before = np.where(rng.random(5_000) < 0.5, truth, 0)
    accuracy, _ = paired(truth, before, truth, n_classes=10_000)
    assert accuracy.after == 1
    assert accuracy.better == "after"
