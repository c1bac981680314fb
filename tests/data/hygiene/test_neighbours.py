"""Neighbours by embedding: the nearest, without relatives, exactly for few images and nearly so for many."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.data.hygiene import neighbours as module
from tellapart.data.hygiene.neighbours import neighbours, whitened


def points(n: int, dims: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)


def test_the_nearest_are_found() -> None:
    embeddings = points(200)
    found = neighbours(embeddings, np.arange(200), 5)
    unit = whitened(embeddings)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    assert (found.rows[:, 0] == similar.argmax(axis=1)).all()
    np.testing.assert_allclose(found.similarity, -np.sort(-similar, axis=1)[:, :5], atol=1e-5)


def test_relatives_are_left_out() -> None:
    embeddings = np.repeat(points(50), 3, axis=0)
    groups = np.repeat(np.arange(50), 3)
    found = neighbours(embeddings, groups, 6)
    seen = np.isfinite(found.similarity)
    assert seen.all()
    assert (groups[found.rows] != groups[:, None])[seen].all()


def test_whitening_makes_directions_count_alike() -> None:
    embeddings = points(4000, 4) * np.array([100, 1, 1, 0.01], np.float32) + 7
    found = whitened(embeddings)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(found.std(axis=0), 0.5, rtol=0.1)


def test_cells_find_nearly_all(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = points(3000, 6)
    exact = neighbours(embeddings, np.arange(3000), 10)
    monkeypatch.setattr(module, "_EXACT_IMAGES", 1000)
    near = neighbours(embeddings, np.arange(3000), 10)
    shared = [len(set(a) & set(b)) for a, b in zip(exact.rows.tolist(), near.rows.tolist(), strict=True)]
    assert np.mean(shared) > 9


def test_a_vote_counts_the_nearer_more() -> None:
    found = module.Neighbours(np.array([[0, 1], [0, 0]]), np.array([[0.9, 0.8], [-np.inf, -np.inf]], np.float32))
    votes = found.vote(np.eye(2, dtype=np.uint8), softness=0.1)
    np.testing.assert_allclose(votes[0], [1 / (1 + np.exp(-1)), 1 / (1 + np.e)], rtol=1e-5)
    assert np.isnan(votes[1]).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_images(n: int) -> None:
    found = neighbours(points(n), np.arange(n))
    assert found.rows.shape == found.similarity.shape == (n, n - 1)
    assert found.vote(np.ones((n, 1))).shape == (n, 1)


def test_images_that_are_all_the_same() -> None:
    found = neighbours(np.ones((10, 4), np.float32), np.arange(10), 3)
    assert np.isfinite(found.vote(np.ones((10, 1)))).all()
