"""What every kind of index must do, whatever it is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.index.exact import exact, unit
from tellapart.index.kinds import KINDS, Searcher

N, DIM = 2500, 24


def clustered(n: int, seed: int = 0, dim: int = DIM) -> NDArray[np.float32]:
    """Unit vectors float32 (n, dim) in 50 clusters, as those of images lie."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(50, dim))
    return unit((centres[rng.integers(50, size=n)] + 0.4 * rng.normal(size=(n, dim))).astype(np.float32))


VECTORS = clustered(N)
QUERIES = clustered(40, seed=1)


@pytest.fixture(scope="module", params=sorted(KINDS))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Searcher]:
    folder = tmp_path_factory.mktemp(request.param)
    parameters = KINDS[request.param].build(VECTORS, folder, recall=0.95)
    return request.param, folder, KINDS[request.param].open(folder, parameters)


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    return float((found[:, :, None] == truth[:, None, :]).any(axis=1).mean())


def test_the_vectors_are_kept_bit_for_bit(built: tuple[str, Path, Searcher]) -> None:
    np.testing.assert_array_equal(built[2].vectors, VECTORS)


def test_ten_neighbours_are_found_as_often_as_asked(built: tuple[str, Path, Searcher]) -> None:
    kind, _, searcher = built
    truth = exact(QUERIES, VECTORS, 10)
    found = searcher.search(QUERIES, 10, None)
    assert recall(found.rows, truth.rows) >= (1.0 if kind == "flat" else 0.93)  # fresh queries, 0.95 in the sample
    np.testing.assert_allclose(found.similarities, np.einsum("qd,qkd->qk", QUERIES, VECTORS[found.rows]), atol=1e-5)
    assert (np.diff(found.similarities, axis=1) <= 0).all()


@pytest.mark.parametrize("n_allowed", [3, 200, 1500, N - 1])
def test_a_filter_gives_as_many_as_there_are(built: tuple[str, Path, Searcher], n_allowed: int) -> None:
    allowed = np.zeros(N, bool)
    allowed[np.random.default_rng(5).permutation(N)[:n_allowed]] = True
    found = built[2].search(QUERIES, 10, allowed)
    assert found.rows.shape == (len(QUERIES), min(10, n_allowed))
    assert allowed[found.rows].all()  # -1 would be the last row, and repeat itself
    assert all(len(set(rows)) == len(rows) and -1 not in rows for rows in found.rows.tolist())
    truth = exact(QUERIES, VECTORS, 10, np.flatnonzero(allowed))
    assert recall(found.rows, truth.rows) >= 0.93


def test_a_filter_that_shuts_out_all_that_is_near_still_finds_the_nearest_left(
    built: tuple[str, Path, Searcher],
) -> None:
    nearness = VECTORS @ QUERIES[0]
    allowed = nearness < np.quantile(nearness, 0.5)
    found = built[2].search(QUERIES[:1], 10, allowed)
    assert allowed[found.rows].all()
    assert found.rows.shape == (1, 10)
    assert len(set(found.rows[0].tolist())) == 10


def test_all_rows_can_be_asked_for(built: tuple[str, Path, Searcher]) -> None:
    found = built[2].search(QUERIES[:2], N, None)
    assert sorted(found.rows[0].tolist()) == list(range(N))


def test_equal_vectors_come_by_row(tmp_path: Path, built: tuple[str, Path, Searcher]) -> None:
    kind = KINDS[built[0]]
    twice = np.concatenate([VECTORS[:1250], VECTORS[:1250]])
    searcher = kind.open(tmp_path, kind.build(twice, tmp_path, recall=0.95))
    found = searcher.search(twice[:20], 2, None)
    np.testing.assert_array_equal(found.rows, [[row, row + 1250] for row in range(20)])


def test_more_can_be_added_to_what_was_learned(tmp_path: Path, built: tuple[str, Path, Searcher]) -> None:
    name, folder, _ = built
    whole = np.concatenate([VECTORS, clustered(500, seed=7)])
    parameters = KINDS[name].build(whole, tmp_path, recall=0.95, base=folder)
    grown = KINDS[name].open(tmp_path, parameters)
    np.testing.assert_array_equal(grown.vectors, whole)
    found = grown.search(whole[-50:], 1, None)
    assert (found.rows[:, 0] == np.arange(N + 450, N + 500)).mean() > 0.95
    assert parameters.get("recall", 1.0) >= 0.95


def test_the_same_vectors_give_the_same_files(tmp_path: Path, built: tuple[str, Path, Searcher]) -> None:
    """In one thread, as tests run: several insert into a graph in the order in which they come."""
    name, folder, _ = built
    KINDS[name].build(VECTORS, tmp_path, recall=0.95)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
