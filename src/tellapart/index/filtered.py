"""Filters on an approximate segment: the right way depends on how many rows a filter leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.index.exact import Hits, exact, selector, settled

# Where a filter leaves less than this part of the rows, all that are left are compared: a graph or a list of cells was laid
# out for all rows, and passes by most of what is allowed when that lies together elsewhere.
FEW = 1 / 3
# Who asks for more than this part of all rows gets them by comparing all: an approximate search would not be faster.
MANY = 0.05

Approximate = Callable[[NDArray[np.float32], int, Any, float], Hits]
"""Searches (queries, k, faiss selector or None, how many times harder than without a filter)."""


def search_allowed(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_] | None,
    approximate: Approximate,
    flat: Any,
) -> Hits:
    """The k nearest among the allowed rows: always k where there are k. `flat` is a faiss index of the vectors."""
    n_allowed = len(vectors) if allowed is None else int(np.count_nonzero(allowed))
    k = min(k, n_allowed)
    rows = None if allowed is None else np.flatnonzero(allowed)
    if k > MANY * len(vectors) or n_allowed <= FEW * len(vectors):
        return exact(queries, vectors, k, rows, flat)
    chosen = None if rows is None else selector(len(vectors), rows)
    found = settled(queries, vectors, approximate(queries, k, chosen, len(vectors) / n_allowed))
    last = found.rows[:, -1]
    if np.minimum.reduce(last, initial=0) < 0:
        short = np.flatnonzero(last < 0)
        found.similarities[short], found.rows[short] = exact(queries[short], vectors, k, rows, flat)
    return found
