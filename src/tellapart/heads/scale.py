"""From any measure of strangeness to a score: 0 the most familiar image, 1 the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason
from tellapart.heads.crossfit import quantile
from tellapart.heads.objectives import Floats

# Relative to the values: so near, float32 cannot tell familiar images apart, and the next may be no stranger.
_LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class Scale:
    """`score = max(0, (value - lowest) / (level - lowest))`, of values that grow with strangeness and may be negative."""

    lowest: float
    level: float

    @classmethod
    def fit(cls, values: Floats, share: float) -> Scale:
        """Of values (n,) of held-out familiar images, so that about `share` of others like them score 1 or more."""
        lowest, level = float(values.min()), quantile(values, share)
        return cls(lowest, max(level, lowest + _LEAST * max(1.0, abs(lowest))))

    def apply(self, values: Floats) -> Floats:
        """Scores float32 (n,) ≥ 0."""
        return np.asarray(np.maximum((values - self.lowest) / (self.level - self.lowest), 0), np.float32)

    def array(self) -> Floats:
        """`lowest` and `level`, float32 (2,)."""
        return np.array([self.lowest, self.level], np.float32)

    @classmethod
    def from_array(cls, array: NDArray[Any]) -> Scale:
        """Inverse of `array`.

        Raises:
            ModelError: `model_damaged` where it is not two rising numbers.
        """
        lowest, level = (*np.asarray(array, np.float64).ravel()[:2], np.nan, np.nan)[:2]
        if array.shape != (2,) or not lowest < level < np.inf:
            raise ModelError(Reason.MODEL_DAMAGED, f"a score of strangeness needs two rising numbers, got {array}")
        return cls(float(lowest), float(level))
