"""The OOD score flags the stated share of images like the training ones, and those that are not."""

from __future__ import annotations

import numpy as np
import pytest
from tests.heads.data import embeddings

from tellapart.errors import ModelError, SettingsError
from tellapart.heads.ood import OodDetector


@pytest.mark.parametrize(("n", "d"), [(400, 300), (1500, 100), (3000, 40), (700, 650)])
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_about_the_stated_share_of_familiar_images_is_flagged(n: int, d: int, share: float) -> None:
    x, _ = embeddings(n + 6000, d, 5)
    detector = OodDetector.fit(x[:n], share=share)
    flagged = float((detector.score(x[n:]) >= 1).mean())
    # With hardly more images than features each fold's detector misses its fifth of them: the threshold is cautious.
    assert (0.05 if n < 2 * d else 0.2) * share < flagged < 2 * share


@pytest.mark.parametrize("n", [2, 10, 40])
def test_few_samples_do_not_flag_everything(n: int) -> None:
    rates = []
    for seed in range(20):
        x, _ = embeddings(n + 200, 60, 3, seed=seed)
        detector = OodDetector.fit(x[:n])
        rates.append((detector.score(x[n:]) >= 1).mean())
        assert np.isfinite(detector.score(x)).all()
    # Two images say nothing of what others look like; ten say something.
    assert np.mean(rates) < 0.03 or n == 2


def test_strange_images_are_flagged() -> None:
    x, _ = embeddings(2500, 120, 5)
    strange, _ = embeddings(500, 120, 5, seed=9)
    detector = OodDetector.fit(x[:500])
    assert (detector.score(strange) >= 1).mean() > 0.95
    assert np.median(detector.score(strange)) > 1.2 > 1 > np.median(detector.score(x[500:]))


def test_a_feature_that_never_moved_is_loud() -> None:
    x, _ = embeddings(600, 30, 3)
    x[:, 4] = 0
    changed = x[500:].copy()
    changed[:, 4] = 3
    detector = OodDetector.fit(x[:500])
    assert (detector.score(changed) >= 1).all()


def test_groups_make_the_threshold_honest() -> None:
    """Videos of fifty near-equal frames: frames of another video must not be flagged because of that."""
    centres, _ = embeddings(60, 40, 3)
    group = np.repeat(np.arange(60), 50)
    frames = centres[group] + np.random.default_rng(0).normal(0, 0.02, (3000, 40)).astype(np.float32)
    train = group < 40
    shuffled = np.random.default_rng(1).permutation(train.sum()) % 5
    leaking = OodDetector.fit(frames[train], folds=shuffled)
    honest = OodDetector.fit(frames[train], folds=group[train])
    rates = [(detector.score(frames[~train]) >= 1).mean() for detector in (leaking, honest)]
    assert rates[1] < 0.1
    assert rates[1] < rates[0]


def test_degenerate_embeddings_are_no_error() -> None:
    same = OodDetector.fit(np.ones((20, 7), np.float32))
    assert np.isfinite(same.score(np.ones((3, 7), np.float32))).all()
    assert (same.score(np.full((3, 7), 2, np.float32)) >= 1).all()
    one_feature = OodDetector.fit(np.random.default_rng(0).normal(size=(50, 1)).astype(np.float32))
    assert one_feature.score(np.float32([[50.0]]))[0] > 1


def test_arrays_round_trip_and_a_formula_of_five_steps() -> None:
    x, _ = embeddings(200, 30, 3)
    detector = OodDetector.fit(x)
    a = OodDetector.from_arrays(detector.arrays()).arrays()
    assert all((a[name] == value).all() for name, value in detector.arrays().items())
    assert {value.dtype for value in a.values()} == {np.dtype(np.float32)}
    z = (x - a["ood_mean"]) / a["ood_scale"]
    p = z @ a["ood_basis"]
    rest = z - p @ a["ood_basis"].T
    by_hand = np.sqrt(((p * a["ood_weight"]) ** 2).sum(axis=1) + (rest**2).sum(axis=1) * a["ood_rest"])
    np.testing.assert_allclose(detector.score(x), by_hand, rtol=1e-4)


def test_order_of_samples_is_irrelevant() -> None:
    x, _ = embeddings(300, 20, 3)
    folds, order = np.arange(300) % 5, np.random.default_rng(0).permutation(300)
    first = OodDetector.fit(x, folds=folds).score(x)
    second = OodDetector.fit(x[order], folds=folds[order]).score(x)
    np.testing.assert_allclose(first, second, rtol=1e-3)


def test_faults_are_said() -> None:
    with pytest.raises(SettingsError) as caught:
        OodDetector.fit(np.ones((1, 4), np.float32))
    assert str(caught.value) == (
        "an OOD detector needs two embeddings or more, a fold for each and a share in (0, 0.5], "
        "got 1 embeddings, folds (1,), share 0.01"
    )
    arrays = OodDetector.fit(embeddings(20, 4, 2)[0]).arrays()
    with pytest.raises(ModelError, match="an OOD detector needs the arrays ood_basis, ood_rest"):
        OodDetector.from_arrays({k: v for k, v in arrays.items() if k not in ("ood_basis", "ood_rest")})
    with pytest.raises(ModelError, match="the arrays of an OOD detector do not fit together"):
        OodDetector.from_arrays(arrays | {"ood_mean": np.ones(9)})


def test_a_single_fold_is_judged_by_the_samples_outside_all_folds() -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(200, 100)).astype(np.float32)
    embeddings[:100] *= 0.5  # as a network embeds what it learned by heart
    detector = OodDetector.fit(embeddings, folds=np.where(np.arange(200) < 100, -1, 0))
    assert (detector.score(rng.normal(size=(500, 100)).astype(np.float32)) >= 1).mean() < 0.05
