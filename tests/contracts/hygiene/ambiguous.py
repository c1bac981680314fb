"""Two well-parted classes and a third, then twelve images half way between two of them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contracts.hygiene.clusters import clouds, with_embeddings

from tellapart.data.hygiene.protocol import Evidence, Finding

BETWEEN = range(0, 36, 3)


def clean() -> Evidence:
    """Classes with a valley between them."""
    return clouds(apart=4.0)[0]


def planted() -> Evidence:
    """Twelve cats that are half a dog."""
    given, centres = clouds(apart=4.0)
    assert given.embeddings is not None
    for row in BETWEEN:
        given.embeddings[row] = (centres[0] + centres[1]) / 2 + given.embeddings[row] / 100
    return with_embeddings(given, given.embeddings, centres)


def expect(findings: Sequence[Finding]) -> None:
    """All of them, and few others."""
    (finding,) = findings
    assert set(BETWEEN) <= set(finding.rows)
    assert len(finding.rows) <= 18
