"""One rectangle in the image's mean colour, never most of the picture."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from PIL import Image

from tellapart.training.augmentation.erasing import erased


def test_a_rectangle_of_2_to_20_percent_in_the_mean_colour() -> None:
    pixels = np.zeros((80, 100, 3), np.uint8)
    pixels[::2, :, 0] = 200
    pixels[1::2, :, 1] = 100
    shares = []
    for seed in range(200):
        made = np.asarray(erased(Image.fromarray(pixels), Random(seed)))
        changed = (made != pixels).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert np.abs(made[changed].astype(int) - [100, 50, 0]).max() <= 1
        shares.append(changed.mean())
    assert 0.015 < min(shares) < 0.05
    assert 0.16 < max(shares) < 0.21


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2)])
def test_the_smallest_images_keep_their_mean(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 20, 30))
    made = erased(image, Random(0))
    assert made.getpixel((0, 0)) == (10, 20, 30)
    assert made is not image
