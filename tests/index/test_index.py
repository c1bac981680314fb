"""Searches in an index against comparing all vectors one by one; plans of changes; how hard a search must look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason, SettingsError
from tellapart.index import plan
from tellapart.index.duplicates import duplicates
from tellapart.index.exact import exact, unit
from tellapart.index.index import Index
from tellapart.index.kinds import kind_for
from tellapart.index.plan import Part, Written, after_adding, after_removing
from tellapart.index.tuning import HeldOut, first_good
from tellapart.index.vectors import Vectors
from tellapart.workflows.index import add, build_index, remove

DIM = 8


def brute(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
) -> list[list[int]]:
    """Rows by falling cosine, in exact sums, then by row."""
    cosines = (unit(queries).astype(np.float64) @ vectors.astype(np.float64).T).astype(np.float32)
    cosines[:, ~allowed] = -np.inf
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : min(k, int(allowed.sum()))]
    return order.tolist()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An exact index of three segments, with equal vectors in and across them, and removed rows."""
    path = tmp_path_factory.mktemp("index") / "x.index"
    rng = np.random.default_rng(0)
    few = rng.integers(-1, 2, size=(60, DIM)).astype(np.float32)  # many are equal
    few[5] = 0
    ids = [f"i{row}" for row in range(60)]
    for number, part in enumerate((slice(0, 40), slice(40, 55), slice(55, 60))):
        vectors = Vectors.of(few[part], ids=ids[part])
        build_index(path, vectors) if not number else add(path, vectors)
    remove(path, ["i3", "i41", "i42"])
    index = Index.open(path)
    assert [segment.n for segment in index.manifest.segments] == [40, 15, 5]
    return index


@settings(max_examples=150)
@given(
    queries=st.lists(st.lists(st.integers(-1, 1), min_size=DIM, max_size=DIM), min_size=1, max_size=3),
    k=st.integers(1, 70),
    share=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    seed=st.integers(0, 5),
)
@example(queries=[[0, 1, 1, 1, -1, -1, -1, -1]], k=1, share=1.0, seed=0)  # equal ones in two segments
def test_what_is_found_is_what_comparing_all_finds(
    pieces: Index, queries: list[list[int]], k: int, share: float, seed: int
) -> None:
    allowed = np.random.default_rng(seed).random(pieces.n_stored) < share
    asked = np.array(queries, np.float32)
    found = pieces.search(asked, k, allowed=allowed)
    truth = brute(asked, pieces.vectors(range(pieces.n_stored)), k, allowed & pieces.live)
    assert found.rows.shape == (len(asked), k)
    for rows, similarities, expected in zip(found.rows.tolist(), found.similarities, truth, strict=True):
        assert rows == expected + [-1] * (k - len(expected))
        assert (similarities[: len(expected)] <= 1).all()
        assert np.isneginf(similarities[len(expected) :]).all()


@given(st.lists(st.lists(st.integers(0, 59), max_size=5), min_size=2, max_size=2))
def test_rows_that_must_not_be_found_are_not_and_others_come_instead(pieces: Index, banned: list[list[int]]) -> None:
    queries = pieces.vectors([0, 50])
    found = pieces.search(queries, 4, without=banned)
    for row in range(2):
        allowed = pieces.live.copy()
        allowed[banned[row]] = False
        assert found.rows[row].tolist() == brute(queries[row : row + 1], pieces.vectors(range(60)), 4, allowed)[0]


def test_the_length_of_a_query_does_not_matter(pieces: Index) -> None:
    queries = np.random.default_rng(1).normal(size=(5, DIM))
    one, other = pieces.search(queries, 5), pieces.search(7.5 * queries, 5)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_allclose(one.similarities, other.similarities, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-40, 1e-25, 1e19, 1e37])
def test_vectors_of_any_length_have_a_direction(scale: float) -> None:
    values = np.random.default_rng(2).uniform(-1, 1, (5, DIM)).astype(np.float32)
    expected = values / np.linalg.norm(values, axis=1, keepdims=True)
    digits = 1e-3 if scale < 1e-38 else 1e-6
    np.testing.assert_allclose(unit(values * np.float32(scale)), expected, atol=digits)


def test_a_query_of_zeros_is_like_nothing(pieces: Index) -> None:
    found = pieces.search(np.zeros((1, DIM), np.float32), 3)
    assert found.similarities.tolist() == [[0, 0, 0]]
    assert found.rows.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_queries_must_be_numbers(pieces: Index, value: float) -> None:
    with pytest.raises(DataError) as caught:
        pieces.search(np.full((1, DIM), value), 3)
    assert caught.value.reason is Reason.DATASET_FORMAT
    assert str(caught.value) == "the queries: a value is no finite number; embed them again"


def test_queries_of_another_size_are_refused(pieces: Index) -> None:
    with pytest.raises(DataError) as caught:
        pieces.search(np.ones((2, DIM + 1)), 3)
    assert caught.value.reason is Reason.FOREIGN_VECTORS
    assert str(caught.value) == "the queries must be numbers of shape (q, 8), got float64 (2, 9)"
    with pytest.raises(SettingsError, match="k must be 1 or more, got 0"):
        pieces.search(np.ones((1, DIM)), 0)


def test_no_query_gives_no_answer(pieces: Index) -> None:
    assert pieces.search(np.empty((0, DIM), np.float32), 3).rows.shape == (0, 3)


