"""Simulated embeddings: correlated features of falling spread, class means, and some wrong labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def embeddings(
    n: int, d: int, k: int, *, seed: int = 0, separation: float = 0.6
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings float32 (n, d) of k classes and their columns int64 (n,); 3 % of the labels are wrong."""
    rng = np.random.default_rng(seed)
    rank = max(d // 2, 2)
    spread = np.arange(1, rank + 1) ** -0.7
    means = separation * rng.standard_normal((k, rank))
    mixing = rng.standard_normal((rank, d))
    targets = rng.integers(0, k, n)
    factors = (rng.standard_normal((n, rank)) + means[targets]) * spread
    values = factors @ mixing + 0.3 * rng.standard_normal((n, d)) + rng.standard_normal(d)
    wrong = rng.random(n) < 0.03
    targets[wrong] = rng.integers(0, k, int(wrong.sum()))
    return np.maximum(values, -0.5).astype(np.float32), targets.astype(np.int64)
