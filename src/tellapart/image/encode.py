"""Pixels back into files: golden images (lossless) and the pictures of reports (small)."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode_png(pixels: NDArray[np.uint8], level: int = 6) -> bytes:
    """PNG of uint8 (h, w, 3) or (h, w); lossless, no metadata, the same bytes for the same pixels.

    `level` 1 is quick, 9 small.
    """
    return _encoded(pixels, "PNG", compress_level=level)


def encode_jpeg(pixels: NDArray[np.uint8], quality: int = 85) -> bytes:
    """JPEG of uint8 (h, w, 3) or (h, w); `quality` 1–95."""
    return _encoded(pixels, "JPEG", quality=quality)


def encode_webp(pixels: NDArray[np.uint8], quality: int = 80) -> bytes:
    """WebP of uint8 (h, w, 3) or (h, w), about a third smaller than JPEG; `quality` 0–100."""
    return _encoded(pixels, "WEBP", quality=quality, method=4)


def _encoded(pixels: NDArray[np.uint8], name: str, **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, name, **options)
    return stream.getvalue()
