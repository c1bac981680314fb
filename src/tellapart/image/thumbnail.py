"""Small grey thumbnails that near-duplicate search compares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image


def thumbnail(pixels: npt.NDArray[np.uint8], size: int = 64) -> npt.NDArray[np.uint8]:
    """Squash a whole picture to a grey square: uint8 (h, w, 3) or (h, w), upright sRGB → uint8 (size, size), 0 to 255.

    The aspect ratio is given up on purpose: no pixel of the square is padding, and the difference in scale between
    two crops of one object is left for the alignment to find. Grey is ITU-R 601 luma; the reduction is antialiased
    (Lanczos over the source area), so that fine texture does not turn into moiré that no other crop shares.
    """
    grey = Image.fromarray(pixels).convert("L")
    # Reducing by whole factors first keeps 12-megapixel pictures cheap; a gap of 3 leaves the result all but equal.
    small = grey.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(small, dtype=np.uint8)
