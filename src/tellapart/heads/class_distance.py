"""How far an image is from the nearest class, by the spread that all classes share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason
from tellapart.heads.crossfit import quantile_of_distances
from tellapart.heads.familiar import Familiar, Mask
from tellapart.heads.objectives import Floats
from tellapart.heads.ood import OodDetector
from tellapart.heads.within import Within


@dataclass(frozen=True, slots=True)
class ClassDistance:
    """Mahalanobis distance to the nearest class mean under the shared covariance within classes (Lee et al. 2018).

    With z = (x - mean) / scale and p = z @ basis, as of `space`: score = sqrt(min over classes of
    sum((p * weight - centre)²) + sum((z - p @ basisᵀ)²) * rest). `centres` float32 (k, r), those of classes that had an
    image. A score of 1 or more means "unknown".
    """

    kind: ClassVar[str] = "class_distance"
    rejects: ClassVar[bool] = True

    space: OodDetector
    centres: Floats

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads."""
        return self.space.n_features

    @classmethod
    def fit(cls, known: Familiar) -> ClassDistance:
        """Fit on images with a class each; the threshold is that of distances out of fold.

        Raises:
            SettingsError: `bad_setting` for several labels per image.
        """
        classes = known.classes

        def distances(own: OodDetector, fitted: Mask, judged: Mask) -> Floats:
            return cls.within(own, known.embeddings[fitted], classes[fitted]).score(known.embeddings[judged])

        space, held_out = known.held_out(distances)
        return cls.within(space, known.embeddings, classes)._normalised(quantile_of_distances(held_out, known.share))

    @classmethod
    def within(cls, space: OodDetector, embeddings: Floats, classes: NDArray[np.int64]) -> ClassDistance:
        """Of images (n, d) and the class of each (n,), in the directions of `space`; the score is the plain distance."""
        within = Within.of(space.inside(embeddings), classes)
        variances, turn = np.linalg.eigh(within.covariance)
        weight = (1 / np.sqrt(np.maximum(variances, 1 / float(space.rest[0])))).astype(np.float32)
        basis = np.ascontiguousarray(space.basis @ turn.astype(np.float32))
        return cls(replace(space, basis=basis, weight=weight), np.asarray(within.means @ turn * weight, np.float32))

    def score(self, embeddings: Floats) -> Floats:
        """Scores float32 (n,) ≥ 0 of embeddings (n, d); 1 or more means "unlike every class"."""
        inside, beside = self.space.coordinates(embeddings)
        square = nearest_square(inside * self.space.weight, self.centres) + beside * self.space.rest
        return np.asarray(np.sqrt(square), np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Those of an `OodDetector` and `ood_centres` (k, r), float32."""
        return self.space.arrays() | {"ood_centres": self.centres}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ClassDistance:
        """Inverse of `arrays`; other names are ignored.

        Raises:
            ModelError: `model_damaged` when an array is missing or has the wrong shape.
        """
        space = OodDetector.from_arrays(arrays)
        centres = np.asarray(arrays.get("ood_centres", np.empty(0)), np.float32)
        if centres.ndim != 2 or centres.shape[1:] != space.weight.shape or not len(centres):
            raise ModelError(
                Reason.MODEL_DAMAGED,
                f"the distance to classes needs an array ood_centres (k, {len(space.weight)}), got {centres.shape}",
            )
        return cls(space, centres)

    def _normalised(self, threshold: float) -> ClassDistance:
        factor = np.float32(1 / max(threshold, 1e-12))
        space = replace(self.space, weight=self.space.weight * factor, rest=self.space.rest * factor * factor)
        return ClassDistance(space, self.centres * factor)


def nearest_square(points: Floats, centres: Floats) -> Floats:
    """Squared distance float32 (n,) of points (n, r) to the nearest of centres (k, r); k may be many thousands."""
    closest = (2 * points @ centres.T - np.einsum("ij,ij->i", centres, centres)).max(axis=1)
    return np.asarray(np.maximum(np.einsum("ij,ij->i", points, points) - closest, 0), np.float32)
