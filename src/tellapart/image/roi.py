"""Cut regions out of upright images: rectangles as they are, polygons with everything outside masked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import ImageError, Reason
from tellapart.image.colour import Rgb
from tellapart.image.types import RgbImage
from tellapart.records import Roi


def crop(image: RgbImage, roi: Roi, *, background: Rgb = (0, 0, 0)) -> RgbImage:
    """The region's enclosing rectangle; outside a polygon stands `background`. `original_size` stays the file's.

    Raises:
        ImageError: roi_empty for a polygon without area.
    """
    height, width = image.pixels.shape[:2]
    x0, y0, x1, y1 = pixel_box(roi, width, height)
    pixels = image.pixels[y0:y1, x0:x1]
    if roi.is_polygon:
        mask = np.asarray(polygon_mask(roi, width, height)) > 0
        pixels = np.where(mask[:, :, None], pixels, np.array(background, np.uint8))
    return RgbImage(pixels, image.original_size)


def crop_image(image: Image.Image, roi: Roi, background: Rgb) -> Image.Image:
    """`crop` for a Pillow image of mode "RGB" or "L": equal pixels."""
    region = image.crop(pixel_box(roi, *image.size))
    if not roi.is_polygon:
        return region
    canvas = Image.new("RGB", region.size, background)
    canvas.paste(region, mask=polygon_mask(roi, *image.size))
    return canvas


def pixel_box(roi: Roi, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom), rounded outward so that nothing inside the region is lost; at least 1 × 1 pixel."""
    x0, y0, x1, y1 = roi.box
    left, right = _span(x0, x1, width)
    top, bottom = _span(y0, y1, height)
    return left, top, right, bottom


def _span(start: float, end: float, n: int) -> tuple[int, int]:
    # 0.7 * 10 is 7.000000000000001; the millionth of a pixel must not cost a whole one.
    low = min(math.floor(start * n + 1e-6), n - 1)
    return low, max(low + 1, min(math.ceil(end * n - 1e-6), n))


def polygon_mask(roi: Roi, width: int, height: int) -> Image.Image:
    """Mode "L", 255 inside the polygon, of the size of `pixel_box`."""
    _expect_area(roi)
    from PIL import ImageDraw

    left, top, right, bottom = pixel_box(roi, width, height)
    mask = Image.new("L", (right - left, bottom - top), 0)
    # Pillow puts whole numbers on pixel centres.
    corners = [(x * width - left - 0.5, y * height - top - 0.5) for x, y in roi.points]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    return mask


def _expect_area(roi: Roi) -> None:
    points: NDArray[np.float64] = np.array(roi.points)
    following = np.roll(points, -1, axis=0)
    doubled_area = np.sum(points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1])
    if abs(doubled_area) < 1e-12:
        raise ImageError(Reason.ROI_EMPTY, f"region {roi.name!r} has no area: its points lie on one line")
