"""From a file's bytes to sRGB pixels: the only place of tellapart where image files are decoded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFile

from tellapart.errors import ImageError, Reason
from tellapart.image.checksums import expect_png_checksums
from tellapart.image.colour import Rgb, to_srgb
from tellapart.image.exif import STORED, SWAPS_AXES, UPRIGHT, orientation
from tellapart.image.failures import translated
from tellapart.image.intensity import Intensity, to_uint8
from tellapart.image.opening import open_frame
from tellapart.image.sniff import sniff
from tellapart.image.types import DecodeLimits, RgbImage

Size = tuple[int, int]
"""(width, height) in pixels."""


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What a file alone does not say.

    `background` is the sRGB colour under transparent pixels, `intensity` the rule for 16-bit and float images
    (8-bit images are left as they are), `frame` the frame or page (from 0), `upright` whether the EXIF orientation is
    applied.
    """

    background: Rgb = (0, 0, 0)
    intensity: Intensity | None = None
    frame: int = 0
    upright: bool = True


_LIMITS = DecodeLimits()
_OPTIONS = DecodeOptions()


def decode(
    data: bytes, *, limits: DecodeLimits = _LIMITS, options: DecodeOptions = _OPTIONS, at_least: Size | None = None
) -> RgbImage:
    """Pixels of a JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF file.

    `at_least` is the (width, height) that will be needed of the upright image: a JPEG is then decoded at 1/2, 1/4 or
    1/8 of its size if that is still at least as large on both sides. Other formats ignore it.

    Raises:
        ImageError: and nothing else, whatever the bytes are.
    """
    image, original_size = decode_image(data, limits, options, None if at_least is None else lambda _: at_least)
    return RgbImage(np.asarray(image.convert("RGB")), original_size)


def decode_image(
    data: bytes, limits: DecodeLimits, options: DecodeOptions, needed: Callable[[Size], Size] | None
) -> tuple[Image.Image, Size]:
    """Like `decode`, as a Pillow image of mode "RGB", or "L" for grey files, with the upright size before reduction.

    `needed` maps that size to the (width, height) that suffices. Copying pixels from Pillow to NumPy and back takes as
    long as resizing them, so callers that resize stay on this side.
    """
    _expect_bytes(data, limits)
    name = sniff(data)
    with translated(name, data):
        image = open_frame(data, name, limits, options.frame)
        if name == "JPEG":
            return _read_jpeg(image, options, needed)
        if name == "PNG":
            expect_png_checksums(data)
        upright = _read_tiff(image, options) if name == "TIFF" else _read_other(image, options)
        return upright, upright.size


def _expect_bytes(data: bytes, limits: DecodeLimits) -> None:
    if not data:
        raise ImageError(Reason.EMPTY_FILE, "the file is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise ImageError(
            Reason.FILE_TOO_LARGE,
            f"the file has {len(data):,} bytes, above the ceiling of {limits.max_bytes:,} (max_bytes)",
        )


def _read_jpeg(
    image: ImageFile.ImageFile, options: DecodeOptions, needed: Callable[[Size], Size] | None
) -> tuple[Image.Image, Size]:
    turn = orientation(image.info.get("exif")) if options.upright else 1
    swaps = turn in SWAPS_AXES
    size = _swapped(image.size, swaps)
    if needed is not None:
        _reduce(image, _swapped(needed(size), swaps))
    image.load()
    return _turned(to_srgb(image, options.background), UPRIGHT.get(turn)), size


def _swapped(size: Size, swaps: bool) -> Size:
    return (size[1], size[0]) if swaps else size


def _reduce(image: ImageFile.ImageFile, needed: Size) -> None:
    """Have libjpeg decode at 1/s with the largest s of 8, 4, 2 whose result is at least `needed` on both sides."""
    width, height = image.size
    for s in (8, 4, 2):
        if min(width, height) >= s and math.ceil(width / s) >= needed[0] and math.ceil(height / s) >= needed[1]:
            # `draft` picks its scale from min(width // w, height // h): for these arguments that lies in s … 2s - 1.
            image.draft(None, (width // s, height // s))
            return


def _read_other(image: ImageFile.ImageFile, options: DecodeOptions) -> Image.Image:
    image.load()
    # Asked after loading: PNG may store EXIF behind the pixels.
    turn = orientation(image.info.get("exif")) if options.upright else 1
    shown = _eight_bits(image, options.intensity, 16, inverted=False)
    return _turned(to_srgb(shown, options.background), UPRIGHT.get(turn))


def _read_tiff(image: ImageFile.ImageFile, options: DecodeOptions) -> Image.Image:
    tags = image.tag_v2  # type: ignore[attr-defined]
    turn, inverted, bits = tags.get(_ORIENTATION), tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO, tags.get(_BITS_PER_SAMPLE)
    image.load()
    shown = _eight_bits(image, options.intensity, bits[0] if bits else 16, inverted=inverted)
    # Pillow turns this one format upright by itself.
    return _turned(to_srgb(shown, options.background), None if options.upright else STORED.get(turn))


# TIFF 6.0 tags
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274
_WHITE_IS_ZERO = 0


def _turned(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image, intensity: Intensity | None, bits: int, *, inverted: bool) -> Image.Image:
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    # Byte order as the machine's, so that values may index a table.
    scaled = to_uint8(values.astype(values.dtype.newbyteorder("=")), intensity, bits=bits)
    # Pillow inverts "white is zero" images (TIFF photometric 0) for 8 bits only.
    return Image.fromarray(255 - scaled if inverted else scaled)
