"""The head in closed form is that of scikit-learn where that is defined, and sober where images are few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.covariance import oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from tests.heads.data import embeddings

from tellapart.errors import Reason, SettingsError
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.heads.lda import WithinCovariance, lda_head, nearest_mean_head, shrinkage_of
from tellapart.heads.linear import LinearHead
from tellapart.records import Task


def gaussian(n: int, d: int, k: int, seed: int = 0, apart: float = 1.0) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Classes that share one covariance with correlations."""
    rng = np.random.default_rng(seed)
    mixing, means = np.random.default_rng(7).normal(size=(d, d)), np.random.default_rng(8).normal(size=(k, d)) * apart
    y = rng.integers(0, k, n)
    return ((rng.normal(size=(n, d)) + means[y]) @ mixing + 3).astype(np.float32), y


def head_of(x: NDArray[Any], y: NDArray[np.int64], k: int) -> LinearHead:
    return lda_head(ClassStatistics.of(x, y), range(k), task=Task.MULTICLASS)


def centred(logits: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))


def test_of_many_images_it_is_the_textbooks() -> None:
    x, y = gaussian(40_000, 5, 3)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", priors=[1 / 3] * 3).fit(x.astype(np.float64), y)
    ours, expected = head_of(x, y, 3).logits(x[:200]), theirs.decision_function(x[:200].astype(np.float64))
    np.testing.assert_allclose(centred(ours), centred(expected), atol=0.25)
    assert (ours.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.99


def test_shrinkage_is_the_oracles_more_of_it_and_falls_with_images() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 12)) @ rng.normal(size=(12, 12))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    theirs = oas(z, assume_centered=True)[1]
    assert shrinkage_of(z.T @ z / 60, 60) == pytest.approx(10 * theirs / (1 + 10 * theirs), rel=0.02)
    found = [WithinCovariance.of(ClassStatistics.of(*gaussian(n, 8, 3))).shrinkage for n in (12, 50, 500, 5000)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.7
    assert found[-1] < 0.03
    assert shrinkage_of(np.eye(4), 10) == 1


def test_it_uses_correlations_that_nearest_means_cannot() -> None:
    x, y = gaussian(2_000, 20, 4, apart=0.5)
    statistics, (test, truth) = ClassStatistics.of(x, y), gaussian(1_000, 20, 4, seed=1, apart=0.5)
    right = {
        name: (make(statistics, range(4), task=Task.MULTICLASS).logits(test).argmax(axis=1) == truth).mean()
        for name, make in (("lda", lda_head), ("nearest", nearest_mean_head))
    }
    assert right["lda"] > right["nearest"] + 0.1


def test_the_nearest_mean_is_the_nearest_by_each_features_spread() -> None:
    x, y = gaussian(300, 6, 3)
    logits = nearest_mean_head(ClassStatistics.of(x, y), range(3), task=Task.MULTICLASS).logits(x)
    x = x.astype(np.float64)
    means = np.stack([x[y == c].mean(axis=0) for c in range(3)])
    spread = (x - means[y]).std(axis=0)
    distances = (((x[:, None] - means) / spread) ** 2).sum(axis=2)
    assert (logits.argmax(axis=1) == distances.argmin(axis=1)).mean() > 0.98


def test_grown_statistics_give_the_same_head() -> None:
    x, y = embeddings(400, 30, 4)
    grown = ClassStatistics.empty(30)
    for rows in np.array_split(np.random.default_rng(0).permutation(400), 23):
        grown = grown.adding(x[rows], y[rows])
    once, again = head_of(x, y, 4), lda_head(grown, range(4), task=Task.MULTICLASS)
    np.testing.assert_allclose(again.weight, once.weight, rtol=1e-5, atol=1e-6 * float(np.abs(once.weight).max()))
    np.testing.assert_allclose(again.logits(x), once.logits(x), rtol=1e-4, atol=1e-4)


def test_a_class_of_few_images_is_found_and_does_not_swallow_others() -> None:
    """In many features its mean is off by chance: taken as it is, its class would look far from everything."""
    x, y = gaussian(3_000, 150, 4, apart=0.25)
    few = np.flatnonzero(y == 3)[:8]
    rows = np.concatenate([np.flatnonzero(y != 3), few])
    test, truth = gaussian(2_000, 150, 4, seed=1, apart=0.25)
    answers = head_of(x[rows], y[rows], 4).logits(test).argmax(axis=1)
    assert (answers[truth == 3] == 3).mean() > 0.5
    assert (answers[truth != 3] == 3).mean() < 0.15


def test_one_image_of_each_class_is_enough_for_an_answer() -> None:
    x = np.eye(4, 6, dtype=np.float32) * np.float32(3)
    logits = head_of(x, np.arange(4), 4).logits(x)
    assert logits.argmax(axis=1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("n", [2, 3, 6])
def test_what_says_little_does_no_harm(n: int) -> None:
    """Equal images, constant features, nearly nothing: all of it has finite answers."""
    y = np.arange(n) % 2
    for x in (np.ones((n, 5)), np.zeros((n, 5)), np.arange(n)[:, None] * np.eye(1, 5)):
        for make in (lda_head, nearest_mean_head):
            head = make(ClassStatistics.of(x.astype(np.float32), y), range(2), task=Task.BINARY)
            assert np.isfinite(head.weight).all()
            assert np.isfinite(head.bias).all()


def test_a_feature_that_never_moved_does_not_drown_the_others() -> None:
    x, y = gaussian(300, 6, 3)
    x[:, 2] = 5
    head = head_of(x, y, 3)
    x[:, 2] = 6
    assert (head.logits(x).argmax(axis=1) == y).mean() > 0.8


def test_a_class_without_images_is_never_answered() -> None:
    x, y = gaussian(100, 6, 3)
    statistics = ClassStatistics.empty(6, [0, 1, 2, 9]).adding(x, y)
    logits = lda_head(statistics, [9, 0, 1, 2], task=Task.MULTICLASS).logits(x)
    assert (logits[:, 0] < logits[:, 1:].min(axis=1) - 1_000).all()


def test_columns_come_in_the_order_asked_for() -> None:
    x, y = gaussian(200, 6, 3)
    statistics = ClassStatistics.of(x, y)
    first, second = (lda_head(statistics, order, task=Task.MULTICLASS).logits(x) for order in ([0, 1, 2], [2, 0, 1]))
    np.testing.assert_allclose(first[:, [2, 0, 1]], second, rtol=1e-4, atol=1e-4)


def test_a_binary_head_has_columns_of_opposite_sign() -> None:
    x, y = gaussian(200, 6, 2)
    head = lda_head(ClassStatistics.of(x, y), range(2), task=Task.BINARY)
    np.testing.assert_array_equal(head.weight[:, 0], -head.weight[:, 1])
    assert (head.logits(x).argmax(axis=1) == y).mean() > 0.8


def test_what_cannot_be_is_refused() -> None:
    statistics = ClassStatistics.of(*gaussian(50, 6, 3))
    for given, ids, task, message in (
        (
            statistics,
            [0, 1],
            Task.MULTILABEL,
            "class statistics are of one label per image, and this task has several: take another method",
        ),
        (
            statistics,
            [0, 5],
            Task.MULTICLASS,
            "the class statistics have no class of the id 5, so there is no head to make of them",
        ),
        (
            ClassStatistics.empty(6, [0, 1]),
            [0, 1],
            Task.MULTICLASS,
            "the class statistics have no image, so there is no head to make of them",
        ),
    ):
        with pytest.raises(SettingsError) as caught:
            lda_head(given, ids, task=task)
        assert caught.value.reason is Reason.BAD_SETTING
        assert str(caught.value) == message
