"""Filters on an approximate segment: the right way depends on how many rows a filter leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.index.engine import engine
from tellapart.index.exact import ROUNDING, Hits, exact, rescored

# Where a filter leaves less than this part of the rows, all that are left are compared: a graph or a list of cells was laid
# out for all rows, and would pass by most of what is allowed.
FEW = 0.1
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
) -> Hits:
    """The k nearest among the allowed rows: always k where there are k."""
    n_allowed = len(vectors) if allowed is None else int(np.count_nonzero(allowed))
    k = min(k, n_allowed)
    rows = None if allowed is None else np.flatnonzero(allowed)
    if n_allowed <= FEW * len(vectors) or k > MANY * len(vectors):
        return exact(queries, vectors, k, rows)
    selector = None if allowed is None else _selector(allowed)
    found = in_order(approximate(queries, k, selector, len(vectors) / n_allowed), queries, vectors)
    return _completed(queries, vectors, found, rows)


def _selector(allowed: NDArray[np.bool_]) -> Any:
    faiss = engine()
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def _completed(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], found: Hits, rows: NDArray[np.int64] | None
) -> Hits:
    """Queries that got fewer than k are compared with all that is allowed."""
    short = np.flatnonzero(found.rows[:, -1] < 0)
    if not len(short):
        return found
    better = exact(queries[short], vectors, found.rows.shape[1], rows)
    found.similarities[short], found.rows[short] = better
    return found


def in_order(found: Hits, queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> Hits:
    """faiss sorts by sums in float32; where two lie closer than these can tell, exact sums decide, and else the row."""
    values = found.similarities
    close = values[:, :-1] - values[:, 1:] <= ROUNDING
    if not close.any():
        return found
    doubtful = np.flatnonzero(close.any(axis=1))
    better = rescored(queries[doubtful], vectors, Hits(values[doubtful], found.rows[doubtful]))
    values[doubtful], found.rows[doubtful] = better
    return found
