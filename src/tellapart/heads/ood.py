"""How far an image is from everything the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.crossfit import parts, quantile_of_distances
from tellapart.heads.objectives import Floats
from tellapart.heads.spread import Gaussian, Spread
from tellapart.heads.targets import check_embeddings

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
            _fit(embeddings[~part])[0] if few else _without(detector, spread, part) for part in without
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


def _fit(embeddings: Floats) -> tuple[OodDetector, Spread]:
    """The detector with its distance not yet scaled, and what it came from."""
    mean, scale = _location(embeddings)
    z = np.asarray((embeddings - mean) / scale, np.float32)
    spread = Spread.of(z)
    gaussian = Gaussian.of(spread.values, spread.total, *z.shape)
    basis = np.ascontiguousarray(spread.directions(gaussian.rank), np.float32)
    return OodDetector(mean, scale, basis, gaussian.weight, np.array([1 / gaussian.outside], np.float32)), spread


def _without(detector: OodDetector, spread: Spread, part: NDArray[np.bool_]) -> OodDetector:
    """The detector of the rows outside a mask, in the scale of the one of all."""
    gaussian, basis, mean = spread.gaussian_without(part)
    rest = np.array([1 / gaussian.outside], np.float32)
    return replace(detector, mean=detector.mean + mean * detector.scale, basis=basis, weight=gaussian.weight, rest=rest)


def _judged(embeddings: Floats, spread: Spread, part: NDArray[np.bool_]) -> Floats:
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
