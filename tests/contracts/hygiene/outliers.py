"""Clouds of images; then four far from every cloud and from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tests.contracts.hygiene.clusters import DIMS, clouds, with_embeddings

from tellapart.data.hygiene.protocol import Evidence, Finding

LONELY = (7, 100, 233, 480)


def clean() -> Evidence:
    """Nothing but clouds."""
    return clouds()[0]


def planted() -> Evidence:
    """Four images elsewhere, each in a direction of its own."""
    given, centres = clouds()
    assert given.embeddings is not None
    given.embeddings[list(LONELY)] = 60 * np.eye(DIMS, dtype=np.float32)[[4, 5, 6, 7]]
    return with_embeddings(given, given.embeddings, centres)


def expect(findings: Sequence[Finding]) -> None:
    """The four and no other."""
    (finding,) = findings
    assert sorted(finding.rows) == list(LONELY)
