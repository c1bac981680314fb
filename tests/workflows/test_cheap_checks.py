"""What a training tells of the checks: the three worst, and where the rest is; nothing that its summary says anyway."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.contracts.hygiene.class_counts import of_sizes
from tests.contracts.hygiene.evidence import evidence, samples
from tests.contracts.hygiene.refused import planted as with_refusals
from tests.contracts.hygiene.split_leaks import planted as leaking

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Severity
from tellapart.data.hygiene.registry import CHECKS
from tellapart.workflows import check as checking
from tellapart.workflows.cheap_checks import cheap_lines
from tellapart.workflows.embedding import EmbeddedDataset


@pytest.fixture(autouse=True)
def only_cheap_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "known_checks", lambda: tuple(one for one in CHECKS.values() if not one.needs))


def lines(made: Evidence) -> list[str]:
    nothing = np.zeros((len(made), 1), np.float32)
    return cheap_lines(EmbeddedDataset(made.dataset, nothing, made.statistics, made.thumbnails), made.schema)


def test_clean_data_are_one_line() -> None:
    assert lines(of_sizes(bad=60, good=60)) == ["checks      nothing found"]


def test_the_worst_is_told_and_the_rest_is_pointed_to() -> None:
    told = lines(of_sizes(good=60, okay=4, bad=40))
    assert [line.split()[0] for line in told] == ["warning", "warning", "warning", "checks"]
    assert "fewer than 5 images" in told[0]
    assert "are words for the same verdict" in told[1]
    assert "fewer than 50 images" in told[2]
    assert told[3] == "checks      tellapart check DATA shows more: 1 more finding"


def test_never_more_than_three_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def complain(evidence: Evidence) -> list[Finding]:
        return [Finding("many", Severity.WARNING, f"fault {i}", "mend it") for i in range(5)]

    monkeypatch.setattr(checking, "known_checks", lambda: (Check("many", "Many", complain),))
    assert lines(of_sizes(a=1)) == [
        "warning     fault 0; mend it",
        "warning     fault 1; mend it",
        "warning     fault 2; mend it",
        "checks      tellapart check DATA shows more: 2 more findings",
    ]


@pytest.mark.parametrize("made", [with_refusals(), leaking()])
def test_what_the_summary_says_anyway_is_not_said_again(made: Evidence) -> None:
    assert lines(made) == ["checks      nothing found"]


def test_spellings_are_among_the_warnings_of_the_data_already() -> None:
    half = [
        replace(one, labels=("Good" if i % 4 == 1 else (one.labels or ())[0],)) for i, one in enumerate(samples(240))
    ]
    made = evidence(half)
    assert any("'Good', 'good'" in warning for warning in made.dataset.warnings)
    assert lines(made) == ["checks      nothing found"]
