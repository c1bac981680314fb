"""Classes as clouds of embeddings, with the answers of the best possible head: no model, the truth known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tests.contracts.hygiene.evidence import evidence, samples

from tellapart.data.hygiene.protocol import Evidence

DIMS = 16


def clouds(
    n: int = 600, names: Sequence[str] = ("cat", "dog", "ship"), *, apart: float = 4.0, seed: int = 0
) -> tuple[Evidence, np.ndarray]:
    """n images of classes in turn, `apart` times sqrt 2 standard deviations from each other; and the clouds' centres."""
    rng = np.random.default_rng(seed)
    centres = apart * np.eye(len(names), DIMS, dtype=np.float32)
    embeddings = centres[np.arange(n) % len(names)] + rng.normal(size=(n, DIMS)).astype(np.float32)
    return with_embeddings(evidence(samples(n, names)), embeddings, centres), centres


def with_embeddings(given: Evidence, embeddings: np.ndarray, centres: np.ndarray) -> Evidence:
    """The same images with other embeddings, and what the best head says about them."""
    distance = ((embeddings[:, None] - centres) ** 2).sum(axis=2) / 2
    odds = np.exp(distance.min(axis=1, keepdims=True) - distance)
    parts: dict[str, Any] = {
        "embeddings": embeddings.astype(np.float32),
        "probabilities": (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32),
        "look_alikes": np.arange(len(given), dtype=np.int64),
    }
    return replace(given, **parts)


def relabelled(given: Evidence, new: dict[int, str]) -> Evidence:
    """The same images, some under another label than what they show."""
    chosen = [replace(one, labels=(new[row],)) if row in new else one for row, one in enumerate(given.dataset.samples)]
    other = evidence(chosen)
    assert other.schema == given.schema
    return replace(given, dataset=other.dataset, labels=other.labels)
