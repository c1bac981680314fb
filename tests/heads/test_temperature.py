"""One number makes confidence honest, whatever the size of the scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.heads.calibration import Calibration
from tellapart.heads.temperature import fit_temperature, margin
from tellapart.records import Task

EVEN = np.full(3, 1 / 3)


def scores(n: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits whose softmax is exactly how often each class is right."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 3)) * 2
    p = Calibration.identity(Task.MULTICLASS, 3).apply(z.astype(np.float32)).astype(np.float64)
    y = (p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(0, 2)
    return z.astype(np.float32), y


def fitted(z: NDArray[Any], y: NDArray[Any], **options: Any) -> Calibration:
    return fit_temperature(z, y, **{"task": Task.MULTICLASS, "priors": EVEN, **options})


@pytest.mark.parametrize("times", [0.001, 1.0, 500.0])
def test_it_finds_how_much_too_sure_scores_are(times: float) -> None:
    z, y = scores(5_000)
    assert fitted(z * np.float32(times), y).temperature == pytest.approx([times] * 3, rel=0.08)


def test_the_scale_of_scores_changes_no_probability() -> None:
    z, y = scores(300)
    np.testing.assert_allclose(fitted(z, y).apply(z), fitted(z * 64, y).apply(z * 64), atol=1e-4)


def test_priors_are_said_and_scores_that_know_nothing_of_them_stay_as_they_are() -> None:
    z, y = scores(2_000)
    for priors in (np.array([0.7, 0.2, 0.1]), EVEN):
        shares = np.exp(fitted(z, y, priors=priors).offset)
        np.testing.assert_allclose(shares / shares.sum(), priors, rtol=0.1)


def test_a_class_whose_scores_are_too_low_gets_an_offset_where_classes_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    z, y = scores(2_000)
    low = z - np.array([0, 0, 2], np.float32)
    offset = fitted(low, y).offset
    assert offset[2] - offset[:2].mean() == pytest.approx(2, abs=0.3)
    monkeypatch.setattr("tellapart.heads.temperature._MOST_OFFSETS", 2)
    assert not fitted(low, y).offset.any()


def test_classes_count_as_their_priors_say() -> None:
    """Class 0 is overconfident and most of what is there: how much that counts depends on how frequent it is."""
    z, y = scores(4_000)
    rows = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y != 0)[:40]])
    z, y = z[rows], y[rows]
    z[y == 0, 1] += 4
    frequent, rare = (fitted(z, y, priors=np.array([p, (1 - p) / 2, (1 - p) / 2])).temperature[0] for p in (0.9, 0.1))
    assert frequent > rare * 1.2


def test_few_images_do_not_make_sure() -> None:
    z, y = np.array([[9, 0, 0], [0, 9, 0]], np.float32), np.array([0, 1])
    p = fitted(z, y).apply(z).max(axis=1)
    assert ((p > 0.6) & (p < 0.97)).all()
    wrong = fitted(z, np.array([1, 0]))
    assert wrong.apply(z).max() < 0.6


def test_equal_scores_are_no_trouble() -> None:
    found = fitted(np.zeros((4, 3), np.float32), np.array([0, 1, 2, 0]))
    assert np.isfinite(found.temperature).all()
    assert found.apply(np.zeros((1, 3), np.float32)) == pytest.approx(np.full((1, 3), 1 / 3))


def test_margin_is_how_much_the_first_leads() -> None:
    assert margin(np.array([[1, 5, 2], [0, 1, 9], [3, 3, 3]], np.float32)) == 3
