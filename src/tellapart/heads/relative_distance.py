"""How much farther an image is from the nearest class than from the known images as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason
from tellapart.heads.class_distance import nearest_square
from tellapart.heads.familiar import Familiar, Mask
from tellapart.heads.objectives import Doubles, Floats
from tellapart.heads.ood import OodDetector
from tellapart.heads.scale import Scale
from tellapart.heads.targets import check_embeddings
from tellapart.heads.within import Within


@dataclass(frozen=True, slots=True)
class RelativeDistance:
    """Squared Mahalanobis distance to the nearest class mean, less that to the mean of all (Ren et al. 2021).

    With p = (x - mean) @ directions: value = min over classes of sum((p - centre)²) - sum(p² * background), and the score
    by `scale`. `directions` (d, m) make the covariance within classes the identity and that of all images diagonal;
    where classes do not differ the two distances cancel, so that m ≤ k - 1 directions are all there are. `centres` (k, m),
    `background` (m,) one over the variance of all, `mean` (d,), float32. A score of 1 or more means "unknown".
    """

    kind: ClassVar[str] = "relative_distance"
    rejects: ClassVar[bool] = True

    mean: Floats
    directions: Floats
    centres: Floats
    background: Floats
    scale: Scale

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads."""
        return len(self.mean)

    @classmethod
    def fit(cls, known: Familiar) -> RelativeDistance:
        """Fit on images with a class each; the threshold is that of values out of fold.

        Raises:
            SettingsError: `bad_setting` for several labels per image.
        """
        classes = known.classes

        def values(own: OodDetector, fitted: Mask, judged: Mask) -> Floats:
            return cls.within(own, known.embeddings[fitted], classes[fitted]).values(known.embeddings[judged])

        space, held_out = known.held_out(values)
        return replace(cls.within(space, known.embeddings, classes), scale=Scale.fit(held_out, known.share))

    @classmethod
    def within(cls, space: OodDetector, embeddings: Floats, classes: NDArray[np.int64]) -> RelativeDistance:
        """Of images (n, d) and the class of each (n,), in the directions of `space`; the score is the plain value."""
        within = Within.of(space.inside(embeddings), classes)
        turn, spread = _discriminant(within)
        middle = (within.counts / within.counts.sum()) @ within.means
        directions = (space.basis / space.scale[:, None]).astype(np.float64) @ turn
        # The coordinates' origin is the mean of the embeddings: that of the classes, but for rounding.
        return cls(
            space.mean,
            np.ascontiguousarray(directions, np.float32),
            np.asarray((within.means - middle) @ turn, np.float32),
            np.asarray(1 / (1 + spread), np.float32),
            Scale(0, 1),
        )

    def values(self, embeddings: Floats) -> Floats:
        """The difference of squared distances, float32 (n,), of embeddings (n, d); it may be negative."""
        check_embeddings(embeddings, n_features=self.n_features)
        points = np.asarray((embeddings - self.mean) @ self.directions, np.float32)
        return nearest_square(points, self.centres) - np.asarray(points**2 @ self.background, np.float32)

    def score(self, embeddings: Floats) -> Floats:
        """Scores float32 (n,) ≥ 0 of embeddings (n, d); 1 or more means "unlike every class"."""
        return self.scale.apply(self.values(embeddings))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`ood_mean` (d,), `ood_directions` (d, m), `ood_centres` (k, m), `ood_background` (m,), `ood_range` (2,), float32."""
        own = {"mean": self.mean, "directions": self.directions, "centres": self.centres, "background": self.background}
        return {f"ood_{name}": array for name, array in own.items()} | {"ood_range": self.scale.array()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> RelativeDistance:
        """Inverse of `arrays`; other names are ignored.

        Raises:
            ModelError: `model_damaged` when an array is missing or has the wrong shape.
        """
        names = [f"ood_{name}" for name in ("mean", "directions", "centres", "background", "range")]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ModelError(Reason.MODEL_DAMAGED, f"the relative distance needs the arrays {', '.join(missing)}")
        mean, directions, centres, background = (np.asarray(arrays[name], np.float32) for name in names[:-1])
        shapes = [one.shape for one in (mean, directions, centres, background)]
        d, m, k = len(np.atleast_1d(mean)), len(np.atleast_1d(background)), len(np.atleast_1d(centres))
        if shapes != [(d,), (d, m), (k, m), (m,)] or k == 0:
            raise ModelError(Reason.MODEL_DAMAGED, f"the arrays of a relative distance do not fit together: {shapes}")
        return cls(mean, directions, centres, background, Scale.from_array(arrays["ood_range"]))


def _discriminant(within: Within) -> tuple[Doubles, Doubles]:
    """Directions (r, m) along which classes differ, of variance 1 within them, and the variance (m,) of their means."""
    variances, turn = np.linalg.eigh(within.covariance)
    whiten = turn / np.sqrt(np.maximum(variances, 1e-12))
    spread, axes = np.linalg.eigh(whiten.T @ within.between @ whiten)
    kept = spread > 1e-6 * max(float(spread[-1]), 1e-6) if len(spread) else np.zeros(0, bool)
    most = slice(max(0, len(spread) - max(len(within.means) - 1, 1)), None)
    chosen = np.flatnonzero(kept[most]) + (most.start or 0)
    return whiten @ axes[:, chosen], spread[chosen]
