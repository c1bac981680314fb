"""Recall at 1 and mean average precision at R."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.evaluation.retrieval import difference, retrieval


def by_the_book(vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[list[float], list[float]]:
    """Both measures as their definition says, one query after the other."""
    hits, precisions = [], []
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for query in range(len(unit)):
        others = [row for row in range(len(unit)) if groups[row] != groups[query]]
        alike = {row for row in others if (labels[row] & labels[query]).any()}
        if not alike:
            continue
        ranked = sorted(others, key=lambda row: -float(unit[row] @ unit[query]))
        hits.append(float(ranked[0] in alike))
        found, total = 0, 0.0
        for rank, row in enumerate(ranked[: len(alike)], 1):
            if row in alike:
                found += 1
                total += found / rank
        precisions.append(total / len(alike))
    return hits, precisions


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 20), n_groups=st.integers(1, 20), several=st.booleans())
def test_it_is_what_the_definition_says(seed: int, n: int, n_groups: int, several: bool) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, 6)).astype(np.float32)
    labels = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, n)]
    labels = labels | (rng.random((n, 3)) < 0.3).astype(np.uint8) if several else labels
    groups = rng.integers(0, n_groups, n)
    found = retrieval(vectors, labels, groups)
    hits, precisions = by_the_book(vectors, labels, groups)
    assert found.hits.tolist() == hits
    np.testing.assert_allclose(found.precision, precisions, rtol=1e-12)


def test_queries_are_judged_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((50, 4)).astype(np.float32), np.eye(2, dtype=np.uint8)[rng.integers(0, 2, 50)]
    whole = retrieval(vectors, labels, np.arange(50))
    monkeypatch.setattr("tellapart.evaluation.retrieval._QUERIES_AT_ONCE", 7)
    found = retrieval(vectors, labels, np.arange(50))
    assert found.recall_at_1 == whole.recall_at_1
    assert found.map_at_r == pytest.approx(whole.map_at_r)


def test_classes_apart_are_found_whole() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    found = retrieval(vectors, np.repeat(np.eye(3, dtype=np.uint8), 4, axis=0), np.arange(12))
    assert (found.recall_at_1, found.map_at_r) == (1, 1)


def test_without_a_query_there_is_no_number() -> None:
    found = retrieval(np.ones((3, 2), np.float32), np.eye(3, dtype=np.uint8), np.arange(3))
    assert len(found.hits) == 0
    assert np.isnan(found.recall_at_1)
    assert np.isnan(found.map_at_r)


def test_a_group_counts_as_one_draw() -> None:
    before, after = np.zeros(400), np.tile([1.0, 0.0], 200)
    mean, alone = difference(before, after, np.arange(400))
    assert mean == 0.5
    assert alone == pytest.approx(1.96 * 0.5 / 20)
    _, grouped = difference(before, np.repeat([1.0, 0.0], 200), np.repeat(np.arange(4), 100))
    assert grouped == pytest.approx(1.96 * 0.5 / 2)
