"""Scores by hand: five images, two copies, one wrong label."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.hygiene_scores import (
    Score,
    average_precision,
    exact_duplicates,
    label_errors_listed,
    label_errors_ranked,
    near_duplicates,
    pairs,
    quarrels,
    relabelled_rightly,
    shortcut,
)
from benchmarks.planted import Row
from sklearn.metrics import average_precision_score

from tellapart.data.hygiene.protocol import Finding, Proposal, Severity

ROWS = [
    Row(b"a", "cat", "cat", 10),
    Row(b"b", "dog", "dog", 11, bright=True),
    Row(b"a", "dog", "cat", 10, "exact"),
    Row(b"c", "dog", "dog", 11, "turned", bright=True),
    Row(b"d", "cat", "dog", 12, "any_label"),
    Row(b"e", "cat", "cat", 13),
]


def finding(sentence: str = "s", **parts: object) -> Finding:
    return Finding("c", Severity.NOTE, sentence, "r", **parts)  # type: ignore[arg-type]


def test_pairs_of_clusters() -> None:
    assert pairs([(3, 1, 2), (4, 5)]) == {(1, 2), (1, 3), (2, 3), (4, 5)}


def test_exact_copies() -> None:
    assert exact_duplicates(ROWS, [finding(clusters=((0, 2), (1, 4)))]) == Score(1.0, 0.5, 2)
    nothing = exact_duplicates(ROWS, [])
    assert (nothing.recall, nothing.n) == (0, 0)
    assert math.isnan(nothing.precision)


def test_near_copies_count_once_with_their_source() -> None:
    findings = [finding(clusters=((0, 2, 5), (1, 3)))]
    assert near_duplicates(ROWS, findings) == (Score(1.0, 0.5, 2), {(10, 13)})
    assert near_duplicates(ROWS, findings, {10: 0, 13: 1}) == (Score(1.0, 0.5, 2), {(10, 13)})
    assert near_duplicates(ROWS, findings, {10: 0, 13: 0}) == (Score(1.0, 1.0, 1), set())
    missed, wrong = near_duplicates(ROWS, [finding(clusters=((0, 2),))])
    assert (missed.recall, missed.n, wrong) == (0, 0, set())


def test_quarrels_are_pairs_of_two_labels() -> None:
    findings = [finding(clusters=((0, 2), (1, 3), (4, 3)))]
    assert quarrels(ROWS, findings, ["exact"]) == Score(1.0, 0.5, 2)
    assert quarrels(ROWS, findings, ["exact"], {11: 0, 12: 0}) == Score(1.0, 1.0, 1)


def test_label_errors_are_ranked_listed_and_mended() -> None:
    proposals = (Proposal(4, "relabel", "dog"), Proposal(2, "relabel", "bird"), Proposal(5, "drop"))
    findings = [finding(rows=(4, 5), proposals=proposals)]
    assert label_errors_listed(ROWS, findings) == Score(0.5, 0.5, 2)
    assert relabelled_rightly(ROWS, findings) == 0.5
    quality = np.array([0.9, 0.8, 0.3, 0.7, 0.1, 0.2])
    assert label_errors_ranked(ROWS, quality) == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_is_the_known_one() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.normal(size=500), rng.random(500) < 0.1
    scores[positive] += 1
    assert average_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))


def test_the_shortcut_must_be_named_with_its_class() -> None:
    told = finding("the label 'dog' can be told from brightness alone")
    assert shortcut(ROWS, [told, finding("the label 'cat' can be told from brightness alone")]) == Score(1.0, 0.5, 2)
    assert shortcut(ROWS, [finding("the label 'dog' can be told from the width")]) == Score(0.0, 0.0, 1)
