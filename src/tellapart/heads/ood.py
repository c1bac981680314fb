"""How far an image is from everything the model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.objectives import Doubles, Floats
from tellapart.heads.targets import check_embeddings

_LARGEST_RANK = 256
# Directions are kept until they explain this share of the variance; the rest counts through its summed length.
_EXPLAINED = 0.95
# A feature that hardly moves in training is scaled as if it moved this share of the typical feature: finite, yet loud.
_FLOOR = 0.05
# Detectors fitted for the threshold: few samples want most of them in each, many can spare some for time.
_CROSS_FITS, _CROSS_FITS_MANY, _MANY = 5, 3, 2_000


@dataclass(frozen=True, slots=True)
class OodDetector:
    """Mahalanobis distance under a low-rank Gaussian of the training embeddings, scaled so that 1.0 is the threshold.

    With z = (x - mean) / scale and p = z @ basis: score = sqrt(sum((p * weight)²) + sum((z - p @ basisᵀ)²) * rest).
    `mean`, `scale` (d,), `basis` (d, r), `weight` (r,), `rest` (1,), all float32: a few operators of ONNX. A score of 1
    or more means "unknown". (Probabilistic PCA: Tipping & Bishop 1999; the distance as an OOD score: Lee et al. 2018;
    the length of the remainder: ViM, Wang et al. 2022.)
    """

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
        folds = np.arange(n) % _CROSS_FITS if folds is None else folds
        if n < 2 or folds.shape != (n,) or not 0 < share <= 0.5:
            raise SettingsError(
                Reason.BAD_SETTING,
                f"an OOD detector needs two embeddings or more, a fold for each and a share in (0, 0.5], "
                f"got {n} embeddings, folds {folds.shape}, share {share}",
            )
        held_out = np.concatenate(list(_held_out_scores(embeddings, folds)))
        return _fit(embeddings)._normalised(_quantile(held_out, share))

    def score(self, embeddings: Floats) -> Floats:
        """Scores float32 (n,) ≥ 0 of embeddings (n, d); 1 or more means "unlike the training images"."""
        check_embeddings(embeddings, n_features=self.n_features)
        z = (embeddings - self.mean) / self.scale
        inside = z @ self.basis
        z -= inside @ self.basis.T
        inside *= self.weight
        square = np.einsum("ij,ij->i", inside, inside) + np.einsum("ij,ij->i", z, z) * self.rest
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


def _held_out_scores(embeddings: Floats, folds: NDArray[np.int64]) -> Iterator[Floats]:
    """Scores of the samples of each fold by a detector that has not seen them; folds are merged to five or three."""
    names = np.unique(folds[folds >= 0])
    cross_fits = _CROSS_FITS if len(embeddings) < _MANY else _CROSS_FITS_MANY
    if len(names) < 2:
        yield _fit(embeddings).score(embeddings)
        return
    part = np.where(folds >= 0, np.searchsorted(names, folds) % cross_fits, -1)
    for fold in range(min(len(names), cross_fits)):
        held_out = part == fold
        yield _fit(embeddings[~held_out]).score(embeddings[held_out])


def _fit(embeddings: Floats) -> OodDetector:
    """The detector with its distance not yet scaled."""
    n, d = embeddings.shape
    mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    z = embeddings - mean
    scale = np.sqrt(np.einsum("ij,ij->j", z, z) / np.float32(n))
    typical = float(np.sqrt(np.mean(scale.astype(np.float64) ** 2)))
    scale = np.maximum(scale, np.float32(_FLOOR * typical if typical > 0 else 1))
    z /= scale
    values, basis = _principal(z)
    total = float(np.einsum("ij,ij->", z, z)) / n
    rank = _rank(values, total, n)
    kept = values[:rank]
    # The directions of largest spread look larger than they are and the others smaller; the fewer samples, the more so.
    shrink = rank / (n + rank)
    kept = (1 - shrink) * kept + shrink * (kept.mean() if rank else 1)
    outside = max((total - float(values[:rank].sum())) / max(d - rank, 1), 1e-6)
    weight = (1 / np.sqrt(np.maximum(kept, outside))).astype(np.float32)
    return OodDetector(mean, scale, np.ascontiguousarray(basis[:, :rank]), weight, np.array([1 / outside], np.float32))


def _principal(z: Floats) -> tuple[Doubles, Floats]:
    """Variances, falling, and directions (d, m) of centred rows; through the smaller of the two Gram matrices."""
    n, d = z.shape
    if d <= n:
        values, vectors = _leading(z.T @ z / np.float32(n))
        return values.astype(np.float64), vectors
    values, vectors = _leading(z @ z.T / np.float32(n))
    lengths = np.sqrt(np.maximum(values * np.float32(n), 1e-20))
    return values.astype(np.float64), z.T @ (vectors / lengths)


def _leading(gram: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, falling, and eigenvectors; of large matrices about the first 288 (Halko et al. 2011, algorithm 4.4).

    Those few cost half the time, and a variance is exact for the direction it comes with, however near that is.
    """
    size, wanted = len(gram), _LARGEST_RANK + 32
    if size <= 2 * wanted:
        values, vectors = np.linalg.eigh(gram)
        return np.maximum(values[::-1], 0), vectors[:, ::-1]
    span = gram @ np.random.default_rng(0).standard_normal((size, wanted), dtype=np.float32)
    for _ in range(2):
        span = gram @ np.linalg.qr(span)[0]
    basis = np.linalg.qr(span)[0]
    values, turn = np.linalg.eigh(basis.T @ (gram @ basis))
    return np.maximum(values[::-1], 0), np.asarray(basis @ turn[:, ::-1], np.float32)


def _rank(values: Doubles, total: float, n: int) -> int:
    """Enough directions for 95 % of the variance; never more than 256, nor than a third of the samples can support."""
    if total <= 0:
        return 0
    enough = int(np.searchsorted(np.cumsum(values), _EXPLAINED * total)) + 1
    sound = int((values > 1e-5 * values[0]).sum())
    return min(enough, sound, _LARGEST_RANK, max(n // 3, 1))


def _quantile(scores: Floats, share: float) -> float:
    """Score that about `share` of further samples exceeds: an order statistic, or its extrapolation."""
    ordered = np.sort(scores.astype(np.float64))
    n = len(ordered)
    place = int(np.ceil((n + 1) * (1 - share))) - 1
    if place < n:
        return float(ordered[place])
    # The standard library's statistics costs a start-up nothing here: only training comes this way.
    from statistics import NormalDist

    logs = np.log(np.maximum(ordered, 1e-12))
    spread = float(logs.std(ddof=1)) if n > 1 else 0.0
    # Mean and spread of few samples are uncertain themselves: the normal quantile is widened as for a t distribution.
    far = NormalDist().inv_cdf(1 - share) * np.sqrt(1 + 1 / n) * (1 + 2.0 / n)
    return max(float(ordered[-1]), float(np.exp(logs.mean() + far * spread)))
