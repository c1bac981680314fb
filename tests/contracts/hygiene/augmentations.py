"""Parts with the handle on the left and on the right; a head that learns from flipped ones can only guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence, Finding
from tellapart.data.hygiene.variants import AUGMENTATIONS, Variants

NAMES = ("both", "left", "right")
N = 150


def looked_at(shares: dict[tuple[str, str], float]) -> Evidence:
    """A head that recognises 94 of 100 images, augmented 88, but for those shares (by augmentation and class)."""
    rng = np.random.default_rng(0)
    classes = np.arange(N) % len(NAMES)

    def answers(share: np.ndarray) -> np.ndarray:
        right = rng.permutation(N // len(NAMES))[np.arange(N) // len(NAMES)] < share * (N // len(NAMES))
        return np.eye(len(NAMES), dtype=bool)[np.where(right, classes, (classes + 1) % len(NAMES))]

    def varied(name: str) -> np.ndarray:
        augmented = answers(np.array([shares.get((name, NAMES[column]), 0.88) for column in classes]))
        return np.stack([answers(np.full(N, 0.92)), augmented])

    plain = answers(np.full(N, 0.94))
    made = Variants(np.arange(N), plain, {name: varied(name) for name in AUGMENTATIONS})
    return replace(evidence(samples(N, NAMES)), variants=made)


def clean() -> Evidence:
    """Every augmentation costs a little, as it makes the task harder."""
    return looked_at({})


def planted() -> Evidence:
    """Left becomes right, and right left."""
    return looked_at({("horizontal flips", "left"): 0.45, ("horizontal flips", "right"): 0.5})


def expect(findings: Sequence[Finding]) -> None:
    """The flips, and what they do to whom."""
    (finding,) = findings
    assert finding.sentence.startswith("horizontal flips would destroy 'left' and 'right'")
    assert {row % 3 for row in finding.rows} == {1, 2}
