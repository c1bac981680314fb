"""Splits that share two images, and a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence, Finding, Proposal, Severity
from tellapart.records import Sample


def parted(n: int = 120) -> list[Sample]:
    """Groups of four, of which every fifth is in the test split."""
    return [
        replace(sample, group=f"part {i // 4}", split="test" if i // 4 % 5 == 0 else "train")
        for i, sample in enumerate(samples(n))
    ]


def clean() -> Evidence:
    """A copy within one split, and no group torn."""
    chosen = parted()
    chosen[6] = replace(chosen[6], id=chosen[4].id)
    return evidence(chosen)


def planted() -> Evidence:
    """Rows 0 and 2 (test) lie in the training split, too, as 10 and 12; row 9 of part 2 is in the test split."""
    chosen = parted()
    for copy, original in ((10, 0), (12, 2)):
        chosen[copy] = replace(chosen[copy], id=chosen[original].id)
    chosen[9] = replace(chosen[9], split="test")
    return evidence(chosen)


def expect(findings: Sequence[Finding]) -> None:
    """The copies and the torn group, each with its repair."""
    images, groups = findings
    assert {finding.severity for finding in findings} == {Severity.ERROR}
    assert images.clusters == ((0, 10), (2, 12))
    assert images.proposals == (Proposal(10, "drop"), Proposal(12, "drop"))
    assert groups.clusters == ((8, 9, 11),)
    assert groups.proposals == (Proposal(9, "move", "train"),)
