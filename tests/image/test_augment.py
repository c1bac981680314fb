"""Augmentations of pixels."""

from __future__ import annotations

import numpy as np
from tests.builders import picture

from tellapart.image.augment import flipped, half_turned, other_hue, quarter_turned, upside_down


def test_geometry() -> None:
    pixels = picture(6, 4)
    assert (flipped(pixels)[:, 0] == pixels[:, -1]).all()
    assert (upside_down(pixels)[0] == pixels[-1]).all()
    assert (half_turned(pixels) == flipped(upside_down(pixels))).all()
    assert quarter_turned(pixels).shape == (6, 4, 3)
    assert (quarter_turned(pixels)[0, 0] == pixels[0, -1]).all()


def test_hue_goes_round_and_grey_stays() -> None:
    colours = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200], [90, 90, 90]]], np.uint8)
    expected = np.array([[[0, 200, 0], [0, 0, 200], [200, 0, 0], [90, 90, 90]]])
    assert (other_hue(colours) == expected).all()


def test_the_pixels_given_are_left_alone() -> None:
    pixels = picture()
    before = pixels.copy()
    for change in (flipped, upside_down, half_turned, quarter_turned, other_hue):
        assert change(pixels).base is not pixels
        assert change(pixels).dtype == np.uint8
    assert (pixels == before).all()
