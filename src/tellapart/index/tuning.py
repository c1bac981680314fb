"""How hard a search must look, measured: the cheapest setting whose recall on vectors held out reaches what was asked.

Vectors that an index already knows are no fair queries: links lead to them. On clustered vectors a graph finds 0.96 of the
neighbours of its own vectors where it finds 0.92 of those of new ones. So some are held out until it has been measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.index.exact import exact

Setting = TypeVar("Setting")
# Vectors held out, a tenth at most, and how many neighbours of each must be found.
N_QUERIES, AT = 300, 10


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows `known` int64 (n,) that are indexed first, rows `held` int64 (q,) that ask meanwhile, and the true neighbours
    int64 (q, k) of these among those.
    """

    known: NDArray[np.int64]
    held: NDArray[np.int64]
    truth: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], first: int = 0) -> HeldOut:
        """A fixed random part of unit vectors (n, d), none of the `first` rows: those are indexed already."""
        rest = len(vectors) - first
        held = np.sort(first + np.random.default_rng(0).permutation(rest)[: min(N_QUERIES, rest // 10)])
        known = np.setdiff1d(np.arange(len(vectors)), held)
        k = min(AT, len(known))
        truth = exact(vectors[held], vectors, k, known).rows if len(held) else np.empty((0, k), np.int64)
        return cls(known, held, truth)

    def recalls(self, found: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share float64 (q,) of the true neighbours among the rows `found` (q, k)."""
        shares: NDArray[np.float64] = (found[:, :, None] == self.truth[:, None, :]).any(axis=1).mean(axis=1)
        return shares


@dataclass(frozen=True, slots=True)
class Tuned(Generic[Setting]):
    """The chosen setting and what was measured with it, for the index's description."""

    value: Setting
    measured: dict[str, Any]


def first_good(
    held_out: HeldOut,
    settings: Sequence[Setting],
    recall: float,
    search: Callable[[int, Setting], NDArray[np.int64]],
) -> Tuned[Setting]:
    """The first setting that reaches `recall` even less one standard error; the best one when none does.

    `search` (k, setting) gives the rows int64 (q, k) that the held-out vectors find, -1 for none.
    """
    best: Tuned[Setting] | None = None
    for setting in settings if len(held_out.held) else settings[-1:]:
        tried = _measured(held_out, setting, search) if len(held_out.held) else Tuned(setting, {})
        if best is None or tried.measured["recall"] > best.measured["recall"]:
            best = tried
        if tried.measured and tried.measured["recall"] - tried.measured["recall_error"] >= recall:
            return tried
    if best is None:
        raise ValueError("there must be a setting")
    return best


def _measured(
    held_out: HeldOut, setting: Setting, search: Callable[[int, Setting], NDArray[np.int64]]
) -> Tuned[Setting]:
    shares = held_out.recalls(search(held_out.truth.shape[1], setting))
    error = float(shares.std() / np.sqrt(len(shares)))
    facts = {"recall": round(float(shares.mean()), 4), "recall_error": round(error, 4), "recall_queries": len(shares)}
    return Tuned(setting, facts)