def test_rows_come_in_the_order_asked_and_twice_when_asked_twice(pieces: Index) -> None:
    assert pieces.rows([57, 0, 57, 44])["id"].to_list() == ["i57", "i0", "i57", "i44"]
    assert pieces.rows([], ["uri", "id"]).columns == ["uri", "id"]
    with pytest.raises(IndexError):
        pieces.rows([60])


def test_pairs_are_those_of_comparing_all(pieces: Index) -> None:
    vectors = pieces.vectors(range(60)).astype(np.float64)
    for above in (0.9, 0.46):
        near = np.triu(vectors @ vectors.T >= above, 1) & pieces.live[:, None] & pieces.live
        np.testing.assert_array_equal(duplicates(pieces, above).pairs, np.argwhere(near))
    groups = duplicates(pieces, 0.5).groups()
    assert [len(group) for group in groups] == sorted((len(group) for group in groups), reverse=True)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 300))
def test_any_number_of_equal_vectors_comes_by_row(k: int, n: int) -> None:
    vectors = np.repeat(np.eye(2, 16, dtype=np.float32), [n, 3], axis=0)
    found = exact(vectors[:1], vectors, k)
    assert found.rows[0].tolist() == list(range(min(k, n + 3)))


def test_small_additions_are_written_small() -> None:
    large = Part("hnsw", 1_000_000, 1_000_000)
    assert after_adding("auto", [large], 20) == Written(1, "flat")
    assert after_adding("auto", [large, Part("flat", 100, 100)], 20) == Written(2, "flat")
    assert after_adding("auto", [large, Part("flat", 40, 40)], 20) == Written(1, "flat")
    assert after_adding("auto", [large, Part("flat", 40_000, 40_000)], 15_000) == Written(1, "hnsw", base=True)
    assert after_adding("auto", [Part("hnsw", 1_000_000, 700_000)], 60_000) == Written(0, "hnsw")
    assert after_adding("auto", [Part("flat", 90_000, 90_000)], 10_001) == Written(0, "hnsw")
    assert after_adding("flat", [Part("flat", 900_000, 900_000)], 10_001) == Written(1, "flat")
    assert after_removing([large, Part("flat", 40, 29), Part("flat", 40, 31), Part("flat", 3, 0)]) == [1, 3]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60))
def test_segments_stay_few_whatever_comes(additions: list[int]) -> None:
    parts: list[Part] = []
    for n in additions:
        written = after_adding("flat", parts, n)
        whole = sum(part.live for part in parts[written.first :]) + n
        parts = [*parts[: written.first], Part("flat", whole, whole)]
    assert sum(part.live for part in parts) == sum(additions)
    assert len(parts) <= 2 + np.log2(sum(additions))


def test_kinds_follow_the_number_of_vectors() -> None:
    assert [kind_for("auto", n) for n in (0, 100_000, 100_001, 5_000_000, 5_000_001)] == [
        "flat",
        "flat",
        "hnsw",
        "hnsw",
        "ivfpq",
    ]
    assert [kind_for("ivfpq", n) for n in (999, 1000)] == ["flat", "ivfpq"]
    assert kind_for("flat", 10**9) == "flat"
    assert plan.BESIDE == 20_000


def test_the_cheapest_setting_that_is_sure_enough_is_taken() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(2000, 6)).astype(np.float32))
    held_out = HeldOut.of(vectors)
    assert len(held_out.held) == 200
    assert sorted([*held_out.known, *held_out.held]) == list(range(2000))
    truth = exact(vectors[held_out.held], vectors, 10, held_out.known).rows
    np.testing.assert_array_equal(held_out.truth, truth)

    def missing(k: int, n_missed: int) -> NDArray[np.int64]:
        rows = truth.copy()
        rows[:, :n_missed] = -1
        return rows

    tuned = first_good(held_out, [3, 2, 1, 0], 0.9, missing)
    assert (tuned.value, tuned.measured) == (1, {"recall": 0.9, "recall_error": 0.0, "recall_queries": 200})
    assert first_good(held_out, [3, 2, 4], 0.9, missing).value == 2  # none is enough: the best
    nobody = HeldOut.of(vectors[:5])
    assert first_good(nobody, [1, 2], 0.9, missing).value == 2  # nobody to ask: the most thorough
    assert nobody.truth.shape == (0, 5)


def test_the_number_of_threads_is_left_to_openmp(tmp_path: Path) -> None:
    code = f"""
import numpy as np, faiss
from tellapart.index.vectors import Vectors
from tellapart.workflows.index import build_index
before = faiss.omp_get_max_threads()
build_index({str(tmp_path / "x.index")!r}, Vectors.of(np.eye(40, dtype=np.float32)), kind="hnsw")
print(before, faiss.omp_get_max_threads())
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env={"OMP_NUM_THREADS": "2"}, capture_output=True, text=True, check=True
    )
    assert run.stdout == "2 2\n"


def test_opening_reads_neither_vectors_nor_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    vectors = np.random.default_rng(0).normal(size=(5000, 64)).astype(np.float32)
    table = pl.DataFrame({"id": [f"{row:064d}" for row in range(5000)]})
    build_index(path, Vectors.of(vectors, table=table))
    index = Index.open(path)
    assert not index.parts()[0][1].flags.owndata
    assert len(index) == 5000
