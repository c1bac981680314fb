"""How far an image is from everything the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.crossfit import parts, quantile_of_distances
from tellapart.heads.objectives import Doubles, Floats
from tellapart.heads.targets import check_embeddings

_LARGEST_RANK = 256
# Directions beside those wanted, to make those exact.
_SPARE = 32
# Directions are kept until they explain this share of the variance; the rest counts through its summed length.
_EXPLAINED = 0.95
# A feature that hardly moves in training is scaled as if it moved this share of the typical feature: finite, yet loud.
_FLOOR = 0.05
_FEW = 300
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class OodDetector:
    """Mahalanobis distance under a low-rank Gaussian of the training embeddings, scaled so that 1.0 is the threshold.

    With z = (x - mean) / scale and p = z @ basis: score = sqrt(sum((p * weight)²) + sum((z - p @ basisᵀ)²) * rest).
    `mean`, `scale` (d,), `basis` (d, r), `weight` (r,), `rest` (1,), all float32: a few operators of ONNX. A score of 1
    or more means "unknown". (Probabilistic PCA: Tipping & Bishop 1999; the distance as an OOD score: Lee et al. 2018;
    the length of the remainder: ViM, Wang et al. 2022.)
    """

    kind: ClassVar[str] = "mahalanobis"
    rejects: ClassVar[bool] = True

    mean: Floats
    scale: Floats
    basis: Floats
    weight: Floats
    rest: Floats

    @property
    def n_features(self) -> int:
        """Length of the embeddings this detector reads."""
        return len(self.mean)

    @classmethod
    def fit(cls, embeddings: Floats, *, folds: NDArray[np.int64] | None = None, share: float = 0.01) -> OodDetector:
        """Fit on training embeddings float32 (n, d), n ≥ 2, so that about `share` of images like them score 1 or more.

        The threshold comes from scores that each fold gets from a detector fitted on the other folds: scores of the
        training images themselves are far too low where n is not much larger than d. `folds` int64 (n,), -1 for samples
        outside all folds, keeps groups together; without it every fifth sample makes a fold. With fewer than 1 / share
        samples the threshold is extrapolated from their spread.

        Raises:
            SettingsError: `bad_setting` for arrays that do not fit together or a share outside 0–0.5.
        """
        check_embeddings(embeddings)
        n = len(embeddings)
        folds = np.arange(n) % _FOLDS if folds is None else folds
        if n < 2 or folds.shape != (n,) or not 0 < share <= 0.5:
            raise SettingsError(
                Reason.BAD_SETTING,
                f"an OOD detector needs two embeddings or more, a fold for each and a share in (0, 0.5], "
                f"got {n} embeddings, folds {folds.shape}, share {share}",
            )
        detector, spread = _fit(embeddings)
        held_out = [_judged(embeddings, spread, part) for part in parts(folds, n)]
        scores = np.concatenate(held_out) if held_out else detector.score(embeddings)
        return detector._normalised(quantile_of_distances(scores, share))

    @classmethod
    def unscaled(cls, embeddings: Floats, without: Sequence[NDArray[np.bool_]] = ()) -> list[OodDetector]:
        """Fitted on embeddings (n, d), n ≥ 2, and then without each of some masks (n,); scores are plain distances."""
        check_embeddings(embeddings)
        detector, spread = _fit(embeddings)
        few = len(embeddings) < max(_FEW, embeddings.shape[1])
        return [detector] + [
            _fit(embeddings[~part])[0] if few else spread.detector_without(part, detector) for part in without
        ]

    def inside(self, embeddings: Floats) -> Floats:
        """Where embeddings (n, d) lie along the basis, float32 (n, r)."""
        check_embeddings(embeddings, n_features=self.n_features)
        return np.asarray(((embeddings - self.mean) / self.scale) @ self.basis, np.float32)

    def coordinates(self, embeddings: Floats) -> tuple[Floats, Floats]:
        """Where embeddings (n, d) lie along the basis, float32 (n, r), and their squared distance beside it (n,)."""
        check_embeddings(embeddings, n_features=self.n_features)
        z = (embeddings - self.mean) / self.scale
        inside = np.asarray(z @ self.basis, np.float32)
        z -= inside @ self.basis.T
        return inside, np.asarray(np.einsum("ij,ij->i", z, z), np.float32)

    def score(self, embeddings: Floats) -> Floats:
        """Scores float32 (n,) ≥ 0 of embeddings (n, d); 1 or more means "unlike the training images"."""
        inside, beside = self.coordinates(embeddings)
        inside *= self.weight
        square = np.einsum("ij,ij->i", inside, inside) + beside * self.rest
        return np.asarray(np.sqrt(square), np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`ood_mean`, `ood_scale` (d,), `ood_basis` (d, r), `ood_weight` (r,), `ood_rest` (1,), float32."""
        return {f"ood_{name}": getattr(self, name) for name in ("mean", "scale", "basis", "weight", "rest")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> OodDetector:
        """Inverse of `arrays`; other names are ignored.

        Raises:
            ModelError: `model_damaged` when an array is missing or has the wrong shape.
        """
        names = [f"ood_{name}" for name in ("mean", "scale", "basis", "weight", "rest")]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ModelError(Reason.MODEL_DAMAGED, f"an OOD detector needs the arrays {', '.join(missing)}")
        mean, scale, basis, weight, rest = (np.asarray(arrays[name], np.float32) for name in names)
        d, r = len(np.atleast_1d(mean)), len(np.atleast_1d(weight))
        shapes = [a.shape for a in (mean, scale, basis, weight, rest)]
        if shapes != [(d,), (d,), (d, r), (r,), (1,)]:
            raise ModelError(Reason.MODEL_DAMAGED, f"the arrays of an OOD detector do not fit together: {shapes}")
        return cls(mean, scale, basis, weight, rest)

    def _normalised(self, threshold: float) -> OodDetector:
        factor = np.float32(1 / max(threshold, 1e-12))
        return replace(self, weight=self.weight * factor, rest=self.rest * factor * factor)


def _fit(embeddings: Floats) -> tuple[OodDetector, _Spread]:
    """The detector with its distance not yet scaled, and what it came from."""
    mean, scale = _location(embeddings)
    z = np.asarray((embeddings - mean) / scale, np.float32)
    spread = _Spread.of(z)
    gaussian = _Gaussian.of(spread.values, spread.total, *z.shape)
    basis = np.ascontiguousarray(spread.directions(gaussian.rank), np.float32)
    return OodDetector(mean, scale, basis, gaussian.weight, np.array([1 / gaussian.outside], np.float32)), spread


def _judged(embeddings: Floats, spread: _Spread, part: NDArray[np.bool_]) -> Floats:
    """Distances of a part by the others. The scale of all may serve for that, unless they are so few that it knows each."""
    if len(embeddings) < _FEW:
        return _fit(embeddings[~part])[0].score(embeddings[part])
    return spread.held_out(part)


def _location(embeddings: Floats) -> tuple[Floats, Floats]:
    """Mean and scale (d,) of every feature."""
    mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    z = embeddings - mean
    scale = np.sqrt(np.einsum("ij,ij->j", z, z) / np.float32(len(z)))
    typical = float(np.sqrt(np.mean(scale.astype(np.float64) ** 2)))
    return mean, np.maximum(scale, np.float32(_FLOOR * typical if typical > 0 else 1))


@dataclass(frozen=True, slots=True)
class _Gaussian:
    """The distance along `rank` directions by their `weight` (rank,), beside them by the variance `outside`."""

    rank: int
    weight: Floats
    outside: float

    @classmethod
    def of(cls, values: Doubles, total: float, n: int, d: int) -> _Gaussian:
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
class _Spread:
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
    def of(cls, z: Floats) -> _Spread:
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
        return _Gaussian.of(values, total, n, d).distances(inside, squares)

    def detector_without(self, part: NDArray[np.bool_], all_: OodDetector) -> OodDetector:
        """The unscaled detector of the rows outside a mask, in the scale of the one of all."""
        n = int((~part).sum())
        values, total, vectors, mean = self._directions_without(part, n)
        gaussian = _Gaussian.of(values, total, n, self.z.shape[1])
        basis = np.ascontiguousarray(vectors[:, : gaussian.rank])
        return replace(
            all_,
            mean=all_.mean + mean * all_.scale,
            basis=basis,
            weight=gaussian.weight,
            rest=np.array([1 / gaussian.outside], np.float32),
        )

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
