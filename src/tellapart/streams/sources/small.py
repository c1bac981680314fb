"""A small copy of an image: enough to see whether it is black, and whether something moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.streams.sources.opencv import cv2

_SIDE = 320


def small_copy(image: NDArray[np.uint8] | bytes) -> NDArray[np.uint8] | None:
    """Pixels uint8 (height, width, 3), every n-th of both sides so that neither has 640; None where `image` is no image."""
    if not isinstance(image, bytes):
        return _thinned(image)
    cv = cv2("looking at the images of a camera")
    try:
        # A quarter of the size: most of a JPEG's decoding is saved.
        picture = cv.imdecode(np.frombuffer(image, np.uint8), cv.IMREAD_REDUCED_COLOR_4)
    except cv.error:
        return None
    return None if picture is None else _thinned(picture)


def _thinned(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = max(1, max(picture.shape[:2]) // _SIDE)
    return picture[::step, ::step]
