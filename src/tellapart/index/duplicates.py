"""Rows that are nearly alike: pairs above a similarity, and the groups they form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.index.exact import ROUNDING
from tellapart.index.index import Index

Told = Callable[[int, int], None]
# Neighbours asked for at first; a row all of whose neighbours are near-duplicates is asked for more.
_FIRST = 8
_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Duplicates:
    """`pairs` int64 (p, 2) of row numbers, the smaller first, by rising rows, with their `similarities` float32 (p,)."""

    pairs: NDArray[np.int64]
    similarities: NDArray[np.float32]

    def groups(self) -> list[list[int]]:
        """Rows that hang together by pairs, each group rising; the largest group first, equal ones by their first row."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        rows, at = np.unique(self.pairs, return_inverse=True)
        if not len(rows):
            return []
        ends = at.reshape(self.pairs.shape)
        links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(rows), len(rows)))
        group_of = connected_components(links, directed=False)[1]
        order = np.argsort(group_of, kind="stable")
        parts = np.split(rows[order], np.flatnonzero(np.diff(group_of[order])) + 1)
        return sorted((part.tolist() for part in parts), key=lambda part: (-len(part), part[0]))


def duplicates(
    index: Index, above: float, *, allowed: NDArray[np.bool_] | None = None, told: Told | None = None
) -> Duplicates:
    """All pairs of rows, among those `allowed` bool (n_stored,), whose similarity is `above` or more, but for rounding.

    In an exact index none is missed; in another as many as its recall says. `told` hears how many rows are done.

    Raises:
        SettingsError: `bad_setting` for a similarity outside of 0–1.
    """
    if not 0 < above <= 1:
        message = f"near-duplicates have a similarity above 0, at most 1, got {above:g}"
        raise SettingsError(Reason.BAD_SETTING, message)
    mask = index.live if allowed is None else allowed & index.live
    rows = np.flatnonzero(mask)
    found = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        found.append(_near(index, part, above, None if allowed is None else mask, len(rows)))
        if told is not None:
            told(start + len(part), len(rows))
    return _paired(found)


def _near(
    index: Index, rows: NDArray[np.int64], above: float, mask: NDArray[np.bool_] | None, n: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pairs (row, other) and similarities of some rows; asks again for rows whose list is full of near ones."""
    pairs, values, k = [], [], min(n, _FIRST)
    while len(rows):
        found = index.search(index.vectors(rows), k, allowed=mask)
        near = (found.similarities >= above - ROUNDING) & (found.rows >= 0)
        full = near.all(axis=1) & (k < n)
        near[full] = False
        at, place = np.nonzero(near)
        pairs.append(np.column_stack([rows[at], found.rows[at, place]]))
        values.append(found.similarities[at, place])
        rows, k = rows[full], min(n, 4 * k)
    return np.concatenate(pairs), np.concatenate(values)


def _paired(found: list[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> Duplicates:
    """Each pair once: an approximate search may see it from one side only."""
    if not found:
        return Duplicates(np.empty((0, 2), np.int64), np.empty(0, np.float32))
    pairs = np.sort(np.concatenate([part for part, _ in found]), axis=1)
    values = np.concatenate([part for _, part in found])
    apart = pairs[:, 0] != pairs[:, 1]
    unique, first = np.unique(pairs[apart], axis=0, return_index=True)
    return Duplicates(unique, values[apart][first])
