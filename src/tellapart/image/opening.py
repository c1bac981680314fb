"""Open a file with exactly the one decoder its first bytes call for, and hold it against the ceilings before decoding.

The decoders' classes are called directly and not through `Image.open`: that imports five of them before it looks at the
file, tries them in turn, and applies a pixel ceiling of its own that is one global for the whole process.
"""

from __future__ import annotations

import importlib
import io
from typing import cast

from PIL import ImageFile

from tellapart.errors import ImageError, Reason
from tellapart.image.frames import count_gif_frames, count_tiff_pages
from tellapart.image.types import DecodeLimits

_DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
}


def open_frame(data: bytes, name: str, limits: DecodeLimits, frame: int) -> ImageFile.ImageFile:
    """The opened, not yet decoded image at `frame`; sizes and frame counts are within the limits.

    Raises:
        ImageError: too_many_pixels, too_many_frames, frame_not_found. Pillow's own exceptions pass (see `failures`).
    """
    image = _opened(data, name, multi_picture=frame > 0)
    _expect_pixels(image.size, limits)
    frames = _count_frames(image, data, name, limits)
    if frames > limits.max_frames:
        raise ImageError(
            Reason.TOO_MANY_FRAMES,
            f"the {name} file has more than {limits.max_frames:,} frames, the ceiling (max_frames)",
        )
    if frame >= frames:
        raise ImageError(
            Reason.FRAME_NOT_FOUND, f"frame {frame} was asked for, but the {name} file has {frames} (counted from 0)"
        )
    if frame:
        image.seek(frame)
        _expect_pixels(image.size, limits)
    return image


def _opened(data: bytes, name: str, *, multi_picture: bool) -> ImageFile.ImageFile:
    module, attribute = _DECODERS[name]
    if name == "JPEG" and multi_picture:
        # MPO: several JPEGs in one file. Its first picture is a plain JPEG and needs no second look.
        attribute = "jpeg_factory"
    factory = getattr(importlib.import_module(module), attribute)
    return cast(ImageFile.ImageFile, factory(io.BytesIO(data)))


def _expect_pixels(size: tuple[int, int], limits: DecodeLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise ImageError(
            Reason.TOO_MANY_PIXELS,
            f"the image has {width} × {height} pixels, above the ceiling of {limits.max_pixels:,} (max_pixels)",
        )
    if width < 1 or height < 1:
        raise ImageError(Reason.CORRUPT, f"the image declares {width} × {height} pixels")


def _count_frames(image: ImageFile.ImageFile, data: bytes, name: str, limits: DecodeLimits) -> int:
    # Pillow counts the frames of these two by reading each one in full.
    if name == "GIF":
        return max(count_gif_frames(data, limits.max_frames + 1), 1)
    if name == "TIFF":
        return count_tiff_pages(data, limits.max_frames + 1)
    return int(getattr(image, "n_frames", 1))
