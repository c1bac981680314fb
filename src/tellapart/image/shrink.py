"""Images kept for a training: no larger than a preprocess spec and random crops can use."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import RgbImage

# A product that should be a whole number of pixels is not one more for its last bits.
_ROUNDING = 1e-6


def shrunk(image: RgbImage, spec: PreprocessSpec, *, slack: float = 1.5) -> RgbImage:
    """The same picture with at most about `slack` times the pixels per side that `spec` resizes it to.

    The aspect is kept and the reduction is antialiased (Lanczos). An image that is not larger comes back as it is. `slack`
    (at least 1) is what random crops and turns have left to choose from.
    """
    height, width = image.pixels.shape[:2]
    box = image.box or (0.0, 0.0, float(width), float(height))
    extent = box[2] - box[0], box[3] - box[1]
    needs = spec.geometry.needs(extent)
    scale = slack * max(needs[0] / extent[0], needs[1] / extent[1])
    if scale >= 1:
        return image
    size = math.ceil(extent[0] * scale - _ROUNDING), math.ceil(extent[1] * scale - _ROUNDING)
    small = Image.fromarray(image.pixels).resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    return RgbImage(np.asarray(small, np.uint8), image.original_size)
