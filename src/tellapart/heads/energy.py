"""How little evidence the head finds for any class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.familiar import Familiar
from tellapart.heads.linear import LinearHead
from tellapart.heads.objectives import Floats
from tellapart.heads.scale import Scale
from tellapart.heads.targets import check_embeddings


@dataclass(frozen=True, slots=True)
class Energy:
    """Free energy of the head's uncalibrated logits, -log Σ exp(x @ weight + bias), by `scale` (Liu et al. 2020).

    `weight` (d, k) and `bias` (k,) are the head's own: `arrays` holds the scale alone, and a head file both. A score of 1 or
    more means "unknown".
    """

    kind: ClassVar[str] = "energy"
    rejects: ClassVar[bool] = True

    weight: Floats
    bias: Floats
    scale: Scale

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads."""
        return int(self.weight.shape[0])

    @classmethod
    def fit(cls, known: Familiar) -> Energy:
        """Of a linear head; the threshold is that of its answers out of fold.

        Raises:
            SettingsError: `bad_setting` for several labels per image, or a head that is not linear.
        """
        if known.targets.ndim != 1 or not isinstance(known.head, LinearHead):
            raise SettingsError(
                Reason.BAD_SETTING,
                "the energy is that of a linear head with one label per image: tell unknown images by 'mahalanobis'",
            )
        usable = known.usable if known.usable.any() else np.ones(len(known.logits), bool)
        return cls(known.head.weight, known.head.bias, Scale.fit(energy(known.logits[usable]), known.share))

    def score(self, embeddings: Floats) -> Floats:
        """Scores float32 (n,) ≥ 0 of embeddings (n, d); 1 or more means "no class explains it"."""
        check_embeddings(embeddings, n_features=self.n_features)
        return self.scale.apply(energy(np.asarray(embeddings @ self.weight + self.bias, np.float32)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`ood_range` float32 (2,); `weight` and `bias` stand in the head file already."""
        return {"ood_range": self.scale.array()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Energy:
        """Inverse of `arrays` together with those of the head.

        Raises:
            ModelError: `model_damaged` when an array is missing or has the wrong shape.
        """
        missing = [name for name in ("weight", "bias", "ood_range") if name not in arrays]
        if missing:
            raise ModelError(Reason.MODEL_DAMAGED, f"the energy of a head needs the arrays {', '.join(missing)}")
        weight, bias = (np.asarray(arrays[name], np.float32) for name in ("weight", "bias"))
        if weight.ndim != 2 or bias.shape != weight.shape[1:]:
            raise ModelError(
                Reason.MODEL_DAMAGED,
                f"the energy of a head needs weight (d, k) and bias (k,), got {weight.shape} and {bias.shape}",
            )
        return cls(weight, bias, Scale.from_array(arrays["ood_range"]))


def energy(logits: Floats) -> Floats:
    """-log Σ exp of logits (n, k), float32 (n,), without overflow."""
    largest = logits.max(axis=1)
    return np.asarray(-largest - np.log(np.exp(logits - largest[:, None]).sum(axis=1)), np.float32)
