"""HNSW segments (Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical
navigable small world graphs", 2018), by faiss: a graph of near vectors, walked from coarse to fine.

The graph and the vectors are two files, both memory-mapped: the vectors are stored once, and serve exact answers too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.index.engine import engine
from tellapart.index.exact import Hits
from tellapart.index.filtered import search_allowed
from tellapart.index.flat import VECTORS, open_vectors, view
from tellapart.index.tuning import HeldOut, first_good

GRAPH = "graph.faiss"
# Links of a vector (twice as many on the lowest level) and how many are looked at to choose them. Above, building takes
# longer for little recall; below, no efSearch reaches 0.95 on 1,000,000 vectors.
LINKS, EF_CONSTRUCTION = 16, 80
# How many candidates a search keeps; the first of these that finds enough is chosen.
EF_SEARCH = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048)


class Hnsw:
    """Walks a graph."""

    def __init__(self, graph: Any, flat: Any, ef_search: int) -> None:
        graph.storage, graph.own_fields = flat, False
        graph.hnsw.efSearch = ef_search
        self._graph, self._flat, self._vectors, self._ef = graph, flat, view(flat), ef_search

    @classmethod
    def build(
        cls, vectors: NDArray[np.float32], folder: Path, *, recall: float, base: Path | None = None
    ) -> Mapping[str, Any]:
        """Build, or add to the graph of `base`; the efSearch is measured with the vectors that come last."""
        faiss = engine()
        graph = _begun(vectors, base)
        held_out = HeldOut.of(vectors, graph.ntotal)
        graph.add(vectors[held_out.known[graph.ntotal :]])
        tuned = first_good(held_out, EF_SEARCH, recall, lambda k, ef: _found(graph, vectors, held_out, k, ef))
        graph.add(vectors[held_out.held])
        # In the order of rows; a new row is the old one at that place.
        graph.permute_entries(np.argsort(np.concatenate([held_out.known, held_out.held])))
        faiss.write_index(graph, str(folder / GRAPH), faiss.IO_FLAG_SKIP_STORAGE)
        faiss.write_index(graph.storage, str(folder / VECTORS))
        return {"links": LINKS, "ef_construction": EF_CONSTRUCTION, "ef_search": tuned.value, **tuned.measured}

    @classmethod
    def open(cls, folder: Path, parameters: Mapping[str, Any]) -> Hnsw:
        """Map both files into memory."""
        faiss = engine()
        graph = faiss.read_index(str(folder / GRAPH), faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_SKIP_STORAGE)
        return cls(graph, open_vectors(folder), int(parameters["ef_search"]))

    @property
    def vectors(self) -> NDArray[np.float32]:
        """float32 (n, d), memory-mapped."""
        return self._vectors

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Hits:
        """The k nearest, nearly all of them; k wherever there are k."""
        return search_allowed(queries, self._vectors, k, allowed, self._walked, self._flat)

    def _walked(self, queries: NDArray[np.float32], k: int, selector: Any, harder: float) -> Hits:
        faiss = engine()
        k = min(k, len(self._vectors))
        if selector is None and k <= self._ef:
            return Hits(*self._graph.search(queries, k))
        ef = int(max(self._ef * harder, k * harder))
        return Hits(*self._graph.search(queries, k, params=faiss.SearchParametersHNSW(sel=selector, efSearch=ef)))


def _begun(vectors: NDArray[np.float32], base: Path | None) -> Any:
    """A graph in memory: an empty one, or that of `base` with the first of the unit vectors (n, d)."""
    faiss = engine()
    if base is None:
        graph = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    else:
        graph = faiss.read_index(str(base / GRAPH), faiss.IO_FLAG_SKIP_STORAGE)
        graph.storage = faiss.IndexFlatIP(vectors.shape[1])
        graph.storage.this.disown()
        graph.own_fields = True
        graph.storage.add(vectors[: graph.ntotal])
    graph.hnsw.efConstruction = EF_CONSTRUCTION
    return graph


def _found(graph: Any, vectors: NDArray[np.float32], held_out: HeldOut, k: int, ef: int) -> NDArray[np.int64]:
    """Rows int64 (q, k) that the held-out vectors find: the graph counts the rows it has."""
    parameters = engine().SearchParametersHNSW(efSearch=max(ef, k))
    places = graph.search(vectors[held_out.held], k, params=parameters)[1]
    return np.where(places < 0, -1, held_out.known[places])
