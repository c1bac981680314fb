"""16-bit and float images become 8 bits only by a rule: the file's own full range, or one that the user declares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ImageError, Reason, SpecError


@dataclass(frozen=True, slots=True)
class Intensity:
    """Which stored values become black (0) and white (255).

    `range`: `low` and `high` are pixel values (0 and 4095 for a 12-bit camera). `percentile`: they are percentiles
    (0–100) of each image's own finite values. The trap: percentiles make every image span the whole range, so absolute
    brightness is lost, and with it every defect that shows as "darker than usual".
    """

    kind: Literal["range", "percentile"]
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise SpecError(
                Reason.BAD_SPEC, f"intensity({self.kind}=low:high) wants low below high, got {self.low:g}:{self.high:g}"
            )
        if self.kind == "percentile" and not (self.low >= 0 and self.high <= 100):
            raise SpecError(
                Reason.BAD_SPEC, f"intensity(percentile=low:high) lies within 0:100, got {self.low:g}:{self.high:g}"
            )


def to_uint8(values: NDArray[Any], intensity: Intensity | None, *, bits: int) -> NDArray[np.uint8]:
    """Scale stored values of any shape linearly to 0–255, rounded, clipped; NaN becomes 0.

    Without an intensity, unsigned 16-bit values span 0 … 2**bits - 1. A flat image under `percentile` becomes black.

    Raises:
        ImageError: needs_intensity for float, signed and 32-bit values without an intensity: their range is unknown.
    """
    if intensity is None:
        if values.dtype.kind != "u":
            raise ImageError(Reason.NEEDS_INTENSITY, _NEEDS.format(kind=_kind_name(values)))
        low, high = 0.0, float(2**bits - 1)
    else:
        low, high = _bounds(values, intensity)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        # One table of 65,536 entries is many times quicker than arithmetic on every pixel.
        table = _scaled(np.arange(65536, dtype=np.float64), low, high)
        return np.take(table, values)
    return _scaled(values.astype(np.float64), low, high)


_NEEDS = (
    "this is a {kind} image and its value range is unknown; declare it in the preprocess string, "
    "for example intensity(range=0:1) or intensity(percentile=1:99)"
)


def _kind_name(values: NDArray[Any]) -> str:
    return "float" if values.dtype.kind == "f" else "signed or 32-bit integer"


def _bounds(values: NDArray[Any], intensity: Intensity) -> tuple[float, float]:
    if intensity.kind == "range":
        return intensity.low, intensity.high
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, [intensity.low, intensity.high])
    return float(low), float(high)


def _scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    # Clipped before the arithmetic: float pixels near ±1.8e308 would overflow and warn.
    shares = (np.clip(np.nan_to_num(values, nan=low), low, high) - low) / (high - low)
    scaled: NDArray[np.uint8] = np.rint(shares * 255).astype(np.uint8)
    return scaled
