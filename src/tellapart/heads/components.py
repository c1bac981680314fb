"""Principal components: the directions in which embeddings vary most, and the projection onto them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tellapart.errors import Reason, SettingsError
from tellapart.heads.objectives import Floats
from tellapart.heads.projection import Projection

_AT_ONCE = 16_384
# Up to so many dimensions the eigenvectors themselves cost seconds; above, products with the data find the first ones.
_EXACT = 2_048
_SPARE, _PASSES = 16, 4


@dataclass(frozen=True, slots=True)
class Components:
    """Principal components of n embeddings: `mean` (d,), orthonormal `directions` (d, m), their `variances` (m,), falling,
    and the `total` variance of all d."""

    mean: Floats
    directions: Floats
    variances: Floats
    total: float

    @property
    def explained(self) -> float:
        """Share of the variance that these directions hold, 0 to 1."""
        return float(self.variances.sum(dtype=np.float64)) / self.total if self.total > 0 else 1.0

    def projection(self, *, whiten: bool = False) -> Projection:
        """Onto these directions; `whiten` gives every one the variance 1."""
        if not whiten:
            return Projection("pca", self.mean, np.ascontiguousarray(self.directions))
        least = max(1e-6 * float(self.variances[0]), 1e-20)
        matrix = self.directions / np.sqrt(np.maximum(self.variances, least))
        return Projection("pca-whitened", self.mean, np.ascontiguousarray(matrix, np.float32))


def principal_components(embeddings: Floats, dim: int, *, seed: int = 0) -> Components:
    """The first `dim` components of embeddings float32 (n, d); no copy of them is made.

    Exact up to 2,048 dimensions. Above, by randomised subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4):
    its directions hold about 0.1 % less variance, the last of them may be others. Each direction's largest entry is positive.

    Raises:
        SettingsError: `bad_setting` when n embeddings of d numbers do not have so many.
    """
    n, d = embeddings.shape
    most = min(n - 1, d)
    if not 1 <= dim <= most:
        message = f"{n:,} vectors of {d:,} numbers have 1 to {most:,} components, {dim:,} were asked for"
        raise SettingsError(Reason.BAD_SETTING, message)
    mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    if d <= _EXACT or dim + _SPARE >= d:
        variances, directions = _by_covariance(embeddings, mean, dim)
    else:
        variances, directions = _by_subspace(embeddings, mean, dim, seed)
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(dim)])
    directions = np.asarray(directions * signs, np.float32)
    return Components(mean, directions, np.maximum(variances, 0), _variance(embeddings, mean))


def fit_pca(embeddings: Floats, dim: int, *, whiten: bool = False, seed: int = 0) -> Projection:
    """The projection that keeps most of the variance of embeddings (n, d); `whiten` gives every direction the same.

    Raises:
        SettingsError: as `principal_components`.
    """
    return principal_components(embeddings, dim, seed=seed).projection(whiten=whiten)


def _variance(embeddings: Floats, mean: Floats) -> float:
    return sum(
        float(np.square(embeddings[start : start + _AT_ONCE] - mean, dtype=np.float64).sum())
        for start in range(0, len(embeddings), _AT_ONCE)
    ) / len(embeddings)


def _by_covariance(embeddings: Floats, mean: Floats, dim: int) -> tuple[Floats, Floats]:
    """By the eigenvectors of the covariance, summed up in float64 over parts of the rows."""
    from scipy.linalg import eigh

    n, d = embeddings.shape
    covariance = np.zeros((d, d))
    for start in range(0, n, _AT_ONCE):
        centred = embeddings[start : start + _AT_ONCE] - mean
        covariance += centred.T @ centred
    values, vectors = eigh(covariance / n, subset_by_index=[d - dim, d - 1])
    return values[::-1].astype(np.float32), vectors[:, ::-1]


def _by_subspace(embeddings: Floats, mean: Floats, dim: int, seed: int) -> tuple[Floats, Floats]:
    """By a random subspace that products with the data turn towards the first directions."""
    n, d = embeddings.shape
    span = np.random.default_rng(seed).standard_normal((d, dim + _SPARE), dtype=np.float32)
    for _ in range(_PASSES):
        span = _multiplied(embeddings, mean, np.linalg.qr(span)[0])
    basis = np.linalg.qr(span)[0]
    values, turn = np.linalg.eigh(basis.T @ _multiplied(embeddings, mean, basis) / n)
    return values[::-1][:dim].astype(np.float32), (basis @ turn[:, ::-1])[:, :dim]


def _multiplied(embeddings: Floats, mean: Floats, span: Floats) -> Floats:
    """The sum of squares matrix of the centred rows times a (d, r) matrix."""
    out = np.zeros(span.shape, np.float32)
    for start in range(0, len(embeddings), _AT_ONCE):
        centred = embeddings[start : start + _AT_ONCE] - mean
        out += centred.T @ (centred @ span)
    return out
