"""Closed forms against the same regressions fitted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.training.ridge import Ridge

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(12, 30))
LABELS = np.eye(3, dtype=np.uint8)[np.arange(12) % 3]
WEIGHTS = RNG.uniform(0.5, 2, 12)


def plainly(
    z: NDArray[np.float64], labels: NDArray[np.uint8], weights: NDArray[np.float64], penalty: float
) -> NDArray[np.float64]:
    """Weight and, last, bias (d + 1, k) from the normal equations, the intercept unpenalised."""
    ones = np.column_stack([z, np.ones(len(z))])
    penalties = penalty * np.diag([1.0] * z.shape[1] + [0.0])
    return np.linalg.solve(ones.T @ (weights[:, None] * ones) + penalties, ones.T @ (weights[:, None] * labels))


def scaled(penalty: float) -> float:
    """What Ridge adds to the diagonal: the penalty in units of the mean eigenvalue."""
    share = WEIGHTS / WEIGHTS.sum()
    centred = (Z - share @ Z) * np.sqrt(share)[:, None]
    return penalty * float(np.trace(centred @ centred.T)) / len(Z)


@pytest.mark.parametrize("penalty", [0.01, 1.0, 10.0])
def test_it_is_weighted_least_squares_with_a_penalty(penalty: float) -> None:
    weight, bias = Ridge.of(Z, WEIGHTS).fit(LABELS, penalty)
    expected = plainly(Z, LABELS, WEIGHTS / WEIGHTS.sum(), scaled(penalty))
    np.testing.assert_allclose(weight, expected[:-1], atol=1e-9)
    np.testing.assert_allclose(bias, expected[-1], atol=1e-9)


@pytest.mark.parametrize("folds", [np.arange(12), np.arange(12) // 3, np.repeat([0, 1], 6)])
def test_held_out_answers_are_those_of_fits_without_the_fold(folds: NDArray[np.int64]) -> None:
    share = WEIGHTS / WEIGHTS.sum()
    found = Ridge.of(Z, WEIGHTS).held_out(LABELS, folds, 0.3)
    for fold in np.unique(folds):
        out = folds == fold
        without = plainly(Z[~out], LABELS[~out], share[~out], scaled(0.3))
        np.testing.assert_allclose(found[out], Z[out] @ without[:-1] + without[-1], atol=1e-8)


def test_equal_features_are_no_obstacle() -> None:
    same = np.ones((6, 4))
    weight, bias = Ridge.of(same, np.ones(6)).fit(LABELS[:6], 1.0)
    np.testing.assert_allclose(weight, 0, atol=1e-9)
    np.testing.assert_allclose(bias, 1 / 3)
