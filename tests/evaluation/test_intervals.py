"""Intervals contain the truth as often as they say, and never pretend to certainty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.evaluation.builders import exclusive, schema_of

from tellapart.evaluation.intervals import (
    Behind,
    Estimate,
    bootstrap,
    estimate_all,
    interval,
    resample_count,
    t_quantile,
    wilson,
)
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.scored import score
from tellapart.evaluation.units import units_of
from tellapart.records import Task


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_equals_scipy(hits: int, n: int) -> None:
    hits = min(hits, n)
    wanted = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n, stats.norm.ppf(0.975)) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 10, 30, 200, 5000])
def test_t_quantile_is_close_to_scipys(freedom: int) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.01)


def test_plain_proportion_gets_wilsons_interval() -> None:
    p, y = exclusive(300, 3, seed=2)
    got = estimate_all(Measurer.of(score(p, y, schema_of(Task.MULTICLASS, 3)))).overall["accuracy"]
    wanted = stats.binomtest(int((p.argmax(axis=1) == y).sum()), 300).proportion_ci(method="wilson")
    assert got.low == pytest.approx(wanted.low, abs=0.006)
    assert got.high == pytest.approx(wanted.high, abs=0.006)
    assert (got.n, got.n_groups, got.method) == (300, None, "wilson")


@pytest.mark.parametrize("n", [2, 5, 20, 100])
def test_a_perfect_score_is_not_certain(n: int) -> None:
    y = np.arange(n) % 2
    p = np.where(np.eye(2)[y] == 1, 0.99, 0.01)
    found = estimate_all(Measurer.of(score(p, y, schema_of(Task.BINARY, 2)))).overall
    for name in (
        "accuracy",
        "f1",
        "f1_macro",
        "recall",
        "precision",
        "roc_auc",
        "average_precision",
        "balanced_accuracy",
    ):
        estimate = found[name]
        assert estimate.value == 1.0
        assert estimate.high == 1.0
        assert estimate.low is not None
        assert 0 < estimate.low < 1 - 0.9 / n, name


def test_a_perfect_score_on_few_groups_counts_the_groups() -> None:
    y = np.arange(100) % 2
    p = np.eye(2)[y]
    unit = units_of([str(i // 10) for i in range(100)], 100)
    estimate = estimate_all(Measurer.of(score(p, y, schema_of(Task.BINARY, 2)), unit=unit)).overall["accuracy"]
    assert estimate.low == pytest.approx(stats.binomtest(10, 10).proportion_ci(method="wilson").low, abs=1e-6)
    assert estimate.n_groups == 10


def test_alike_images_of_a_group_widen_the_interval() -> None:
    p, y = exclusive(60, 2, seed=4, lift=1.0)
    copies_p, copies_y = np.repeat(p, 10, axis=0), np.repeat(y, 10)
    scored = score(copies_p, copies_y, schema_of(Task.BINARY, 2))
    unit = units_of([str(i // 10) for i in range(600)], 600)

    def width(estimate: Estimate) -> float:
        assert estimate.low is not None
        assert estimate.high is not None
        return estimate.high - estimate.low

    once = estimate_all(Measurer.of(score(p, y, schema_of(Task.BINARY, 2)))).overall
    naive = estimate_all(Measurer.of(scored)).overall
    grouped = estimate_all(Measurer.of(scored, unit=unit)).overall
    for name in ("accuracy", "f1_macro", "roc_auc"):
        assert width(grouped[name]) > 2.5 * width(naive[name])
        assert width(grouped[name]) == pytest.approx(width(once[name]), rel=0.15)


def test_one_group_has_no_interval() -> None:
    p, y = exclusive(30, 2)
    unit = units_of(["a"] * 30, 30)
    estimate = estimate_all(Measurer.of(score(p, y, schema_of(Task.BINARY, 2)), unit=unit)).overall["accuracy"]
    assert estimate.value is not None
    assert (estimate.low, estimate.high, estimate.method) == (None, None, "none")


def test_the_seed_decides() -> None:
    p, y = exclusive(80, 3)
    m = Measurer.of(score(p, y, schema_of(Task.MULTICLASS, 3)))
    assert estimate_all(m, seed=1) == estimate_all(m, seed=1)
    assert estimate_all(m, seed=1) != estimate_all(m, seed=2)


def test_bootstrap_mean_and_spread_are_those_of_resampled_data() -> None:
    p, y = exclusive(60, 3, seed=9)
    schema = schema_of(Task.MULTICLASS, 3)
    ours = bootstrap(Measurer.of(score(p, y, schema)), n_resamples=1000, seed=0).overall
    rng, drawn = np.random.default_rng(1), []
    for _ in range(300):
        rows = rng.integers(0, 60, 60)
        drawn.append(Measurer.of(score(p[rows], y[rows], schema)).point().overall)
    for name in ("accuracy", "f1_macro", "log_loss", "roc_auc_macro"):
        theirs = np.array([float(d[name][0]) for d in drawn])
        assert ours[name].mean() == pytest.approx(theirs.mean(), abs=0.02)
        assert ours[name].std() == pytest.approx(theirs.std(), rel=0.2)


@pytest.mark.parametrize("lift", [1.0, 3.0])
def test_intervals_contain_the_truth(lift: float) -> None:
    schema = schema_of(Task.MULTICLASS, 3)
    p, y = exclusive(100_000, 3, seed=99, lift=lift)
    truth = Measurer.of(score(p, y, schema)).point().overall
    names = ("accuracy", "f1_macro", "roc_auc_macro")
    hits = dict.fromkeys(names, 0)
    for seed in range(150):
        p, y = exclusive(80, 3, seed=seed, lift=lift)
        found = estimate_all(Measurer.of(score(p, y, schema)), n_resamples=200).overall
        for name in names:
            low, high = found[name].low, found[name].high
            assert low is not None
            assert high is not None
            hits[name] += low <= truth[name][0] <= high
    assert min(hits.values()) >= 0.89 * 150, hits


def test_large_data_gets_fewer_replicates() -> None:
    assert [resample_count(n) for n in (10, 20_000, 50_000, 10**7)] == [1000, 1000, 400, 200]


def test_few_groups_use_students_t_and_the_unbiased_variance() -> None:
    replicates = np.linspace(0.6, 0.9, 1001)
    behind = Behind(n=1000, units=5, most=1000.0, sure=5.0)
    got = interval("accuracy", 0.8, replicates, behind, grouped=True)
    effective = 0.8 * 0.2 / (replicates.var() * 5 / 4)
    assert (got.low, got.high) == pytest.approx(wilson(0.8, effective, t_quantile(0.975, 4)))
    assert got.n_groups == 5


def test_losses_get_percentiles_around_the_value() -> None:
    replicates = np.random.default_rng(0).normal(2.0, 0.1, 1000)
    got = interval("log_loss", 2.0, replicates, Behind(100, 100, 100.0, 100.0), grouped=False)
    assert got.method == "bootstrap"
    assert (got.low, got.high) == pytest.approx((1.8, 2.2), abs=0.03)
