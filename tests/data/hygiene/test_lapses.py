"""Lapses: the rate at which labels contradict a model however sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.data.hygiene.lapses import fit_lapses


def draw(rate: float, n: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sureness, and contradictions of a model that errs with the odds exp(0.5 - 1.5 · sureness), and of labels."""
    rng = np.random.default_rng(seed)
    sureness = rng.exponential(2.0, n)
    error = 1 / (1 + np.exp(1.5 * sureness - 0.5))
    return sureness, rng.random(n) < rate + (1 - rate) * error


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_the_rate_and_the_curve_are_found(rate: float) -> None:
    found = fit_lapses(*draw(rate))
    assert found.rate == pytest.approx(rate, rel=0.15)
    assert found.offset == pytest.approx(0.5, abs=0.2)
    assert found.steepness == pytest.approx(1.5, rel=0.1)
    assert found.evidence > 50
    np.testing.assert_allclose(found.error(np.array([0.0, 50.0])), [0.62, 0], atol=0.05)


def sure_everywhere(rate: float, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A model that is hardly ever torn and errs with the odds exp(-3 · sureness), and labels that are wrong at a rate."""
    rng = np.random.default_rng(seed)
    sureness = rng.normal(2.4, 0.6, n).clip(0.05)
    error = 1 / (1 + np.exp(3 * sureness))
    return sureness, rng.random(n) < rate + (1 - rate) * error


@pytest.mark.parametrize("rate", [0.03, 0.06])
def test_where_classes_are_easily_told_apart_wrong_labels_do_not_pass_for_errors_of_the_model(rate: float) -> None:
    found = [fit_lapses(*sure_everywhere(rate, 1000, seed)) for seed in range(4)]
    assert [one.rate for one in found] == pytest.approx([rate] * 4, abs=0.02)
    assert min(one.evidence for one in found) > 5.4
    assert max(fit_lapses(*sure_everywhere(0.0, 1000, seed)).evidence for seed in range(4)) < 5.4


def test_without_label_errors_there_is_no_evidence_for_any() -> None:
    alarms = [fit_lapses(*draw(0.0, 1000, seed)).evidence > 5.4 for seed in range(20)]
    assert sum(alarms) <= 1


def test_images_that_are_wrong_together_are_evidence_once() -> None:
    """Ten frames of each scene tell no more than one."""
    scenes = draw(0.05, 600)
    frames = [np.repeat(part, 10) for part in scenes]
    once = fit_lapses(*scenes).evidence
    assert fit_lapses(*frames).evidence == pytest.approx(10 * once, rel=0.05)
    assert fit_lapses(*frames, 0.1).evidence == pytest.approx(once, rel=0.05)


@pytest.mark.parametrize("contradicted", [np.zeros(30, bool), np.ones(30, bool), np.arange(30) < 5])
def test_extremes_end(contradicted: np.ndarray) -> None:
    found = fit_lapses(np.linspace(0, 40, 30), contradicted)
    assert 0 <= found.rate <= 1
    assert np.isfinite([found.offset, found.steepness, found.evidence]).all()


def test_one_image() -> None:
    assert fit_lapses(np.array([3.0]), np.array([False])).rate < 0.01
