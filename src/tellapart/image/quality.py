"""Cheap statistics of one image: what a camera's drift, dirt and focus change first."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.image.types import RgbImage

# Measured on a copy of this many pixels on its long side, so that sharpness does not depend on the camera's resolution.
_LONG_SIDE = 128
_LUMA = np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """Statistics of one image, measured on a reduced copy (long side 128).

    `brightness` mean of luma, 0–1. `contrast` standard deviation of luma, 0–0.5. `sharpness` variance of
    luma's Laplacian (Pech-Pacheco et al. 2000), 0 for a flat image; compare it within one camera only. `saturation`
    mean HSV saturation, 0–1. `width_px`, `height_px`: size of the upright file.
    """

    brightness: float
    contrast: float
    sharpness: float
    saturation: float
    width_px: int
    height_px: int

    def to_array(self) -> NDArray[np.float32]:
        """float32 (6,) in the order of `FIELDS`."""
        return np.array(astuple(self), np.float32)


FIELDS = ("brightness", "contrast", "sharpness", "saturation", "width_px", "height_px")


def statistics(image: RgbImage) -> ImageStatistics:
    """Statistics of an image; a region's are those of the region, with the size of its file."""
    pixels = _reduced(image.pixels)
    luma: NDArray[np.float32] = np.dot(pixels, _LUMA)
    high, low = pixels.max(axis=2), pixels.min(axis=2)
    return ImageStatistics(
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        sharpness=_laplacian_variance(luma),
        saturation=float(((high - low) / np.maximum(high, 1)).mean()),
        width_px=image.original_size[0],
        height_px=image.original_size[1],
    )


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 (h, w, 3), 0–255; every n-th pixel first, because averaging millions of them is what costs."""
    step = max(1, max(pixels.shape[:2]) // (2 * _LONG_SIDE))
    picked = pixels[::step, ::step]
    height, width = picked.shape[:2]
    scale = _LONG_SIDE / max(height, width)
    if scale >= 1:
        return picked.astype(np.float32)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    reduced = Image.fromarray(picked).resize(size, Image.Resampling.BOX)
    return np.asarray(reduced).astype(np.float32)


def _laplacian_variance(luma: NDArray[np.float32]) -> float:
    if min(luma.shape) < 3:
        return 0.0
    centre = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((around - 4 * centre).var())
