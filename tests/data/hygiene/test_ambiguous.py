"""Ambiguous images: a heap in the valley between two classes, and no alarm where classes only overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.contracts.hygiene import ambiguous as case
from tests.contracts.hygiene.clusters import clouds

from tellapart.data.hygiene.ambiguous import _chance, find


def test_the_sentence() -> None:
    (finding,) = find(case.planted())
    assert finding.sentence == (
        "15 images lie between two classes that are otherwise told apart, such as cat/00033.png between 'cat' and 'dog'"
    )
    assert finding.remedy == (
        "look whether both are on them, which needs several labels for an image, or whether the picture cannot tell, and "
        "then leave them out"
    )


def test_overlapping_classes_are_no_alarm() -> None:
    draws = [clouds(300, apart=apart, seed=seed)[0] for seed in range(5) for apart in (0.5, 1.5, 2.0, 3.0)]
    assert sum(bool(find(one)) for one in draws) <= 1


def test_silent_where_classes_are_not_told_apart() -> None:
    given = case.planted()
    rng = np.random.default_rng(0)
    guesses = rng.uniform(0.45, 0.55, (len(given), 1)).astype(np.float32)
    assert find(replace(given, probabilities=np.hstack([guesses, 1 - guesses, 0 * guesses]))) == []


def test_rows_without_an_answer_are_left_alone() -> None:
    given = case.planted()
    assert given.probabilities is not None
    unknown = given.probabilities.copy()
    unknown[:6] = np.nan
    (finding,) = find(replace(given, probabilities=unknown))
    assert min(finding.rows) >= 6
    assert find(replace(given, probabilities=np.full_like(unknown, np.nan))) == []


def test_the_chance_is_binomial() -> None:
    assert _chance(1, 1) == pytest.approx(1 / 3)
    assert _chance(2, 3) == pytest.approx(3 * (1 / 9) * (2 / 3) + 1 / 27)
    assert _chance(333, 1000) == pytest.approx(0.5, abs=0.03)
