"""Words are found where descriptors crowd, the same ones every time."""

from __future__ import annotations

import numpy as np

from tellapart.training.visual_words import learn_words

RNG = np.random.default_rng(0)
CENTRES = RNG.uniform(0, 0.3, (5, 16)).astype(np.float32)
DESCRIPTORS = (CENTRES[np.arange(200) % 5] + RNG.normal(0, 0.005, (200, 16))).astype(np.float32)


def test_centres_of_crowds_are_words() -> None:
    words = learn_words(DESCRIPTORS)
    distances = np.linalg.norm(words.centres[:, None] - CENTRES, axis=2)
    assert distances.min(axis=0).max() < 0.01
    typical = ((DESCRIPTORS[:, None] - words.centres) ** 2).sum(axis=2).min(axis=1).mean()
    np.testing.assert_allclose(words.sharpness, 4 / typical, rtol=0.01)


def test_few_descriptors_make_few_words() -> None:
    assert len(learn_words(DESCRIPTORS).centres) == 10
    assert len(learn_words(DESCRIPTORS[:7]).centres) == 1


def test_the_same_descriptors_give_the_same_words() -> None:
    first, second = (learn_words(DESCRIPTORS, seed=3).centres for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(learn_words(DESCRIPTORS, seed=4).centres - first).max() > 0


def test_descriptors_that_are_all_alike_are_no_obstacle() -> None:
    words = learn_words(np.ones((50, 4), np.float32))
    assert np.isfinite(words.centres).all()
    assert np.isfinite(words.sharpness)
