"""Exact segments: faiss's own flat file, memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.index.engine import engine
from tellapart.index.exact import SPARE, Hits, exact, settled, undecided

VECTORS = "vectors.faiss"


def write_vectors(vectors: NDArray[np.float32], folder: Path) -> Any:
    """Write unit vectors (n, d) as a flat index; returns it."""
    faiss = engine()
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    faiss.write_index(flat, str(folder / VECTORS))
    return flat


def open_vectors(folder: Path) -> Any:
    """The flat index, mapped; raises RuntimeError when the file cannot be used."""
    faiss = engine()
    return faiss.read_index(str(folder / VECTORS), faiss.IO_FLAG_MMAP_IFC)


def view(flat: Any) -> NDArray[np.float32]:
    """The vectors of a flat index, float32 (n, d), where they lie; `flat` must live as long."""
    faiss = engine()
    n, dim = flat.ntotal, flat.d
    if not n:
        return np.empty((0, dim), np.float32)
    found: NDArray[np.float32] = faiss.rev_swig_ptr(flat.get_xb(), n * dim).reshape(n, dim)
    return found


class Flat:
    """Compares a query with every vector."""

    def __init__(self, flat: Any) -> None:
        self._flat, self._vectors = flat, view(flat)

    @classmethod
    def build(
        cls, vectors: NDArray[np.float32], folder: Path, *, recall: float, base: Path | None = None
    ) -> Mapping[str, Any]:
        """Write the file; nothing is missed whatever `recall` asks."""
        del recall, base
        write_vectors(vectors, folder)
        return {}

    @classmethod
    def open(cls, folder: Path, parameters: Mapping[str, Any]) -> Flat:
        """Map the file into memory."""
        del parameters
        return cls(open_vectors(folder))

    @property
    def vectors(self) -> NDArray[np.float32]:
        """float32 (n, d), memory-mapped."""
        return self._vectors

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Hits:
        """The k nearest, exactly; ties by row."""
        if allowed is not None:
            return exact(queries, self._vectors, k, np.flatnonzero(allowed), self._flat)
        found = Hits(*self._flat.search(queries, min(k + SPARE, len(self._vectors))))
        found = settled(queries, self._vectors, found)
        doubtful = undecided(found, k)
        if not doubtful.any():
            return found.cut(k)
        return _replaced(found.cut(k), doubtful, exact(queries[doubtful], self._vectors, k))


def _replaced(found: Hits, where: NDArray[np.bool_], better: Hits) -> Hits:
    found.similarities[where], found.rows[where] = better
    return found
