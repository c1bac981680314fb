"""The contract of every check: silent on clean data, speaks on planted faults, says how to mend them, changes nothing.

The data of a check called NAME lie in `tests/contracts/hygiene/NAME.py`: `clean()`, `planted()` and `expect(findings)`.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from tellapart.data.hygiene.protocol import Check, Evidence
from tellapart.data.hygiene.registry import CHECKS

ALL = pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))


def case(check: Check) -> Any:
    return import_module(f"tests.contracts.hygiene.{check.name}")


def arrays(evidence: Evidence) -> list[bytes]:
    parts = [getattr(evidence, name) for name in ("labels", "statistics", "thumbnails", *evidence_parts(evidence))]
    return [part.tobytes() for part in parts]


def evidence_parts(evidence: Evidence) -> list[str]:
    return [name for name in ("embeddings", "probabilities", "look_alikes") if getattr(evidence, name) is not None]


@ALL
def test_silent_on_clean_data(check: Check) -> None:
    found = check.run(case(check).clean())
    assert not found, found[0].sentence


@ALL
def test_speaks_on_planted_faults(check: Check) -> None:
    findings = check.run(case(check).planted())
    assert findings
    case(check).expect(findings)


@ALL
def test_findings_are_whole(check: Check) -> None:
    evidence = case(check).planted()
    n = len(evidence)
    for finding in check.run(evidence):
        assert finding.check == check.name
        for text in (finding.sentence, finding.remedy):
            assert text == text.strip()
            assert text[-1:] not in (".", "!", ";", "")
            assert not re.search(r"\bnan\b|\{|\}|array\(", text)
        rows = [*finding.rows, *(row for cluster in finding.clusters for row in cluster)]
        assert all(type(row) is int and 0 <= row < n for row in [*rows, *(one.row for one in finding.proposals)])
        assert len(finding.rows) == len(set(finding.rows))
        assert not finding.scores or len(finding.scores) == len(finding.rows)
        assert list(finding.scores) == sorted(finding.scores, reverse=True)
        assert all(np.isfinite(value) for value in finding.figures.values())
        assert all(bool(one.value) != (one.action == "drop") for one in finding.proposals)
        assert all(bool(one.was) == (one.action == "merge") for one in finding.proposals)


@ALL
def test_looks_and_does_not_touch(check: Check) -> None:
    evidence = case(check).planted()
    before = arrays(evidence)
    first, second = check.run(evidence), check.run(evidence)
    assert list(first) == list(second)
    assert arrays(evidence) == before


@ALL
def test_has_what_it_needs(check: Check) -> None:
    for evidence in (case(check).clean(), case(check).planted()):
        assert all(evidence.has(part) for part in check.needs)


@ALL
def test_takes_one_image(check: Check) -> None:
    evidence = case(check).clean()
    check.run(subset(evidence, 1))


def subset(evidence: Evidence, n: int) -> Evidence:
    kept: dict[str, Any] = {name: getattr(evidence, name)[:n] for name in evidence_parts(evidence)}
    return Evidence(
        evidence.dataset.subset(list(range(n))),
        evidence.schema,
        evidence.labels[:n],
        evidence.statistics[:n],
        evidence.thumbnails[:n],
        **kept,
    )
