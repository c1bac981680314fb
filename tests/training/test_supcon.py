"""Supervised contrastive projections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.evaluation.retrieval import retrieval
from tellapart.heads.components import fit_pca
from tellapart.training.supcon import TEMPERATURE, _batches, contrast, fit_supcon


def hidden_classes(n: int = 240, k: int = 4, d: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes that differ in a few quiet directions beside loud ones that say nothing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    x = rng.standard_normal((n, d)) * np.r_[np.full(d - 6, 2.0), np.full(6, 0.3)]
    x[:, -k:] += np.eye(k)[y]
    return x.astype(np.float32), np.eye(k, dtype=np.uint8)[y]


def loss_by_the_book(u: np.ndarray, labels: np.ndarray) -> float:
    """L_out of Khosla et al. 2020, term by term."""
    z = u / np.linalg.norm(u, axis=1, keepdims=True)
    losses = []
    for i in range(len(z)):
        weights = [
            0.0 if j == i else (labels[i] & labels[j]).sum() / max((labels[i] | labels[j]).sum(), 1)
            for j in range(len(z))
        ]
        if not sum(weights):
            continue
        total = sum(np.exp(z[i] @ z[j] / TEMPERATURE) for j in range(len(z)) if j != i)
        terms = [w * np.log(np.exp(z[i] @ z[j] / TEMPERATURE) / total) for j, w in enumerate(weights) if w]
        losses.append(-sum(terms) / sum(weights))
    return float(np.mean(losses)) if losses else 0.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 12), several=st.booleans())
def test_loss_and_gradient_are_those_of_the_paper(seed: int, n: int, several: bool) -> None:
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((n, 3))
    labels = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, n)]
    labels = labels | (rng.random((n, 3)) < 0.3).astype(np.uint8) if several else labels
    loss, gradient = contrast(u, labels)
    assert loss == pytest.approx(loss_by_the_book(u, labels), rel=1e-6, abs=1e-9)
    for row, column in ((0, 0), (n - 1, 2)):
        moved = u.copy()
        moved[row, column] += 1e-5
        up = loss_by_the_book(moved, labels)
        moved[row, column] -= 2e-5
        slope = (up - loss_by_the_book(moved, labels)) / 2e-5
        assert gradient[row, column] == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_it_finds_what_variance_hides() -> None:
    x, labels = hidden_classes()
    unseen, truth = hidden_classes(seed=1)
    groups = np.arange(len(unseen))
    plain = retrieval(unseen, truth, groups).recall_at_1
    by_variance = retrieval(fit_pca(x, 4).apply(unseen), truth, groups).recall_at_1
    learned = retrieval(fit_supcon(x, labels, 4).apply(unseen), truth, groups).recall_at_1
    assert learned > max(plain, by_variance) + 0.3


def test_the_same_arguments_give_the_same_projection() -> None:
    x, labels = hidden_classes(80)
    first = fit_supcon(x, labels, 3, seed=5)
    assert first.kind == "supcon"
    assert fit_supcon(x, labels, 3, seed=5).sha256 == first.sha256
    assert fit_supcon(x, labels, 3, seed=6).sha256 != first.sha256


def test_it_tells_every_step() -> None:
    steps: list[tuple[int, int]] = []
    fit_supcon(*hidden_classes(60), 2, told=lambda done, total: steps.append((done, total)))
    assert steps == [(i + 1, 150) for i in range(150)]


def test_batches_hold_images_that_are_alike() -> None:
    labels = np.eye(300, dtype=np.uint8)[np.repeat(np.arange(300), 6)]
    batches = _batches(labels, np.random.default_rng(0))
    seen = [next(batches) for _ in range(3)]
    assert [len(rows) for rows in seen] == [512, 512, 512]
    assert len(np.unique(np.concatenate(seen))) == 3 * 512
    for rows in seen:
        alike = np.bincount(labels[rows].argmax(axis=1), minlength=300)
        assert (alike[alike > 0] > 1).mean() > 0.95


@pytest.mark.parametrize(
    ("labels", "reason", "sentence"),
    [
        (
            np.repeat(np.eye(2, dtype=np.uint8)[:1], 6, axis=0),
            Reason.TOO_FEW_CLASSES,
            "a projection is learned from images of at least two labels; use pca, which needs none",
        ),
        (
            np.eye(6, dtype=np.uint8),
            Reason.TOO_FEW_IMAGES,
            "a projection is learned from labels that several images have, each has one; use pca, which needs none",
        ),
    ],
)
def test_labels_that_teach_nothing_are_refused(labels: np.ndarray, reason: Reason, sentence: str) -> None:
    with pytest.raises(TrainingError) as caught:
        fit_supcon(np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32), labels, 2)
    assert (caught.value.reason, str(caught.value)) == (reason, sentence)


def test_more_numbers_than_there_are_is_refused() -> None:
    x, labels = hidden_classes(20)
    with pytest.raises(SettingsError, match="20 vectors of 24 numbers have 1 to 19 components, 64 were asked for"):
        fit_supcon(x, labels, 64)
