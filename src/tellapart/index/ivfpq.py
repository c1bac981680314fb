"""IVF-PQ segments (Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", 2011), by faiss: cells of
vectors, codes of half a byte for every few numbers, and the best of these compared again with the vectors themselves.

The codes alone would miss half of the ten nearest; the vectors stay on the disk, memory-mapped, and only those are read
that the codes find near.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.index.engine import engine
from tellapart.index.exact import Hits, rescored
from tellapart.index.filtered import search_allowed
from tellapart.index.flat import open_vectors, view, write_vectors
from tellapart.index.tuning import AT, HeldOut, first_good

CODES = "codes.faiss"
# faiss's k-means takes about 40 vectors per cell; with fewer there is nothing to learn.
MIN_VECTORS = 1_000
_PER_CELL, _ROUNDS = 40, 10
_MOST_CODES = 256
_PROBES = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512)
_FACTORS = (2, 4, 8, 16, 32, 64, 128)
# Nanoseconds, measured on one core: to look at the code of a vector, and to fetch and compare a vector.
_NS_PER_CODE_BYTE, _NS_PER_VECTOR = 0.05, 150.0


class IvfPq:
    """Looks at the codes of the nearest cells, then at the vectors of the best codes."""

    def __init__(self, codes: Any, flat: Any, n_probe: int, factor: int) -> None:
        faiss = engine()
        self._codes, self._flat, self._vectors = codes, flat, view(flat)
        self._n_probe, self._factor, self._cells = n_probe, factor, codes.nlist
        codes.nprobe = n_probe
        self._refined = faiss.IndexRefine(codes, flat)
        self._refined.k_factor = float(factor)

    @classmethod
    def build(
        cls, vectors: NDArray[np.float32], folder: Path, *, recall: float, base: Path | None = None
    ) -> Mapping[str, Any]:
        """Learn cells and codes, or keep those of `base`; what a search looks at is measured."""
        faiss = engine()
        learned = None if base is None else faiss.read_index(str(base / CODES))
        held_out = HeldOut.of(vectors, 0 if learned is None else learned.ntotal)
        codes = _learned(vectors[held_out.known]) if learned is None else learned
        new = held_out.known[codes.ntotal :]
        codes.add_with_ids(vectors[new], new)
        settings = _settings(codes, len(vectors))
        tuned = first_good(held_out, settings, recall, lambda k, one: _found(codes, vectors, held_out, k, one))
        codes.add_with_ids(vectors[held_out.held], held_out.held)
        faiss.write_index(codes, str(folder / CODES))
        write_vectors(vectors, folder)
        n_probe, factor = tuned.value
        return {"cells": codes.nlist, "codes": codes.pq.M, "n_probe": n_probe, "factor": factor, **tuned.measured}

    @classmethod
    def open(cls, folder: Path, parameters: Mapping[str, Any]) -> IvfPq:
        """Map both files into memory."""
        faiss = engine()
        codes = faiss.read_index(str(folder / CODES), faiss.IO_FLAG_MMAP_IFC)
        return cls(codes, open_vectors(folder), int(parameters["n_probe"]), int(parameters["factor"]))

    @property
    def vectors(self) -> NDArray[np.float32]:
        """float32 (n, d), memory-mapped."""
        return self._vectors

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Hits:
        """The k nearest, nearly all of them; k wherever there are k."""
        return search_allowed(queries, self._vectors, k, allowed, self._looked_up, self._flat)

    def _looked_up(self, queries: NDArray[np.float32], k: int, selector: Any, harder: float) -> Hits:
        # What was measured holds for the ten nearest; for fewer as many codes are compared again.
        factor = self._factor * max(k, AT) / k
        if selector is None and k == AT:
            return Hits(*self._refined.search(queries, k))
        n_probe = min(self._cells, int(np.ceil(self._n_probe * harder)))
        return Hits(*self._refined.search(queries, k, params=_parameters(n_probe, factor, selector)))


def _parameters(n_probe: int, factor: float, selector: Any) -> Any:
    faiss = engine()
    inner = faiss.SearchParametersIVF(nprobe=n_probe, sel=selector)
    return faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=inner)


def _found(
    codes: Any, vectors: NDArray[np.float32], held_out: HeldOut, k: int, setting: tuple[int, int]
) -> NDArray[np.int64]:
    """Rows int64 (q, k) that the held-out vectors find: the best of those whose codes are near."""
    n_probe, factor = setting
    queries = vectors[held_out.held]
    wanted = min(k * factor, codes.ntotal)
    near = codes.search(queries, wanted, params=engine().SearchParametersIVF(nprobe=n_probe))
    return rescored(queries, vectors, Hits(*near)).rows[:, :k]


def _learned(vectors: NDArray[np.float32]) -> Any:
    """Cells and codes without content. Everything random has a fixed seed."""
    faiss = engine()
    n, dim = vectors.shape
    cells = max(1, min(int(2 * np.sqrt(n)), n // _PER_CELL))
    codes = faiss.index_factory(dim, f"IVF{cells},PQ{_n_codes(dim)}x4fs", faiss.METRIC_INNER_PRODUCT)
    codes.cp.niter, codes.cp.max_points_per_centroid, codes.cp.min_points_per_centroid = _ROUNDS, _PER_CELL, 1
    codes.train(vectors)
    return codes


def _n_codes(dim: int) -> int:
    """How many codes of half a byte: one for every two numbers where `dim` allows it, at most `_MOST_CODES`."""
    return max(m for m in range(1, min(max(1, dim // 2), _MOST_CODES) + 1) if dim % m == 0)


def _settings(codes: Any, n: int) -> list[tuple[int, int]]:
    """(cells to look into, codes per wanted vector), the cheapest first: by a fixed price, so that every run chooses alike."""

    def price(setting: tuple[int, int]) -> float:
        n_probe, factor = setting
        looked_at = n_probe * n / codes.nlist
        return float(looked_at * codes.pq.M / 2 * _NS_PER_CODE_BYTE + factor * 10 * _NS_PER_VECTOR)

    probes = [p for p in _PROBES if p < codes.nlist] + [codes.nlist]
    return sorted(((p, f) for p in probes for f in _FACTORS), key=price)
