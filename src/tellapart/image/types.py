"""The image value every room receives, and the ceilings under which files are decoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels, fractions allowed."""


@dataclass(frozen=True, slots=True)
class RgbImage:
    """sRGB pixels, upright: uint8 (height, width, 3). Range, layout and colour order are never guessed.

    `original_size` is (width, height) in pixels of the upright file before any reduced-scale decoding. `box` is what
    the picture covers of the pixels, None for all of them: 905 rows at 1/4 scale are 226.25 rows, stored in 227.
    """

    pixels: NDArray[np.uint8]
    original_size: tuple[int, int]
    box: Box | None = None

    def __post_init__(self) -> None:
        if (
            self.pixels.dtype != np.uint8
            or self.pixels.ndim != 3
            or self.pixels.shape[2] != 3
            or 0 in self.pixels.shape
        ):
            raise ValueError(f"RgbImage wants uint8 (height, width, 3), got {self.pixels.dtype} {self.pixels.shape}")


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Ceilings that keep one hostile file from taking the machine down; above them a file is refused, not shrunk."""

    max_bytes: int = 256 * 2**20
    max_pixels: int = 250_000_000
    max_frames: int = 10_000
