"""A class of 32 images and one of 4, beside one of 60."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence, Finding, Severity


def of_sizes(**sizes: int) -> Evidence:
    """Classes with so many images each."""
    names = [name for name, n in sizes.items() for _ in range(n)]
    return evidence(samples(len(names), names))


def clean() -> Evidence:
    """The smallest class has 50."""
    return of_sizes(bad=50, good=200)


def planted() -> Evidence:
    """`crack` can hardly be learned, `fray` hardly be judged."""
    return of_sizes(free=60, crack=4, fray=32)


def expect(findings: Sequence[Finding]) -> None:
    """An error about one, a warning about the other."""
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.WARNING]
    assert findings[0].rows == (60, 61, 62, 63)
    assert findings[1].rows == tuple(range(64, 96))
