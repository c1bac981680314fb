"""Brightness, contrast, saturation and hue as one 3 × 4 matrix per image.

All four are affine in RGB, so one pass over the pixels does what takes torchvision four, of which its hue, by way of
HSV, costs ten times all the others (`docs/augmentation.md` has the figures). Rounding and clipping happen once.
"""

from __future__ import annotations

import math
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.settings.recipe import Augmentation

Matrix = NDArray[np.float64]
# ITU-R 601, the weights of Pillow's and torchvision's grey.
_GREY = np.array([0.299, 0.587, 0.114])
# The mean for the contrast is taken of so many pixels: a sixteenth of a grey value off at most where it matters.
_SAMPLE_PX = 16


def jitter(image: Image.Image, augmentation: Augmentation, rng: Random) -> Image.Image:
    """An RGB image in slightly other light; `augmentation` has all fields filled. The same image where all is off."""
    brightness, contrast = _around_one(augmentation.brightness, rng), _around_one(augmentation.brightness, rng)
    saturation, hue = _around_one(augmentation.saturation, rng), _within(augmentation.hue, rng)
    if (brightness, contrast, saturation, hue) == (1, 1, 1, 0):
        return image
    offset = 0.0 if contrast == 1 else (1 - contrast) * brightness * mean_grey(image)
    turned = brightness * contrast * (hue_matrix(hue) @ saturation_matrix(saturation))
    return coloured(image, turned, offset)


def coloured(image: Image.Image, matrix: Matrix, offset: float) -> Image.Image:
    """Every pixel times `matrix` (3, 3), plus `offset` in each channel; rounded and clipped to 0–255."""
    return image.convert("RGB", tuple(float(v) for row in matrix for v in (*row, offset)))


def saturation_matrix(factor: float) -> Matrix:
    """Away from grey or towards it: 0 is grey, 1 the same."""
    mixed: Matrix = factor * np.eye(3) + (1 - factor) * np.tile(_GREY, (3, 1))
    return mixed


def hue_matrix(turn: float) -> Matrix:
    """Turn by a share of the colour circle about the axis of greys; a third makes red green, exactly."""
    cosine, sine = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    even, odd = (1 - cosine) / 3, sine / math.sqrt(3)
    circulant = np.array([[0, -odd, odd], [odd, 0, -odd], [-odd, odd, 0]])
    turned: Matrix = cosine * np.eye(3) + even + circulant
    return turned


def mean_grey(image: Image.Image) -> float:
    """0–255, of a sample of the pixels."""
    sample = image.resize((_SAMPLE_PX, _SAMPLE_PX), Image.Resampling.NEAREST) if _large(image) else image
    return float(np.asarray(sample.convert("L")).mean())


def _large(image: Image.Image) -> bool:
    return image.width * image.height > _SAMPLE_PX**2


def _around_one(share: float | None, rng: Random) -> float:
    return 1 + _within(share, rng)


def _within(most: float | None, rng: Random) -> float:
    return rng.uniform(-most, most) if most else 0.0
