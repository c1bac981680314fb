"""Width and height of an image file, told by its head."""

from __future__ import annotations

import io

from PIL import Image


def size_of(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels as stored; None where it is no image."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
