"""How much an image is worth beside others of the same camera, as one figure."""

from __future__ import annotations

from tellapart.image.quality import statistics
from tellapart.image.types import RgbImage

_HALF_SHARP = 0.002
"""Variance of the Laplacian at which an image counts half: photos out of focus lie below, sharp ones far above."""
_FULL_CONTRAST = 0.1
"""Standard deviation of luma from which contrast costs nothing."""


def quality(image: RgbImage) -> float:
    """0-1: s / (s + 0.002) for the sharpness s, times contrast / 0.1 where it is below. See `image.quality`.

    For weighing images of one camera: a blank wall that is in focus has a low quality as well.
    """
    found = statistics(image)
    return found.sharpness / (found.sharpness + _HALF_SHARP) * min(1.0, found.contrast / _FULL_CONTRAST)
