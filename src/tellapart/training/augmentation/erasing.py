"""A random rectangle without content (cutout, random erasing)."""

from __future__ import annotations

import math
from random import Random

from PIL import Image

# Share of the area, and height to width, of Zhong et al. 2017 (random erasing), but never a third of the picture: that
# would often be all there is of a small thing.
_AREA = (0.02, 0.2)
_LARGEST_ASPECT = 3.3
# The side in pixels of the sample that the mean is taken of.
_SAMPLE_PX = 16


def erased(image: Image.Image, rng: Random) -> Image.Image:
    """A copy with one rectangle, 2–20 % of the area, in the mean colour of the image.

    The mean colour is what says least: black or noise would be a thing of its own in pictures that have neither.
    """
    width, height = image.size
    area = rng.uniform(*_AREA) * width * height
    aspect = math.exp(rng.uniform(-1, 1) * math.log(_LARGEST_ASPECT))
    wide, high = (
        max(1, min(round(math.sqrt(area / aspect)), width)),
        max(1, min(round(math.sqrt(area * aspect)), height)),
    )
    left, top = rng.randint(0, width - wide), rng.randint(0, height - high)
    image = image.copy()
    image.paste(_mean(image), (left, top, left + wide, top + high))
    return image


def _mean(image: Image.Image) -> tuple[int, int, int]:
    sample = image.resize((_SAMPLE_PX, _SAMPLE_PX), Image.Resampling.NEAREST)
    red, green, blue = sample.resize((1, 1), Image.Resampling.BOX).tobytes()
    return red, green, blue
