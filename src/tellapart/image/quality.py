"""Cheap statistics of one image: what a camera's drift, dirt and focus change first."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.image.types import RgbImage

# Measured on a copy of this many pixels on its long side, so that sharpness does not depend on the camera's resolution.
_LONG_SIDE = 128


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """Statistics of one image, measured on a reduced copy (long side 128).

    `brightness` mean of luma (ITU-R BT.601), 0–1. `contrast` standard deviation of luma, 0–0.5. `sharpness` variance of
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
    reduced = _reduced(image.pixels)
    luma: NDArray[np.float32] = np.asarray(reduced.convert("L")).astype(np.float32) / np.float32(255)
    return ImageStatistics(
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        sharpness=_laplacian_variance(luma),
        saturation=_mean_saturation(reduced),
        width_px=image.original_size[0],
        height_px=image.original_size[1],
    )


def _reduced(pixels: NDArray[np.uint8]) -> Image.Image:
    """Long side at most 128; every n-th pixel first, because averaging millions of them is what costs."""
    step = max(1, max(pixels.shape[:2]) // (4 * _LONG_SIDE))
    picked = Image.fromarray(pixels[::step, ::step])
    scale = _LONG_SIDE / max(picked.size)
    if scale >= 1:
        return picked
    size = (max(1, round(picked.width * scale)), max(1, round(picked.height * scale)))
    return picked.resize(size, Image.Resampling.BOX, reducing_gap=1.0)


def _mean_saturation(reduced: Image.Image) -> float:
    coarse = reduced.reduce(4) if min(reduced.size) >= 8 else reduced
    return float(np.asarray(coarse.convert("HSV").getchannel("S")).mean() / 255)


def _laplacian_variance(luma: NDArray[np.float32]) -> float:
    if min(luma.shape) < 3:
        return 0.0
    centre = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((around - 4 * centre).var())
