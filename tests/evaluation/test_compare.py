"""Two models on the same images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.evaluation.builders import exclusive, schema_of

from tellapart.errors import DataError, SettingsError
from tellapart.evaluation.compare import compare, mcnemar
from tellapart.evaluation.scored import score
from tellapart.records import Task

SCHEMA = schema_of(Task.MULTICLASS, 3)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(only_first: int, only_second: int) -> None:
    n = only_first + only_second + 1
    y = np.zeros(n, dtype=int)
    right, wrong = np.eye(2)[0], np.eye(2)[1]
    a = np.array([right] * only_first + [wrong] * only_second + [right])
    b = np.array([wrong] * only_first + [right] * only_second + [right])
    schema = schema_of(Task.BINARY, 2)
    got = mcnemar(score(a, y, schema), score(b, y, schema))
    assert (got.only_first, got.only_second) == (only_first, only_second)
    wanted = stats.binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
    assert got.p_value == pytest.approx(wanted, abs=1e-9)


def test_a_better_model_is_told_from_a_worse_one() -> None:
    strong, y = exclusive(400, 3, seed=1, lift=3)
    weak, same = exclusive(400, 3, seed=1, lift=1)
    assert np.array_equal(y, same)
    first, second = score(weak, y, SCHEMA), score(strong, y, SCHEMA)
    for metric in ("accuracy", "f1_macro", "log_loss", "roc_auc_macro"):
        got = compare(first, second, metric=metric, names=("old", "new"))
        assert got.better == "new", metric
    assert compare(first, second, names=("old", "new")).verdict.startswith("new is better: accuracy 0.")
    assert compare(second, first, names=("new", "old")).better == "new"


def test_equal_models_are_a_draw() -> None:
    p, y = exclusive(200, 3, seed=1)
    rng = np.random.default_rng(0)
    other = p + rng.normal(scale=0.01, size=p.shape) ** 2
    other /= other.sum(axis=1, keepdims=True)
    got = compare(score(p, y, SCHEMA), score(other, y, SCHEMA), metric="accuracy")
    assert got.better is None
    assert got.verdict.startswith("No difference can be told from chance on this data: accuracy 0.")


def test_pairing_makes_the_interval_narrow() -> None:
    p, y = exclusive(300, 3, seed=1)
    sharper = p**1.1 / (p**1.1).sum(axis=1, keepdims=True)
    got = compare(score(p, y, SCHEMA), score(sharper, y, SCHEMA), metric="log_loss").difference
    assert got.high is not None
    assert got.low is not None
    assert got.high - got.low < 0.05


def test_groups_widen_the_difference() -> None:
    a, y = exclusive(40, 3, seed=1, lift=1.5)
    b, _ = exclusive(40, 3, seed=1, lift=1.8)
    many = [score(np.repeat(x, 10, axis=0), np.repeat(y, 10), SCHEMA) for x in (a, b)]
    alone = compare(many[0], many[1], metric="f1_macro").difference
    grouped = compare(many[0], many[1], metric="f1_macro", groups=[str(i // 10) for i in range(400)]).difference
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)  # type: ignore[operator]
    assert grouped.n_groups == 40


def test_other_images_are_refused() -> None:
    p, y = exclusive(20, 3)
    with pytest.raises(DataError) as caught:
        compare(score(p, y, SCHEMA), score(p, (y + 1) % 3, SCHEMA))
    assert str(caught.value) == (
        "two models are compared on the same images and labels in the same order, but the targets differ"
    )


def test_unknown_metric_lists_the_known() -> None:
    p, y = exclusive(20, 3)
    scored = score(p, y, SCHEMA)
    with pytest.raises(SettingsError) as caught:
        compare(scored, scored, metric="acuracy")
    assert str(caught.value).startswith("unknown metric 'acuracy'; this task knows accuracy, accuracy_answered, ")


def test_five_better_images_are_too_few_for_a_winner() -> None:
    y = np.zeros(100, dtype=int)
    weak = np.tile([0.9, 0.1], (100, 1))
    weak[:5] = [0.1, 0.9]
    schema = schema_of(Task.BINARY, 2)
    got = compare(score(weak, y, schema), score(np.tile([0.9, 0.1], (100, 1)), y, schema), metric="accuracy")
    assert got.difference.low is not None
    assert got.difference.low > 0
    assert got.mcnemar is not None
    assert got.mcnemar.p_value == pytest.approx(0.0625)
    assert got.better is None
