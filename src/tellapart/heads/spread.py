"""How rows spread: their principal directions, and a low-rank Gaussian along them, with all rows or without some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.objectives import Doubles, Floats

_LARGEST_RANK = 256
# Directions beside those wanted, to make those exact.
_SPARE = 32
# Directions are kept until they explain this share of the variance; the rest counts through its summed length.
_EXPLAINED = 0.95


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The distance along `rank` directions by their `weight` (rank,), beside them by the variance `outside`."""

    rank: int
    weight: Floats
    outside: float

    @classmethod
    def of(cls, values: Doubles, total: float, n: int, d: int) -> Gaussian:
        """Of n samples of d features by their variances, falling, and the sum of all of these."""
        rank = _rank(values, total, n)
        kept = values[:rank]
        # The directions of largest spread look larger than they are and the others smaller; the fewer samples, the
        # more so.
        shrink = rank / (n + rank)
        kept = (1 - shrink) * kept + shrink * (kept.mean() if rank else 1)
        outside = max((total - float(values[:rank].sum())) / max(d - rank, 1), 1e-6)
        return cls(rank, (1 / np.sqrt(np.maximum(kept, outside))).astype(np.float32), outside)

    def distances(self, inside: Floats, squares: Floats) -> Floats:
        """Of samples by their coordinates (m, ≥ rank) along the directions and their squared lengths (m,)."""
        inside = inside[:, : self.rank]
        beside = np.maximum(squares - np.einsum("ij,ij->i", inside, inside), 0)
        inside = inside * self.weight
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", inside, inside) + beside / self.outside), np.float32)


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances of centred rows z (n, d), falling, through the smaller matrix of their products.

    `gram` is zᵀz with its eigenvectors in `vectors`, or zzᵀ where n < d. Both know the variances without some of the
    rows too, at the price of a subtraction instead of all products again.
    """

    z: Floats
    gram: Floats
    values: Doubles
    vectors: Floats
    total: float

    @classmethod
    def of(cls, z: Floats) -> Spread:
        """Of centred rows float32 (n, d)."""
        n, d = z.shape
        gram = z @ z.T if n < d else z.T @ z
        values, vectors = _leading(gram / np.float32(n))
        return cls(z, gram, values, vectors, float(np.trace(gram)) / n)

    def directions(self, rank: int) -> Floats:
        """The first orthonormal directions (d, rank)."""
        first = self.vectors[:, :rank]
        return (
            first
            if len(self.gram) == self.z.shape[1]
            else self.z.T @ (first / _lengths(self.values[:rank], len(self.z)))
        )

    def held_out(self, part: NDArray[np.bool_]) -> Floats:
        """Distances of the rows of a mask under the Gaussian of the other rows."""
        n, d = int((~part).sum()), self.z.shape[1]
        without = self._without_dual if len(self.z) < d else self._without
        values, total, inside, squares = without(part, n)
        return Gaussian.of(values, total, n, d).distances(inside, squares)

    def gaussian_without(self, part: NDArray[np.bool_]) -> tuple[Gaussian, Floats, Floats]:
        """Of the rows outside a mask: the Gaussian, its directions (d, rank) and the mean (d,)."""
        n = int((~part).sum())
        values, total, vectors, mean = self._directions_without(part, n)
        gaussian = Gaussian.of(values, total, n, self.z.shape[1])
        return gaussian, np.ascontiguousarray(vectors[:, : gaussian.rank]), mean

    def _without(self, part: NDArray[np.bool_], n: int) -> tuple[Doubles, float, Floats, Floats]:
        values, total, vectors, mean = self._directions_without(part, n)
        out = self.z[part] - mean
        return values, total, np.asarray(out @ vectors, np.float32), np.einsum("ij,ij->i", out, out)

    def _directions_without(self, part: NDArray[np.bool_], n: int) -> tuple[Doubles, float, Floats, Floats]:
        """Variances, their sum, directions (d, ≥ rank) and mean (d,) of the rows outside a mask."""
        out = self.z[part]
        mean = np.asarray(out.sum(axis=0) / np.float32(-n), np.float32)
        covariance = (self.gram - out.T @ out) / np.float32(n) - np.outer(mean, mean)
        values, vectors = _leading(np.asarray(covariance, np.float32), self._start())
        return values, float(np.trace(covariance)), np.asarray(vectors, np.float32), mean

    def _without_dual(self, part: NDArray[np.bool_], n: int) -> tuple[Doubles, float, Floats, Floats]:
        inner, cross = self.gram[np.ix_(~part, ~part)], self.gram[np.ix_(part, ~part)]
        # Products with the mean of the others, of the others and of those held out, and of that mean with itself.
        own, mean = inner.mean(axis=0), cross.mean(axis=1)
        level = own.mean()
        squares = np.diagonal(self.gram)[part] - 2 * mean + level
        inner = (inner - own - own[:, None] + level) / np.float32(n)
        values, vectors = _leading(inner, self._start()[~part])
        inside = (cross - own - mean[:, None] + level) @ (vectors / _lengths(values, n))
        return values, float(np.trace(inner)), inside, squares

    def _start(self) -> Floats:
        return self.vectors[:, : _rank(self.values, self.total, len(self.z)) + _SPARE]


def _lengths(variances: Doubles, n: int) -> Floats:
    """Lengths of the columns that n rows make along directions of these variances."""
    return np.sqrt(np.maximum(variances * n, 1e-20)).astype(np.float32)


def _leading(matrix: Floats, start: Floats | None = None) -> tuple[Doubles, Floats]:
    """Eigenvalues, falling, and eigenvectors; of large matrices the first ones (Halko et al. 2011, algorithm 4.4).

    About 288 of them, or as many as `start` has columns, eigenvectors of a similar matrix. Those few cost a fraction,
    and a variance is exact for the direction it comes with, however near that is.
    """
    size, wanted = len(matrix), _LARGEST_RANK + _SPARE
    if size <= 2 * wanted:
        values, vectors = np.linalg.eigh(matrix)
        return np.maximum(values[::-1], 0).astype(np.float64), vectors[:, ::-1]
    passes = 1 if start is not None else 2
    span = np.random.default_rng(0).standard_normal((size, wanted), dtype=np.float32) if start is None else start
    span = matrix @ span
    for _ in range(passes):
        span = matrix @ np.linalg.qr(span)[0]
    basis = np.linalg.qr(span)[0]
    values, turn = np.linalg.eigh(basis.T @ (matrix @ basis))
    return np.maximum(values[::-1], 0).astype(np.float64), np.asarray(basis @ turn[:, ::-1], np.float32)


def _rank(values: Doubles, total: float, n: int) -> int:
    """Enough directions for 95 % of the variance; never more than 256, nor than a third of the samples can support."""
    if total <= 0:
        return 0
    enough = int(np.searchsorted(np.cumsum(values), _EXPLAINED * total)) + 1
    sound = int((values > 1e-5 * values[0]).sum())
    return min(enough, sound, _LARGEST_RANK, max(n // 3, 1))
