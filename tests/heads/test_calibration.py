"""Calibration makes probabilities honest and never makes its own log loss worse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import SettingsError
from tellapart.heads.calibration import Calibration, fit_calibration
from tellapart.heads.selection import sample_losses
from tellapart.records import Task


def _simulated(n: int, k: int, overconfidence: float, seed: int = 0) -> tuple[Any, Any]:
    """Logits whose honest temperature is `overconfidence`, with targets drawn from the honest probabilities."""
    rng = np.random.default_rng(seed)
    honest = 1.5 * rng.standard_normal((n, k))
    gumbel = -np.log(-np.log(rng.uniform(size=(n, k))))
    return (overconfidence * honest).astype(np.float32), (honest + gumbel).argmax(axis=1)


def _ece(probabilities: Any, targets: Any) -> float:
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = np.bincount(bins, right - confidence.astype(float), minlength=15)
    return float(np.abs(gaps).sum() / len(targets))


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_temperature_is_found_and_lowers_the_calibration_error(factor: float) -> None:
    logits, targets = _simulated(4000, 6, factor)
    calibration = fit_calibration(logits, targets, task=Task.MULTICLASS)
    assert calibration.temperature == pytest.approx(np.full(6, factor), rel=0.08)
    fresh, fresh_targets = _simulated(20_000, 6, factor, seed=1)
    before = _ece(Calibration.identity(Task.MULTICLASS, 6).apply(fresh), fresh_targets)
    after = _ece(calibration.apply(fresh), fresh_targets)
    assert after < 0.02
    assert after < before / 4 or factor == 1.0


def test_a_shift_of_the_classes_is_found() -> None:
    """What class weights do to a head: rare classes are promised too often, and no temperature mends it."""
    logits, targets = _simulated(6000, 4, 2.0)
    shift = np.float32([1.5, -0.5, -0.5, -0.5])
    calibration = fit_calibration(logits + shift, targets, task=Task.MULTICLASS)
    np.testing.assert_allclose(calibration.temperature, 2.0, rtol=0.1)
    found = calibration.offset - calibration.offset.mean()
    np.testing.assert_allclose(found, -shift / 2, atol=0.12)
    fresh, fresh_targets = _simulated(20_000, 4, 2.0, seed=1)
    assert _ece(calibration.apply(fresh + shift), fresh_targets) < 0.02


def test_a_class_of_few_examples_hardly_moves() -> None:
    logits, targets = _simulated(2000, 3, 1.0)
    kept = (targets != 2) | (np.cumsum(targets == 2) <= 5)
    offset = fit_calibration(logits[kept][:30], targets[kept][:30], task=Task.MULTICLASS).offset
    assert np.abs(offset).max() < 0.5
    assert np.abs(fit_calibration(logits[kept], targets[kept], task=Task.MULTICLASS).offset).max() > 1


def test_a_class_without_examples_is_no_error() -> None:
    logits, targets = _simulated(300, 3, 1.0)
    calibration = fit_calibration(logits[targets < 2], targets[targets < 2], task=Task.MULTICLASS)
    assert calibration.offset[2] < min(calibration.offset[:2])
    assert np.isfinite(calibration.apply(logits)).all()


def test_labels_get_their_own_slope_and_offset() -> None:
    rng = np.random.default_rng(0)
    honest = 2 * rng.standard_normal((5000, 3))
    targets = (rng.uniform(size=honest.shape) < 1 / (1 + np.exp(-honest))).astype(np.uint8)
    logits = honest * [2.0, 0.5, 1.0] + [1.0, 0.0, -2.0]
    calibration = fit_calibration(logits, targets, task=Task.MULTILABEL)
    np.testing.assert_allclose(calibration.temperature, [2.0, 0.5, 1.0], rtol=0.1)
    np.testing.assert_allclose(calibration.offset, [-0.5, 0.0, 2.0], atol=0.12)


def test_labels_with_few_examples_share_a_slope_and_have_no_offset() -> None:
    rng = np.random.default_rng(0)
    logits = 4 * rng.standard_normal((2000, 3))
    targets = (rng.uniform(size=logits.shape) < 1 / (1 + np.exp(-logits / 2))).astype(np.uint8)
    targets[:, 2] = 0
    targets[:3, 2] = 1
    calibration = fit_calibration(logits, targets, task=Task.MULTILABEL)
    assert calibration.offset[2] == 0
    assert calibration.temperature[2] != calibration.temperature[0]
    assert np.isfinite(calibration.apply(logits)).all()


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.MULTILABEL])
def test_ten_right_answers_are_no_certainty(task: Task) -> None:
    logits = np.where(np.eye(2)[np.arange(10) % 2] == 1, 3.0, -3.0)
    targets = np.arange(10) % 2 if task is Task.MULTICLASS else np.eye(2, dtype=np.uint8)[np.arange(10) % 2]
    calibration = fit_calibration(logits, targets, task=task)
    assert (calibration.temperature > 0.3).all()


@given(st.integers(1, 30), st.integers(2, 4), st.floats(0.01, 100), st.integers(0, 1000), st.booleans())
def test_never_worse_than_doing_nothing(n: int, k: int, scale: float, seed: int, multilabel: bool) -> None:
    rng = np.random.default_rng(seed)
    logits = scale * rng.standard_normal((n, k))
    task = Task.MULTILABEL if multilabel else Task.MULTICLASS
    targets = rng.integers(0, 2, (n, k)) if multilabel else rng.integers(0, k, n)
    calibration = fit_calibration(logits, targets, task=task)
    assert (calibration.temperature >= 0.049).all()
    assert (calibration.temperature <= 20.01).all()
    after = sample_losses(logits / calibration.temperature + calibration.offset, targets, task=task).mean()
    assert after <= sample_losses(logits, targets, task=task).mean() * (1 + 1e-6) + 1e-9


def test_no_samples_change_nothing() -> None:
    calibration = fit_calibration(np.empty((0, 3)), np.empty(0, int), task=Task.MULTICLASS)
    np.testing.assert_array_equal(calibration.temperature, np.ones(3))


def test_useless_logits_are_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        fit_calibration(np.zeros((4, 2)), np.zeros(3, int), task=Task.MULTICLASS)
    assert str(caught.value) == "calibration needs finite logits (n, k) and n targets, got 4 and 3"
