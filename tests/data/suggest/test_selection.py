"""Choosing what to label: never two alike, never more than asked, the same each time, and what is worth most first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tellapart.data.suggest.clusters import Clusters
from tellapart.data.suggest.likely import most_likely
from tellapart.data.suggest.pool import Pool
from tellapart.data.suggest.typical import most_typical
from tellapart.data.suggest.uncertain import least_sure

Chosen = NDArray[np.int64]
SELECTIONS: dict[str, Callable[[Pool, int, int], Chosen]] = {
    "least_sure": lambda pool, n, seed: least_sure(pool, _numbers(pool), n, seed),
    "most_typical": most_typical,
    "most_likely": lambda pool, n, _: most_likely(pool, _numbers(pool), n),
}


def _numbers(pool: Pool) -> NDArray[np.float32]:
    return np.random.default_rng(3).random(len(pool.labelled), dtype=np.float32)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    n = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    n_things, n_distinct = draw(st.integers(1, n)), draw(st.integers(1, n))
    points = rng.standard_normal((n_distinct, 5), dtype=np.float32)[rng.integers(n_distinct, size=n)]
    return Pool.of(
        points,
        rng.integers(n_things, size=n),
        rng.random(n) < draw(st.sampled_from([0.0, 0.1, 0.9])),
        closed=rng.random(n) < draw(st.sampled_from([0.0, 0.5])),
    )


@pytest.mark.parametrize("name", SELECTIONS)
@given(pool=pools(), n=st.integers(0, 70), seed=st.integers(0, 3) | st.just(2**40))
def test_the_promises_of_every_selection(name: str, pool: Pool, n: int, seed: int) -> None:
    chosen = SELECTIONS[name](pool, n, seed)
    things = pool.things[chosen]
    assert len(set(things.tolist())) == len(chosen), "two near-duplicates"
    assert not np.isin(things, pool.things[pool.labelled]).any(), "a near-duplicate of a labelled image"
    assert not (pool.labelled | pool.closed)[chosen].any()
    # As many as asked for, unless so many different things are not there.
    assert len(chosen) == min(n, len(np.unique(pool.things[pool.rows])))
    np.testing.assert_array_equal(chosen, SELECTIONS[name](pool, n, seed))


def _blobs(*sizes: int, spread: float = 0.05) -> NDArray[np.float32]:
    """Clouds of points around centres at right angles to each other."""
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(len(sizes) + 2, dtype=np.float32)[: len(sizes)], sizes, axis=0)
    return centres + spread * rng.standard_normal(centres.shape, dtype=np.float32)


def _pool(points: NDArray[np.float32], labelled: tuple[int, ...] = ()) -> Pool:
    known = np.zeros(len(points), bool)
    known[list(labelled)] = True
    return Pool.of(points, np.arange(len(points)), known)


def test_without_a_label_every_cloud_gives_one() -> None:
    chosen = most_typical(_pool(_blobs(40, 10, 20)), 3, seed=0)
    assert [int(np.searchsorted([40, 50, 70], row, side="right")) for row in chosen] == [0, 2, 1]  # the largest first


def test_clouds_that_have_a_label_come_last() -> None:
    chosen = most_typical(_pool(_blobs(40, 10, 20), labelled=(0,)), 2, seed=0)
    assert {int(row >= 50) for row in chosen} == {0, 1}
    assert (chosen >= 40).all()


def test_a_typical_image_is_no_outlier() -> None:
    points = _blobs(30, 30)
    points[5] = points[5] + 0.6  # still of the first cloud, at its edge
    pool = _pool(points)
    assert 5 not in most_typical(pool, 20, seed=0)


def test_the_least_sure_are_chosen_and_come_first() -> None:
    points = _blobs(300, spread=0.5)
    margins = np.linspace(1, 0, 300, dtype=np.float32)
    chosen = least_sure(_pool(points), margins, 5, seed=0)
    assert (chosen >= 250).all(), "not among the 50 least sure"
    assert (np.diff(margins[chosen]) >= 0).all()


def test_the_least_sure_are_spread_over_what_they_show() -> None:
    margins = np.zeros(24, np.float32)
    margins[8:] = 0.01  # the first cloud is the least sure by a hair
    chosen = least_sure(_pool(_blobs(8, 8, 8)), margins, 3, seed=0)
    assert sorted((chosen // 8).tolist()) == [0, 1, 2]
    assert chosen[0] < 8


def test_the_likeliest_come_first() -> None:
    pool = Pool.of(np.eye(4, dtype=np.float32), np.array([0, 1, 1, 2]), np.array([False] * 4))
    assert most_likely(pool, np.array([0.1, 0.8, 0.9, 0.3], np.float32), 3).tolist() == [2, 3, 0]


def test_another_seed_may_choose_others() -> None:
    pool = _pool(np.random.default_rng(1).standard_normal((400, 8), dtype=np.float32))
    assert set(most_typical(pool, 10, 0).tolist()) != set(most_typical(pool, 10, 1).tolist())


def test_of_very_many_images_a_share_is_clustered() -> None:
    rng = np.random.default_rng(0)
    n = 20_400
    pool = Pool.of(rng.standard_normal((n, 2), dtype=np.float32), np.arange(n), np.arange(n) < 3)
    chosen = most_typical(pool, 4, seed=0)
    assert len(chosen) == 4
    assert (chosen >= 3).all()


def test_points_have_one_length_whatever_the_scale() -> None:
    embeddings = np.random.default_rng(0).standard_normal((50, 600), dtype=np.float32) * 1000
    embeddings[:, 0] = 7  # never moves
    points = Pool.of(embeddings, np.arange(50), np.zeros(50, bool)).points
    assert points.shape == (50, 256)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-5)


def test_clusters_are_no_more_than_points() -> None:
    found = Clusters.find(np.eye(3, dtype=np.float32), 5, seed=0)
    assert found.n_clusters == 3
    assert sorted(found.of.tolist()) == [0, 1, 2]
    np.testing.assert_allclose(found.distances, 0, atol=1e-6)
