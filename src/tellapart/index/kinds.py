"""The kinds of index by name, and which one n vectors get."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.index.exact import Hits
from tellapart.index.flat import Flat
from tellapart.index.hnsw import Hnsw
from tellapart.index.ivfpq import MIN_VECTORS, IvfPq

Kind = Literal["auto", "flat", "hnsw", "ivfpq"]
ASKED: tuple[Kind, ...] = ("auto", "flat", "hnsw", "ivfpq")
# Up to so many vectors every one is compared: milliseconds for a query, and nothing is missed.
EXACT_UP_TO = 100_000
# A graph must lie in memory to be fast; beyond so many vectors codes of some bytes each are searched first.
GRAPH_UP_TO = 5_000_000


class Searcher(Protocol):
    """One opened segment: n unit vectors of which the nearest can be found. Its files never change."""

    @classmethod
    def build(
        cls, vectors: NDArray[np.float32], folder: Path, *, recall: float, base: Path | None = None
    ) -> Mapping[str, Any]:
        """Write the files of unit vectors (n, d) into `folder`; returns the parameters, and the recall they reached.

        `base` is the folder of a segment of this kind that holds the first of the vectors: what it learned is kept.
        """
        ...

    @classmethod
    def open(cls, folder: Path, parameters: Mapping[str, Any]) -> Searcher:
        """Map the files into memory; raises RuntimeError (faiss) or OSError when they cannot be used."""
        ...

    @property
    def vectors(self) -> NDArray[np.float32]:
        """float32 (n, d), memory-mapped: do not write."""
        ...

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Hits:
        """The k nearest (fewer when there are fewer) to unit queries (q, d) among the rows that are `allowed` (n,)."""
        ...


KINDS: dict[str, type[Searcher]] = {"flat": Flat, "hnsw": Hnsw, "ivfpq": IvfPq}


def kind_for(asked: str, n: int) -> str:
    """The kind that n vectors get; one that has to learn needs some to learn from."""
    if asked == "auto":
        return "flat" if n <= EXACT_UP_TO else "hnsw" if n <= GRAPH_UP_TO else "ivfpq"
    return "flat" if asked == "ivfpq" and n < MIN_VECTORS else asked


def check_kind(asked: str) -> None:
    """Refuse a kind that does not exist.

    Raises:
        SettingsError: `unknown_name`.
    """
    if asked not in ASKED:
        message = f"there is no index of kind {asked!r} (known: {', '.join(ASKED)})"
        raise SettingsError(Reason.UNKNOWN_NAME, message)
