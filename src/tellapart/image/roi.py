"""Cut regions out of upright images: rectangles as they are, polygons with everything outside masked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.errors import ImageError, Reason
from tellapart.image.colour import Rgb
from tellapart.image.decode import Decoded
from tellapart.image.types import Box, RgbImage
from tellapart.records import Roi


def crop(image: RgbImage, roi: Roi, *, background: Rgb = (0, 0, 0)) -> RgbImage:
    """The region's enclosing rectangle; outside a polygon stands `background`. `original_size` stays the file's.

    Raises:
        ImageError: roi_empty for a polygon without area.
    """
    height, width = image.pixels.shape[:2]
    region = _Region.of(roi, (width, height), image.box)
    x0, y0, x1, y1 = region.pixels
    pixels = image.pixels[y0:y1, x0:x1]
    if roi.is_polygon:
        mask = np.asarray(_polygon_mask(roi, region)) > 0
        pixels = np.where(mask[:, :, None], pixels, np.array(background, np.uint8))
    return RgbImage(pixels, image.original_size, region.covered_inside() if image.box else None)


def crop_decoded(decoded: Decoded, roi: Roi, background: Rgb) -> Decoded:
    """`crop` on Pillow's side: equal pixels."""
    region = _Region.of(roi, decoded.image.size, decoded.box)
    image = decoded.image.crop(region.pixels)
    if roi.is_polygon:
        canvas = Image.new("RGB", image.size, background)
        canvas.paste(image, mask=_polygon_mask(roi, region))
        image = canvas
    return Decoded(image, decoded.original_size, region.covered_inside() if decoded.box else None)


@dataclass(frozen=True, slots=True)
class _Region:
    """`pixels` (left, top, right, bottom) to cut out of an image of which the picture covers `covered`."""

    pixels: tuple[int, int, int, int]
    covered: Box

    @classmethod
    def of(cls, roi: Roi, size: tuple[int, int], covered: Box | None) -> _Region:
        """Rounded outward, so that nothing inside the region is lost; at least 1 × 1 pixel."""
        box = covered or (0.0, 0.0, float(size[0]), float(size[1]))
        x0, y0, x1, y1 = roi.box
        left, right = _span(box[0] + x0 * (box[2] - box[0]), box[0] + x1 * (box[2] - box[0]), size[0])
        top, bottom = _span(box[1] + y0 * (box[3] - box[1]), box[1] + y1 * (box[3] - box[1]), size[1])
        return cls((left, top, right, bottom), box)

    def covered_inside(self) -> Box:
        """What the picture covers of the cut-out pixels."""
        left, top, right, bottom = self.pixels
        x0, y0, x1, y1 = self.covered
        return max(x0 - left, 0.0), max(y0 - top, 0.0), min(x1, right) - left, min(y1, bottom) - top


def _span(start: float, end: float, n: int) -> tuple[int, int]:
    # 0.7 * 10 is 7.000000000000001; the millionth of a pixel must not cost a whole one.
    low = min(math.floor(start + 1e-6), n - 1)
    return low, max(low + 1, min(math.ceil(end - 1e-6), n))


def _polygon_mask(roi: Roi, region: _Region) -> Image.Image:
    """Mode "L", 255 inside the polygon, of the size of the region."""
    _expect_area(roi)
    from PIL import ImageDraw

    left, top, right, bottom = region.pixels
    x0, y0, x1, y1 = region.covered
    mask = Image.new("L", (right - left, bottom - top), 0)
    # Pillow puts whole numbers on pixel centres.
    corners = [(x0 + x * (x1 - x0) - left - 0.5, y0 + y * (y1 - y0) - top - 0.5) for x, y in roi.points]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    return mask


def _expect_area(roi: Roi) -> None:
    points: NDArray[np.float64] = np.array(roi.points)
    following = np.roll(points, -1, axis=0)
    doubled_area = np.sum(points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1])
    if abs(doubled_area) < 1e-12:
        raise ImageError(Reason.ROI_EMPTY, f"region {roi.name!r} has no area: its points lie on one line")
