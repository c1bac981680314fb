"""How well the nearest vectors are of the same label: recall at 1 and mean average precision at R.

Sources: Musgrave, Belongie and Lim 2020, "A Metric Learning Reality Check", for the two measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_QUERIES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Of each of m queries, float64 (m,) in 0–1; `groups` int64 (m,) are those of the queries.

    `hits` is 1 where the nearest other vector shares a label. `precision` is the mean, over the R nearest (R: how many others
    share a label), of the share of right ones up to each right one: 1 when those R are the nearest.
    """

    hits: NDArray[np.float64]
    precision: NDArray[np.float64]
    groups: NDArray[np.int64]

    @property
    def recall_at_1(self) -> float:
        """Share of queries whose nearest vector shares a label; NaN without a query."""
        return float(self.hits.mean()) if len(self.hits) else float("nan")

    @property
    def map_at_r(self) -> float:
        """Mean average precision at R; NaN without a query."""
        return float(self.precision.mean()) if len(self.precision) else float("nan")


def retrieval(
    vectors: NDArray[np.float32], labels: NDArray[np.integer[Any]], groups: NDArray[np.integer[Any]]
) -> Retrieval:
    """Each of the vectors (n, d) looks for its like among the others by cosine; labels 0/1 (n, k), groups (n,).

    Vectors of the same group (pictures of one thing) neither count nor stand in the way. Those that share a label with no
    vector of another group are no queries.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(lengths, np.float32(1e-12))
    said = np.asarray(labels, np.float32)
    parts = [
        _judged(slice(start, start + _QUERIES_AT_ONCE), unit, said, np.asarray(groups, np.int64))
        for start in range(0, len(unit), _QUERIES_AT_ONCE)
    ]
    nothing = [(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))]
    return Retrieval(*(np.concatenate(column) for column in zip(*(parts or nothing), strict=True)))


def _judged(
    rows: slice, unit: NDArray[np.float32], said: NDArray[np.float32], groups: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    own = groups[rows, None] == groups
    alike = (said[rows] @ said.T > 0) & ~own
    wanted = alike.sum(axis=1)
    asked = wanted > 0
    if not asked.any():
        return np.zeros(0), np.zeros(0), np.zeros(0, np.int64)
    cosine = np.where(own, np.float32(-2), unit[rows] @ unit.T)[asked]
    most = int(wanted.max())
    near = np.argpartition(-cosine, most - 1, axis=1)[:, :most]
    order = np.argsort(-np.take_along_axis(cosine, near, axis=1), axis=1, kind="stable")
    right = np.take_along_axis(alike[asked], np.take_along_axis(near, order, axis=1), axis=1)
    ranks = np.arange(1, most + 1)
    within = right & (ranks <= wanted[asked, None])
    precision = (np.cumsum(within, axis=1) / ranks * within).sum(axis=1) / wanted[asked]
    return right[:, 0].astype(np.float64), precision, groups[rows][asked]


def difference(
    before: NDArray[np.float64], after: NDArray[np.float64], groups: NDArray[np.int64]
) -> tuple[float, float]:
    """Mean of `after` less `before` over the same queries (m,), and half its 95 % interval; groups count as one draw each."""
    change = after - before
    mean = float(change.mean())
    _, place = np.unique(groups, return_inverse=True)
    sums = np.bincount(place, change - mean)
    return mean, float(1.96 * np.sqrt((sums**2).sum()) / len(change))
