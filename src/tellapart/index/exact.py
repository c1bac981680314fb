"""Exact search: the cosine of every vector, by faiss over rows where they lie, and equal ones in the order of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.index.engine import engine

# Rows that are copied at once when only some are asked for: 64 MB of 256 numbers each.
_AT_ONCE = 65_536
# faiss sums in float32 and in any order: similarities closer than this may have changed places.
ROUNDING = 4e-6
# How far from 1 the squared length of a vector may be: it is summed in float32.
_LENGTH = 2e-6
# Fewer queries than this gain nothing by a matrix product, as in faiss.
_FEW_QUERIES = 20
# More than k are asked for, so that equal ones at the end of the list are told apart by their rows.
SPARE = 2


class Hits(NamedTuple):
    """What was found for q queries: `similarities` float32 (q, k), falling; `rows` int64 (q, k), -1 (and -inf) for none."""

    similarities: NDArray[np.float32]
    rows: NDArray[np.int64]

    def cut(self, k: int) -> Hits:
        """The first k."""
        return Hits(self.similarities[:, :k], self.rows[:, :k])


def nothing(n_queries: int, k: int) -> Hits:
    """No row at all."""
    return Hits(np.full((n_queries, k), -np.inf, np.float32), np.full((n_queries, k), -1, np.int64))


def ordered(similarities: NDArray[np.float32], rows: NDArray[np.int64]) -> Hits:
    """Falling similarity, equal ones by rising row, places without a row last."""
    similarities = np.where(rows < 0, np.float32(-np.inf), similarities)
    # lexsort sorts by the last key first of all; an empty place must not come before a row.
    keys = (rows, rows < 0, -similarities)
    order = np.lexsort(keys, axis=1)
    return Hits(np.take_along_axis(similarities, order, 1), np.take_along_axis(rows, order, 1))


def joined(parts: list[Hits], k: int) -> Hits:
    """The best k of several lists."""
    if len(parts) == 1:
        return parts[0].cut(k)
    return ordered(np.hstack([p.similarities for p in parts]), np.hstack([p.rows for p in parts])).cut(k)


def shifted(found: Hits, start: int, k: int) -> Hits:
    """Row numbers of the whole index, and k places."""
    rows = found.rows if not start else np.where(found.rows < 0, found.rows, found.rows + start)
    lacking = k - rows.shape[1]
    if lacking <= 0:
        return Hits(found.similarities, rows)
    empty = nothing(len(rows), lacking)
    return Hits(np.hstack([found.similarities, empty.similarities]), np.hstack([rows, empty.rows]))


def dropped(found: Hits, without: Sequence[Sequence[int]], k: int) -> Hits:
    """Without rows that a query must not find; the first k of the others."""
    keep = np.array(
        [~np.isin(rows, np.asarray(banned, np.int64)) for rows, banned in zip(found.rows, without, strict=True)], bool
    ).reshape(found.rows.shape)
    order = np.argsort(~keep, axis=1, kind="stable")[:, :k]
    similarities = np.where(keep, found.similarities, np.float32(-np.inf))
    rows = np.where(keep, found.rows, -1)
    return Hits(np.take_along_axis(similarities, order, 1), np.take_along_axis(rows, order, 1))


def exact(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    k: int,
    rows: NDArray[np.int64] | None = None,
    flat: Any = None,
) -> Hits:
    """The k nearest of `vectors` (n, d), or of those at `rows` (m,) (rising), to queries (q, d).

    `flat`: a faiss index of the same vectors, which a few queries search without copying the rows.
    """
    n = len(vectors) if rows is None else len(rows)
    k = min(k, n)
    wanted = min(n, k + SPARE)
    while True:
        found = rescored(queries, vectors, _scanned(queries, vectors, wanted, rows, flat))
        if wanted == n or not undecided(found, k).any():
            return found.cut(k)
        wanted = min(n, 4 * wanted)


def settled(queries: NDArray[np.float32], vectors: NDArray[np.float32], found: Hits) -> Hits:
    """What faiss found, in order: where two lie closer than its sums in float32 tell, exact sums decide, and else the row."""
    values = found.similarities
    gaps = values[:, :-1] - values[:, 1:]
    if np.minimum.reduce(gaps, axis=None, initial=np.inf) <= ROUNDING:
        doubtful = np.flatnonzero((gaps <= ROUNDING).any(axis=1))
        better = rescored(queries[doubtful], vectors, Hits(values[doubtful], found.rows[doubtful]))
        values[doubtful], found.rows[doubtful] = better
    return found


def similarities(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Cosines float32 (q, m) of queries and the vectors at `rows` (q, m): equal vectors give equal numbers anywhere."""
    out = np.empty(rows.shape, np.float32)
    step = max(1, 4_000_000 // max(1, rows.shape[1] * vectors.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        there = vectors[rows[part]].astype(np.float64)
        out[part] = np.einsum("qd,qkd->qk", queries[part].astype(np.float64), there)
    return out


def undecided(found: Hits, k: int) -> NDArray[np.bool_]:
    """bool (q,): the last that was looked at is as near as the k-th, so others may be, too."""
    values = found.similarities
    if values.shape[1] <= k:
        return np.zeros(len(values), bool)
    return np.asarray(values[:, -1] >= values[:, k - 1] - ROUNDING, bool)


def rescored(queries: NDArray[np.float32], vectors: NDArray[np.float32], found: Hits) -> Hits:
    """The same rows with exact sums and in order."""
    values = similarities(queries, vectors, np.maximum(found.rows, 0))
    return ordered(values, found.rows)


def _scanned(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int, rows: NDArray[np.int64] | None, flat: Any
) -> Hits:
    if rows is None:
        return _knn(queries, vectors, k)
    if flat is not None and len(queries) < _FEW_QUERIES:
        return Hits(*flat.search(queries, k, params=engine().SearchParameters(sel=selector(len(vectors), rows))))
    best: list[Hits] = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        found = _knn(queries, vectors[part], min(k, len(part)))
        best = [joined([*best, Hits(found.similarities, part[found.rows])], k)]
    return best[0]


def selector(n: int, rows: NDArray[np.int64]) -> Any:
    """faiss's filter for `rows` of n."""
    allowed = np.zeros(n, bool)
    allowed[rows] = True
    return engine().IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def _knn(queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int) -> Hits:
    faiss = engine()
    values, rows = faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    return Hits(values, rows)


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """The same float32 (n, d) with length 1; without a copy where they have it. A vector of zeros stays one."""
    values = np.ascontiguousarray(vectors, np.float32)
    with np.errstate(over="ignore"):
        if (np.abs(np.vecdot(values, values) - 1) < _LENGTH).all():
            return values
    out = np.empty_like(values)
    for start in range(0, len(values), _AT_ONCE // 4):
        # Squares of 1e20 and of 1e-23 are no numbers of 32 bits.
        part = values[start : start + _AT_ONCE // 4].astype(np.float64)
        norms = np.sqrt(np.vecdot(part, part))
        with np.errstate(invalid="ignore"):  # infinite values become none; whoever asked looks for these
            out[start : start + len(part)] = part / np.where(norms > 0, norms, 1)[:, None]
    return out
