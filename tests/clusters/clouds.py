"""Vectors with groups that are known, for the tests of clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def clouds(*sizes: int, dim: int = 16, spread: float = 0.05, seed: int = 0) -> tuple[NDArray[np.float32], list[str]]:
    """A tight cloud of each size around a direction of its own (no more clouds than dimensions), and its name per row."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(dim, dim)))[0][: len(sizes)]
    truth = np.repeat(np.arange(len(sizes)), sizes)
    vectors = directions[truth] + rng.normal(0, spread, (len(truth), dim))
    return vectors.astype(np.float32), [f"c{number}" for number in truth]
