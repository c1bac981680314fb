"""How hard a search must look, measured: the cheapest setting whose recall on a sample reaches what was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.index.exact import exact

Setting = TypeVar("Setting")
# Vectors of the index that serve as queries, each without itself, and how many neighbours of each must be found.
N_QUERIES, AT = 300, 10


@dataclass(frozen=True, slots=True)
class Sample:
    """Queries float32 (q, d), their own rows int64 (q,) and their true neighbours int64 (q, k) without themselves."""

    queries: NDArray[np.float32]
    own: NDArray[np.int64]
    truth: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], *, n: int = N_QUERIES, k: int = AT) -> Sample:
        """A fixed random sample of the vectors (n, d) themselves."""
        rows = np.sort(np.random.default_rng(0).permutation(len(vectors))[:n])
        queries = np.ascontiguousarray(vectors[rows])
        k = min(k, len(vectors) - 1)
        return cls(queries, rows, without(exact(queries, vectors, k + 1).rows, rows))

    @property
    def k(self) -> int:
        """Neighbours of each query."""
        return int(self.truth.shape[1])

    def recalls(self, found: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share float64 (q,) of true neighbours in what was `found` (q, k + 1), the query itself possibly among it."""
        rows = without(found, self.own)
        shares: NDArray[np.float64] = (rows[:, :, None] == self.truth[:, None, :]).any(axis=1).mean(axis=1)
        return shares


def without(rows: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 (q, k) of (q, k + 1): without one's own row, or without the last where it is not among them."""
    drop = rows == own[:, None]
    drop[:, -1] |= ~drop.any(axis=1)
    return np.asarray(rows[~drop].reshape(len(rows), rows.shape[1] - 1), np.int64)


@dataclass(frozen=True, slots=True)
class Tuned(Generic[Setting]):
    """The chosen setting and what was measured with it, for the index's description."""

    value: Setting
    measured: dict[str, Any]


def first_good(
    sample: Sample,
    settings: Sequence[Setting],
    recall: float,
    search: Callable[[NDArray[np.float32], int, Setting], NDArray[np.int64]],
) -> Tuned[Setting]:
    """The first setting that reaches `recall` even less one standard error; the best one when none does.

    `search` (queries, k, setting) gives rows int64 (q, k), -1 for none.
    """
    if not sample.k:
        return Tuned(settings[0], {"recall": 1.0, "recall_error": 0.0, "recall_queries": 0})
    best: Tuned[Setting] | None = None
    for setting in settings:
        shares = sample.recalls(search(sample.queries, sample.k + 1, setting))
        mean, error = float(shares.mean()), float(shares.std() / np.sqrt(len(shares)))
        measured = {"recall": round(mean, 4), "recall_error": round(error, 4), "recall_queries": len(shares)}
        if best is None or mean > best.measured["recall"]:
            best = Tuned(setting, measured)
        if mean - error >= recall:
            return Tuned(setting, measured)
    if best is None:
        raise ValueError("there must be a setting")
    return best
