"""What may be accepted without a person: never more than the agreed error, and an honest no."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from tellapart.errors import Reason, SettingsError
from tellapart.heads.acceptance import Acceptance, fit_acceptance
from tellapart.heads.objectives import Doubles
from tellapart.heads.promises import Booleans


def _answers(n: int, seed: int, skill: float = 3.0) -> tuple[Doubles, Booleans]:
    """Confidences and verdicts of a calibrated answerer."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(skill, 2, n)))
    return p, rng.random(n) < p


def _true_precision(threshold: float, skill: float = 3.0) -> float:
    """Mean of p above the threshold, by the middle of many small steps."""
    at = NormalDist(skill, 2)
    cuts = np.log(threshold / (1 - threshold)) if 0 < threshold < 1 else -50.0
    z = np.array([at.inv_cdf(q) for q in np.linspace(at.cdf(float(cuts)) + 1e-9, 1 - 1e-9, 4001)])
    return float((1 / (1 + np.exp(-z))).mean())


def _fit(confidence: Doubles, right: Booleans, precision: float = 0.95) -> Acceptance:
    return fit_acceptance(confidence, right, np.arange(len(right)), precision)


def test_the_promise_holds_in_nine_of_ten_data_sets() -> None:
    found = [_fit(*_answers(600, seed)) for seed in range(150)]
    promised = [one for one in found if one.promised]
    false = sum(_true_precision(one.threshold) < 0.95 for one in promised)
    assert len(promised) > 120
    assert false <= 0.1 * 150 + 4  # four are a standard deviation


def test_what_is_told_is_what_was_seen() -> None:
    confidence, right = _answers(600, 1)
    found = _fit(confidence, right)
    accepted = confidence >= found.threshold
    assert found.support == accepted.sum()
    assert found.achieved == pytest.approx(right[accepted].mean())
    assert found.achieved >= 0.95
    assert 0 < accepted.mean() < 1


def test_what_is_less_sure_than_all_evidence_is_not_accepted() -> None:
    assert _fit(np.linspace(0.9, 1, 60), np.ones(60, bool), 0.9).threshold >= 0.9


def test_a_stricter_precision_accepts_less() -> None:
    confidence, right = _answers(3000, 2)
    supports = [_fit(confidence, right, precision).support for precision in (0.8, 0.9, 0.98)]
    assert supports[0] > supports[1] > supports[2] > 0


def test_too_few_images_promise_nothing() -> None:
    found = _fit(np.linspace(0.9, 1, 60), np.ones(60, bool), 0.98)
    assert not found.promised
    assert found.threshold == float("inf")
    assert found.why_not == (
        "a promise of 0.98 takes at least 114 labelled images that are not near-duplicates, all of them told rightly; "
        "there are 60"
    )


def test_near_duplicates_are_no_evidence() -> None:
    confidence, right = np.linspace(0.9, 1, 240), np.ones(240, bool)
    assert _fit(confidence, right, 0.98).promised
    assert not fit_acceptance(confidence, right, np.arange(240) // 6, 0.98).promised


def test_mistakes_among_the_surest_are_told() -> None:
    confidence = np.linspace(0.5, 1, 400)
    right = np.arange(400) % 10 > 0
    found = _fit(confidence, right, 0.98)
    assert not found.promised
    wrong = int((~right[-found.support :]).sum())
    assert found.support == 200  # half of the images
    assert found.achieved == pytest.approx(1 - wrong / 200)
    assert found.why_not == (
        f"{wrong} of the 200 surest answers on held-out images were wrong, too many to promise 0.98 with 90 % confidence"
    )


def test_nothing_held_out_promises_nothing() -> None:
    assert _fit(np.zeros(0), np.zeros(0, bool)).why_not == "no answer was held out"


@pytest.mark.parametrize("precision", [0.0, 1.0, -1.0, 98.0])
def test_precisions_that_cannot_be(precision: float) -> None:
    with pytest.raises(SettingsError) as caught:
        _fit(np.ones(3), np.ones(3, bool), precision)
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == f"a precision is a share between 0 and 1, such as 0.98, got {precision:g}"


def test_arrays_that_do_not_fit() -> None:
    with pytest.raises(SettingsError, match=r"are needed for each answer, got 3, 2 and 3"):
        fit_acceptance(np.ones(3), np.ones(2, bool), np.arange(3), 0.9)
