"""How an upright region becomes the rectangle a backbone wants; each way says how many pixels it needs for that.

`box` is what the picture covers of the pixels (see `RgbImage`), None for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.image.colour import Rgb
from tellapart.image.types import Box

Size = tuple[int, int]
"""(width, height) in pixels."""

# Antialiased when shrinking, all of them but "nearest".
INTERPOLATIONS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
}
DEFAULT_INTERPOLATION = "bilinear"
BLACK: Rgb = (0, 0, 0)

# A 1 × 20000 strip with its short side at 224 would have a thousand million pixels, of which a crop keeps none but the
# middle. Beyond this aspect ratio the strip's ends are cut off before it is resized.
_MAX_ASPECT = 16


@dataclass(frozen=True, slots=True)
class Fit:
    """The whole image, its aspect kept, centred on a `width` × `height` canvas of colour `background` (letterboxed)."""

    width: int
    height: int
    background: Rgb = BLACK
    interpolation: str = DEFAULT_INTERPOLATION

    @property
    def output(self) -> Size:
        """(width, height) of the result."""
        return self.width, self.height

    def needs(self, size: tuple[float, float]) -> Size:
        """Size of the image on the canvas: one side fills it, the other is rounded and at least 1."""
        width, height = size
        scale = min(self.width / width, self.height / height)
        return _clamped(width * scale, self.width), _clamped(height * scale, self.height)

    def __call__(self, image: Image.Image, box: Box | None = None) -> NDArray[np.uint8]:
        width, height = self.needs(_extent(image, box))
        canvas = np.empty((self.height, self.width, 3), np.uint8)
        if (width, height) != (self.width, self.height):
            # Row by row: spreading three values over every pixel would cost more than the resizing.
            canvas.reshape(self.height, -1)[:] = np.tile(np.array(self.background, np.uint8), self.width)
        left, top = (self.width - width) // 2, (self.height - height) // 2
        canvas[top : top + height, left : left + width] = _pixels(
            _resized(image, box, (width, height), self.interpolation)
        )
        return canvas


def _clamped(side: float, most: int) -> int:
    return max(1, min(round(side), most))


@dataclass(frozen=True, slots=True)
class Squash:
    """The whole image, stretched to `width` × `height`; then, if `crop` is given, its centre of (width, height)."""

    width: int
    height: int
    interpolation: str = DEFAULT_INTERPOLATION
    crop: Size | None = None

    @property
    def output(self) -> Size:
        """(width, height) of the result."""
        return self.crop or (self.width, self.height)

    def needs(self, _size: tuple[float, float]) -> Size:
        """The resized size, whatever the image's is."""
        return self.width, self.height

    def __call__(self, image: Image.Image, box: Box | None = None) -> NDArray[np.uint8]:
        resized = _resized(image, box, (self.width, self.height), self.interpolation)
        return _rgb(_centre(resized, self.output))


@dataclass(frozen=True, slots=True)
class ResizeShort:
    """The short side becomes `short` pixels, aspect kept; then the centre of `crop` (width, height) is cut out.

    Rounds as torchvision's `Resize` and `CenterCrop` do, because weights trained elsewhere expect exactly that. The
    trap: what lies outside the centre is never seen.
    """

    short: int
    crop: Size
    interpolation: str = DEFAULT_INTERPOLATION

    @property
    def output(self) -> Size:
        """(width, height) of the result."""
        return self.crop

    def needs(self, size: tuple[float, float]) -> Size:
        """Size after resizing, before the crop."""
        width, height = size
        if width <= height:
            return self.short, int(self.short * height / width)
        return int(self.short * width / height), self.short

    def __call__(self, image: Image.Image, box: Box | None = None) -> NDArray[np.uint8]:
        longest = min(image.size) * _MAX_ASPECT
        if max(image.size) > longest:
            image, box = _centre(image, (min(image.width, longest), min(image.height, longest))), None
        resized = _resized(image, box, self.needs(_extent(image, box)), self.interpolation)
        return _rgb(_centre(resized, self.crop))


Geometry = Fit | Squash | ResizeShort


def covered(geometry: Geometry, size: Size) -> Box:
    """What the result of a geometry shows of an image of `size` (width, height), in the image's pixels.

    A canvas reaches beyond the image, so sides may be negative or beyond its size.
    """
    sides = []
    for extent, resized, out in zip(size, geometry.needs(size), geometry.output, strict=True):
        first = -((out - resized) // 2) if out >= resized else round((resized - out) / 2)
        scale = extent / resized
        sides.append((first * scale, (first + out) * scale))
    (left, right), (top, bottom) = sides
    return left, top, right, bottom


def _extent(image: Image.Image, box: Box | None) -> tuple[float, float]:
    return image.size if box is None else (box[2] - box[0], box[3] - box[1])


def _resized(image: Image.Image, box: Box | None, size: Size, interpolation: str) -> Image.Image:
    if box is None and image.size == size:
        return image
    return image.resize(size, INTERPOLATIONS[interpolation], box=box)


def _centre(image: Image.Image, size: Size) -> Image.Image:
    if image.size == size:
        return image
    left, top = round((image.width - size[0]) / 2), round((image.height - size[1]) / 2)
    return image.crop((left, top, left + size[0], top + size[1]))


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """(h, w, 3) or, of a grey image, (h, w, 1), which broadcasts to it; read-only."""
    pixels: NDArray[np.uint8] = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    out = np.empty((image.height, image.width, 3), np.uint8)
    out[:] = _pixels(image)
    return out


def at_size(geometry: Geometry, side_px: int) -> Geometry:
    """The same geometry with a result of `side_px` × `side_px`; what is cut away keeps its share."""
    if isinstance(geometry, Fit):
        return replace(geometry, width=side_px, height=side_px)
    width, height = geometry.output
    if isinstance(geometry, ResizeShort):
        short = max(side_px, round(geometry.short * side_px / min(width, height)))
        return replace(geometry, short=short, crop=(side_px, side_px))
    if geometry.crop is None:
        return replace(geometry, width=side_px, height=side_px)
    wide, high = round(geometry.width * side_px / width), round(geometry.height * side_px / height)
    return Squash(max(wide, side_px), max(high, side_px), geometry.interpolation, (side_px, side_px))
