"""Pictures that went wrong in every way there is."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence, Finding, Proposal, Severity
from tellapart.image.quality import FIELDS


def with_facts(n: int = 400, **facts: dict[int, float]) -> Evidence:
    """Ordinary images, but for these facts: `brightness={3: 0.01}` is row 3 in the dark."""
    made = evidence(samples(n))
    for name, values in facts.items():
        for row, value in values.items():
            made.statistics[row, FIELDS.index(name)] = value
    return made


def clean() -> Evidence:
    """The usual spread."""
    return with_facts()


def planted() -> Evidence:
    """One image of each kind, two that are dark."""
    return with_facts(
        contrast={0: 0, 1: 0.019, 2: 0.015, 3: 0.015, 4: 0.015},
        sharpness={0: 0, 1: 0.0001, 2: 0.0001, 3: 0.0001, 4: 0.00006, 5: 0.00005},
        brightness={0: 0, 1: 0.03, 2: 0.01, 3: 0.995},
        width_px={6: 60, 7: 3000},
        height_px={6: 40},
    )


def expect(findings: Sequence[Finding]) -> None:
    """Each image once, the worst first."""
    assert [finding.rows for finding in findings] == [(0,), (2, 1), (3,), (4,), (5,), (6,), (7,)]
    assert [finding.severity for finding in findings] == [Severity.WARNING] + [Severity.NOTE] * 6
    assert [one for finding in findings for one in finding.proposals] == [Proposal(0, "drop")]
