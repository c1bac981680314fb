"""Edited copies: one under the same label, one under another, one in another split; and two pictures of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence, Finding, Severity

N, DIMS, SIDE = 120, 32, 64


def picture(seed: int) -> NDArray[np.uint8]:
    """Coarse shapes, uint8 (64, 64)."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(40, 200, (16, 16)), np.ones((4, 4))).astype(np.uint8)


def facts() -> dict[str, Any]:
    """Rows 30 and 31 look alike to the greys, and a network tells them apart."""
    rng = np.random.default_rng(0)
    thumbnails = np.stack([picture(i) for i in range(N)])
    thumbnails[31] = thumbnails[30]
    groups = np.arange(N)
    groups[31] = 30
    return {
        "thumbnails": thumbnails,
        "embeddings": rng.normal(size=(N, DIMS)).astype(np.float32),
        "look_alikes": groups,
    }


def edited(parts: dict[str, Any], copy: int, source: int) -> None:
    """Darker, and a little noise for the network."""
    noise = np.random.default_rng(copy).normal(size=DIMS) * 0.2
    parts["thumbnails"][copy] = (parts["thumbnails"][source] * 0.8).astype(np.uint8)
    parts["embeddings"][copy] = parts["embeddings"][source] + noise
    parts["look_alikes"][copy] = parts["look_alikes"][source]


def clean() -> Evidence:
    """Every picture once."""
    return evidence(samples(N, split="train"), **facts())


def planted() -> Evidence:
    """Row 10 is row 0 edited, 21 is row 2 under the other label, 14 is row 4 in another split."""
    parts, chosen = facts(), samples(N, split="train")
    for copy, source in ((10, 0), (21, 2), (14, 4)):
        edited(parts, copy, source)
    chosen[14] = replace(chosen[14], split="test")
    return evidence(chosen, **parts)


def expect(findings: Sequence[Finding]) -> None:
    """Each copy in its own finding."""
    by_severity = {finding.severity: finding.clusters for finding in findings}
    assert by_severity == {Severity.WARNING: ((2, 21),), Severity.ERROR: ((4, 14),), Severity.NOTE: ((0, 10),)}
