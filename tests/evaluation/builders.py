"""Small, seeded answers for the tests of this room."""

from __future__ import annotations

from typing import Any

import numpy as np

from tellapart.records import LabelSchema, Task

NAMES = ("blowhole", "break", "crack", "fray", "free", "uneven", "stain")


def schema_of(task: Task, k: int) -> LabelSchema:
    """Schema with k names; the binary one asks for scratches."""
    names = ("good", "scratch") if task is Task.BINARY else tuple(f"{n}" for n in range(k)) if k > 7 else NAMES[:k]
    return LabelSchema.from_names(names, task=task)


def exclusive(n: int, k: int, *, seed: int = 0, lift: float = 1.5, digits: int | None = None) -> tuple[Any, Any]:
    """Softmax probabilities (n, k) and true columns (n,); `digits` rounds the scores, which makes ties."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k))
    if digits is not None:
        logits = logits.round(digits)
    logits[np.arange(n), targets] += lift
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), targets


def multilabel(n: int, k: int, *, seed: int = 0, digits: int | None = None) -> tuple[Any, Any]:
    """Sigmoid probabilities (n, k) and indicators (n, k)."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, k)) < np.linspace(0.15, 0.5, k)).astype(np.uint8)
    probabilities = 1 / (1 + np.exp(-(rng.normal(size=(n, k)) + 2 * targets - 1)))
    return (probabilities if digits is None else probabilities.round(digits)), targets
