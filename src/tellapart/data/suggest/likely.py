"""Images that probably show one rare thing."""

from __future__ import annotations

import numpy as np

from tellapart.data.suggest.pool import Floats, Ints, Pool


def most_likely(pool: Pool, probabilities: Floats, n: int) -> Ints:
    """Up to `n` rows int64 of the highest `probabilities` float32 (n,) of one label, no two alike; the likeliest first."""
    rows = pool.rows
    return pool.distinct(rows[np.argsort(-probabilities[rows], kind="stable")], n)
