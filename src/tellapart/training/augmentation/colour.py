"""Brightness, contrast, saturation and hue as one 3 × 4 matrix per image.

All four are affine in RGB, so one pass over the pixels does what takes torchvision four, of which its hue, by way of
HSV, costs more than the other three together (`docs/augmentation.md` has the figures). Rounding and clipping happen once.
"""

from __future__ import annotations

import math
from random import Random

from PIL import Image

from tellapart.settings.recipe import Augmentation

Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]
"""From RGB to RGB; the rows are the channels of the result. Plain numbers: for nine of them NumPy takes longer."""

# ITU-R 601, the weights of Pillow's and torchvision's grey.
_GREY: Row = (0.299, 0.587, 0.114)
# The side in pixels of the sample that the mean for the contrast is taken of.
_SAMPLE_PX = 16


def jitter(image: Image.Image, augmentation: Augmentation, rng: Random) -> Image.Image:
    """An RGB image in slightly other light; `augmentation` has all fields filled. The same image where all is off."""
    brightness, contrast = _around_one(augmentation.brightness, rng), _around_one(augmentation.brightness, rng)
    saturation, hue = _around_one(augmentation.saturation, rng), _within(augmentation.hue, rng)
    if (brightness, contrast, saturation, hue) == (1, 1, 1, 0):
        return image
    offset = 0.0 if contrast == 1 else (1 - contrast) * brightness * mean_grey(image)
    turned = product(hue_matrix(hue), saturation_matrix(saturation))
    return coloured(image, turned, brightness * contrast, offset)


def coloured(image: Image.Image, matrix: Matrix, gain: float = 1.0, offset: float = 0.0) -> Image.Image:
    """Every pixel times `gain` and `matrix`, plus `offset` in each channel; rounded and clipped to 0–255."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    flat = (a, b, c, 0, d, e, f, 0, g, h, i, 0)
    return image.convert("RGB", tuple(gain * v if n % 4 < 3 else offset for n, v in enumerate(flat)))


def product(left: Matrix, right: Matrix) -> Matrix:
    """First `right`, then `left`."""
    (a, b, c), (d, e, f), (g, h, i) = right
    first, second, third = ((x * a + y * d + z * g, x * b + y * e + z * h, x * c + y * f + z * i) for x, y, z in left)
    return first, second, third


def saturation_matrix(factor: float) -> Matrix:
    """Away from grey or towards it: 0 is grey, 1 the same."""
    red, green, blue = ((1 - factor) * weight for weight in _GREY)
    return (red + factor, green, blue), (red, green + factor, blue), (red, green, blue + factor)


def hue_matrix(turn: float) -> Matrix:
    """Turn by a share of the colour circle about the axis of greys; a third makes red green, exactly."""
    cosine, sine = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    even, odd = (1 - cosine) / 3, sine / math.sqrt(3)
    own, left, right = cosine + even, even - odd, even + odd
    return (own, left, right), (right, own, left), (left, right, own)


def mean_grey(image: Image.Image) -> float:
    """0–255, of a sample of the pixels."""
    sample = image.resize((_SAMPLE_PX, _SAMPLE_PX), Image.Resampling.NEAREST) if _large(image) else image
    return sum(sample.convert("L").tobytes()) / (sample.width * sample.height)


def _large(image: Image.Image) -> bool:
    return image.width * image.height > _SAMPLE_PX**2


def _around_one(share: float | None, rng: Random) -> float:
    return 1 + _within(share, rng)


def _within(most: float | None, rng: Random) -> float:
    return rng.uniform(-most, most) if most else 0.0
