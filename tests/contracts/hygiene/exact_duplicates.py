"""Copies of files: three within a label, one under two labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence, Finding, Severity


def clean() -> Evidence:
    """Every file once."""
    return evidence(samples(120))


def planted() -> Evidence:
    """Rows 10, 12 and 14 are copies of row 0; row 21 is row 2 under the other label."""
    chosen = samples(120)
    for copy, original in ((10, 0), (12, 0), (14, 0), (21, 2)):
        chosen[copy] = replace(chosen[copy], id=chosen[original].id)
    return evidence(chosen)


def expect(findings: Sequence[Finding]) -> None:
    """The copies, and the quarrel."""
    by_severity = {finding.severity: finding for finding in findings}
    assert by_severity[Severity.NOTE].rows == (10, 12, 14)
    assert by_severity[Severity.ERROR].clusters == ((2, 21),)
