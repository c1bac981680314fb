"""Augmentations of pixels that a network is given, to see what they do to classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def flipped(pixels: Pixels) -> Pixels:
    """Left and right changed, uint8 (h, w, 3)."""
    return np.ascontiguousarray(pixels[:, ::-1])


def upside_down(pixels: Pixels) -> Pixels:
    """Top and bottom changed, uint8 (h, w, 3)."""
    return np.ascontiguousarray(pixels[::-1])


def quarter_turned(pixels: Pixels) -> Pixels:
    """Turned by 90 degrees to the left, uint8 (w, h, 3)."""
    return np.ascontiguousarray(np.rot90(pixels))


def half_turned(pixels: Pixels) -> Pixels:
    """Turned by 180 degrees, uint8 (h, w, 3)."""
    return np.ascontiguousarray(pixels[::-1, ::-1])


def other_hue(pixels: Pixels) -> Pixels:
    """Every colour a third further on the colour circle, red to green; lightness and saturation (of HSV) kept.

    That is what channels in another order are: exact, where a way through HSV rounds.
    """
    return np.ascontiguousarray(pixels[..., [2, 0, 1]])
