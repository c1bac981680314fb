"""Six hundred images of one class, fifty of the other."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contracts.hygiene.class_counts import of_sizes

from tellapart.data.hygiene.protocol import Evidence, Finding, Severity


def clean() -> Evidence:
    """Nine to one."""
    return of_sizes(good=450, bad=50)


def planted() -> Evidence:
    """Twelve to one."""
    return of_sizes(good=600, bad=50)


def expect(findings: Sequence[Finding]) -> None:
    """A note with the smaller class."""
    (found,) = findings
    assert found.severity is Severity.NOTE
    assert found.figures == {"ratio": 12}
    assert found.rows == tuple(range(600, 650))
