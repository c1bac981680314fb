"""Classes that overlap a little; every twentieth label is another one."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contracts.hygiene.clusters import clouds, relabelled

from tellapart.data.hygiene.protocol import Evidence, Finding

WRONG = {row: "cat" if row % 3 else "dog" for row in range(0, 600, 20)}


def clean() -> Evidence:
    """All labels right."""
    return clouds()[0]


def planted() -> Evidence:
    """Every twentieth label wrong."""
    return relabelled(clouds()[0], WRONG)


def expect(findings: Sequence[Finding]) -> None:
    """Nearly all of them, hardly anything else, and the labels they should have."""
    (finding,) = findings
    named = set(finding.rows)
    assert len(named & WRONG.keys()) >= 0.9 * len(WRONG)
    assert len(named - WRONG.keys()) <= 0.1 * len(named)
    shown = {row: ("cat", "dog", "ship")[row % 3] for row in WRONG}
    assert all(one.value == shown[one.row] for one in finding.proposals if one.row in WRONG)
    assert 0.03 < finding.figures["share"] < 0.07
