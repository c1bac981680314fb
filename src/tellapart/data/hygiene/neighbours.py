"""The nearest images of each image by embedding: the one home of faiss in the checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Metric = Literal["product", "distance"]
NONE = np.float32(-np.inf)

# Whitened directions beyond these hold noise; fewer where there are few images to tell directions by.
_MOST_DIMS = 256
_IMAGES_PER_DIM = 4
# The covariance of this many images is as good as that of all, and keeps its cost bounded.
_COVARIANCE_IMAGES = 20_000
# Up to here all pairs take seconds; above, cells are searched, whose number keeps the time near-linear.
_EXACT_IMAGES = 20_000
_CELLS_SEARCHED = 16
# Relatives that are looked past, the image itself among them; of a larger group some neighbours stay unknown.
_MOST_RELATIVES = 50
_NEVER_ZERO = 1e-6


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The m nearest of each image, nearest first: `rows` int64 (n, m), `similarity` float32 (n, m), higher is nearer.

    Where there are fewer, or where a near one is a relative, the similarity is -inf and the row means nothing.
    """

    rows: NDArray[np.int64]
    similarity: Floats

    def vote(self, values: NDArray[Any], softness: float = 0.1) -> Floats:
        """The mean of `values` (n, k) over the neighbours, float32 (n, k), nan where there are none.

        One that is `softness` less similar counts 1/e of the nearest.
        """
        from scipy.sparse import csr_array  # 0.2 s to import

        best = self.similarity.max(axis=1, keepdims=True, initial=NONE)
        weight = np.exp((self.similarity - np.where(np.isfinite(best), best, 0)) / np.float32(softness))
        n, m = weight.shape
        total = weight.sum(axis=1)
        rows = np.where(weight > 0, self.rows, 0)
        # Of many classes nearly all values are 0.
        given = csr_array((weight.reshape(-1), rows.reshape(-1), np.arange(n + 1) * m), shape=(n, len(values)))
        votes = (given @ csr_array(values)).toarray()
        return np.asarray(votes / np.where(total > 0, total, np.nan)[:, None], np.float32)


def neighbours(embeddings: Floats, groups: NDArray[np.int64], m: int = 50) -> Neighbours:
    """The m nearest images of each by the cosine of whitened embeddings (n, d), relatives left out.

    `groups` (n,) numbers images that show the same thing: a near-duplicate would only repeat its own label. Whitening
    makes directions count alike, as they do for a linear head. Exact up to 20,000 images, above that by cells (Jégou et
    al. 2011), near-linear in n.
    """
    return nearest(whitened(embeddings), groups, m)


def nearest(points: Floats, groups: NDArray[np.int64], m: int, *, by: Metric = "product") -> Neighbours:
    """`neighbours` of points (n, r) as they are, by their inner product or by minus their squared distance."""
    m = min(m, len(points) - 1)
    if m < 1:
        return Neighbours(np.zeros((len(points), 0), np.int64), np.zeros((len(points), 0), np.float32))
    relatives = int(np.unique(groups, return_counts=True)[1].max())
    found, rows = _index(points, by).search(points, m + min(relatives, _MOST_RELATIVES))
    similarity = -found if by == "distance" else found
    similarity = np.where((rows < 0) | (groups[rows] == groups[:, None]), NONE, similarity)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :m]
    return Neighbours(
        np.take_along_axis(rows, order, axis=1).astype(np.int64), np.take_along_axis(similarity, order, axis=1)
    )


def whitened(embeddings: Floats) -> Floats:
    """The main directions of embeddings (n, d) at equal spread and unit length, float32 (n, at most 256)."""
    mean, scale = embeddings.mean(axis=0), embeddings.std(axis=0) + _NEVER_ZERO
    few = embeddings[:: -(-len(embeddings) // _COVARIANCE_IMAGES)]
    centred = (few - mean) / scale
    dims = max(1, min(_MOST_DIMS, len(embeddings) // _IMAGES_PER_DIM))
    spread, directions = np.linalg.eigh(centred.T @ centred / len(few))
    kept = slice(-dims, None)
    onto = directions[:, kept] / np.sqrt(np.maximum(spread[kept], _NEVER_ZERO)) / scale[:, None]
    points = np.asarray(embeddings @ onto - mean @ onto, np.float32)
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return np.ascontiguousarray(points / np.maximum(length, _NEVER_ZERO))


def _index(points: Floats, by: Metric) -> Any:
    import faiss  # 0.4 s to import

    n, dims = points.shape
    metric = faiss.METRIC_L2 if by == "distance" else faiss.METRIC_INNER_PRODUCT
    index: Any = faiss.IndexFlat(dims, metric)
    if n > _EXACT_IMAGES:
        index = faiss.IndexIVFFlat(index, dims, int(2 * np.sqrt(n)), metric)
        index.cp.niter = 10
        index.nprobe = _CELLS_SEARCHED
        index.train(points)
    index.add(points)
    return index
