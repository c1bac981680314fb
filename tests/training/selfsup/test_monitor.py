"""A collapse is found where it was planted, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.errors import Reason, TrainingError
from tellapart.training.selfsup.monitor import Spread, check_spread, spread
from tellapart.training.selfsup.neighbours import neighbour_accuracy

HEALTHY = spread(np.random.default_rng(0).normal(size=(200, 32)))


def test_vectors_in_all_directions_spread_fully() -> None:
    assert HEALTHY.deviation == pytest.approx(1.0, abs=0.02)
    assert 28 < HEALTHY.rank < 32
    assert not HEALTHY.collapsed


def test_the_rank_is_the_number_of_equal_directions() -> None:
    """Corners of an octahedron: three directions, each used as much."""
    corners = np.concatenate([np.eye(3), -np.eye(3)])
    found = spread(np.pad(corners, ((0, 0), (0, 29))))
    assert (found.deviation, found.rank) == (pytest.approx(1.0), pytest.approx(3.0))


def test_equal_vectors_are_a_collapse() -> None:
    rng = np.random.default_rng(0)
    planted = np.ones(32) + rng.normal(scale=1e-3, size=(200, 32))
    assert spread(np.ones((50, 8))).deviation < 1e-12
    assert spread(np.zeros((50, 8))) == Spread(0.0, 1.0)
    assert spread(planted).collapsed
    assert spread(planted).deviation == pytest.approx(1e-3, rel=0.2)


def test_vectors_along_one_line_are_a_collapse() -> None:
    along = np.linspace(-1, 1, 100)[:, None] * np.eye(16)[:1] + np.eye(16)[1:2]
    assert spread(along).deviation > 0.4
    assert spread(along).collapsed


def test_vectors_that_are_no_numbers_are_a_collapse() -> None:
    assert Spread(float("nan"), float("nan")).collapsed


def test_a_collapse_is_believed_after_two_epochs_in_a_row() -> None:
    flat = Spread(0.001, 12.0)
    check_spread([(HEALTHY, HEALTHY), (flat, flat)])
    check_spread([(flat, flat), (HEALTHY, HEALTHY)])
    with pytest.raises(TrainingError) as caught:
        check_spread([(HEALTHY, HEALTHY), (HEALTHY, flat), (HEALTHY, flat)])
    assert caught.value.reason is Reason.COLLAPSED
    assert str(caught.value) == (
        "the network gives nearly the same vector for every image since 2 epochs (projections: deviation 0.001, effective "
        "rank 12.0), so that nothing is left to learn; begin anew with a lower learning rate (--set optimizer.lr=…), a larger "
        "batch or stronger augmentation, or more varied images"
    )


def test_neighbours_vote_for_the_class() -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 30)
    centres = np.eye(3)[classes]
    apart = np.arange(90)
    assert neighbour_accuracy(centres + rng.normal(scale=0.1, size=(90, 3)), classes, apart) == 1.0
    by_chance = neighbour_accuracy(rng.normal(size=(90, 3)), classes, apart)
    assert by_chance is not None
    assert by_chance < 0.6


def test_what_belongs_together_does_not_vote() -> None:
    """Pairs of equal vectors, each pair of a class of its own kind of coin: without their twins they are lost."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(30, 40)).repeat(2, axis=0)
    classes = rng.integers(0, 2, 30).repeat(2)
    groups = np.arange(30).repeat(2)
    leaking = neighbour_accuracy(vectors, classes, np.arange(60))
    honest = neighbour_accuracy(vectors, classes, groups)
    assert leaking == 1.0
    assert honest is not None
    assert honest < 0.8


def test_one_class_has_no_accuracy() -> None:
    assert neighbour_accuracy(np.eye(4), np.zeros(4, np.int64), np.arange(4)) is None
