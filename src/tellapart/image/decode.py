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
from tellapart.image.deep import deep_to_uint8, is_deep_colour
from tellapart.image.exif import STORED, SWAPS_AXES, UPRIGHT, orientation, turned_box
from tellapart.image.failures import translated
from tellapart.image.intensity import Intensity, to_uint8
from tellapart.image.opening import open_frame
from tellapart.image.sniff import sniff
from tellapart.image.types import Box, DecodeLimits, RgbImage

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
    return decode_image(data, limits, options, None if at_least is None else lambda _: at_least).to_rgb()


@dataclass(frozen=True, slots=True)
class Decoded:
    """Like `RgbImage`, with the pixels still on Pillow's side: mode "RGB", or "L" for grey files.

    Copying pixels from Pillow to NumPy and back takes as long as resizing them, so callers that resize stay here.
    """

    image: Image.Image
    original_size: Size
    box: Box | None = None

    def to_rgb(self) -> RgbImage:
        """The same as an array."""
        return RgbImage(np.asarray(self.image.convert("RGB")), self.original_size, self.box)


def decode_image(
    data: bytes, limits: DecodeLimits, options: DecodeOptions, needed: Callable[[Size], Size] | None
) -> Decoded:
    """Like `decode`; `needed` maps the upright size to the (width, height) that suffices."""
    _expect_bytes(data, limits)
    name = sniff(data)
    with translated(name, data):
        image = open_frame(data, name, limits, options.frame)
        if name == "JPEG":
            return _read_jpeg(image, options, needed)
        if name == "PNG":
            expect_png_checksums(data)
        again = None
        if options.intensity and is_deep_colour(image):
            again = open_frame(data, name, limits, options.frame)
        read = _read_tiff if name == "TIFF" else _read_other
        upright = read(image, again, options)
        return Decoded(upright, upright.size)


def dimensions(data: bytes, limits: DecodeLimits = _LIMITS) -> Size:
    """(width, height) as the file's header states them, before any turning; nothing is decoded.

    Raises:
        ImageError: as `decode`, for what the header tells.
    """
    _expect_bytes(data, limits)
    name = sniff(data)
    with translated(name, data):
        return open_frame(data, name, limits, 0).size


def _expect_bytes(data: bytes, limits: DecodeLimits) -> None:
    if not data:
        raise ImageError(Reason.EMPTY_FILE, "the file is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise ImageError(
            Reason.FILE_TOO_LARGE,
            f"the file has {len(data):,} bytes, above the ceiling of {limits.max_bytes:,} (max_bytes)",
        )


def _read_jpeg(image: ImageFile.ImageFile, options: DecodeOptions, needed: Callable[[Size], Size] | None) -> Decoded:
    turn = orientation(image.info.get("exif")) if options.upright else 1
    swaps = turn in SWAPS_AXES
    size = _swapped(image.size, swaps)
    box = None if needed is None else _reduce(image, _swapped(needed(size), swaps))
    image.load()
    if box is not None and turn > 1:
        box = turned_box(box, image.size, UPRIGHT[turn])
    return Decoded(_turned(to_srgb(image, options.background), UPRIGHT.get(turn)), size, box)


def _swapped(size: Size, swaps: bool) -> Size:
    return (size[1], size[0]) if swaps else size


def _reduce(image: ImageFile.ImageFile, needed: Size) -> Box | None:
    """Have libjpeg decode at 1/s with the largest s of 8, 4, 2 whose result is at least `needed` on both sides.

    Returns what the picture will cover of the result, None for all of it.
    """
    width, height = image.size
    for s in (8, 4, 2):
        if min(width, height) >= s and math.ceil(width / s) >= needed[0] and math.ceil(height / s) >= needed[1]:
            # `draft` picks its scale from min(width // w, height // h): for these arguments that lies in s … 2s - 1.
            image.draft(None, (width // s, height // s))
            return None if width % s == height % s == 0 else (0.0, 0.0, width / s, height / s)
    return None


def _read_other(image: ImageFile.ImageFile, again: ImageFile.ImageFile | None, options: DecodeOptions) -> Image.Image:
    shown = to_srgb(_eight_bits(image, again, options.intensity), options.background)
    # Asked after loading: PNG may store EXIF behind the pixels.
    turn = orientation(image.info.get("exif")) if options.upright else 1
    return _turned(shown, UPRIGHT.get(turn))


def _read_tiff(image: ImageFile.ImageFile, again: ImageFile.ImageFile | None, options: DecodeOptions) -> Image.Image:
    tags = image.tag_v2  # type: ignore[attr-defined]
    turn, inverted, bits = tags.get(_ORIENTATION), tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO, tags.get(_BITS_PER_SAMPLE)
    shown = _eight_bits(image, again, options.intensity, bits=bits[0] if bits else 16, inverted=inverted)
    # Pillow turns this one format upright by itself.
    return _turned(to_srgb(shown, options.background), None if options.upright else STORED.get(turn))


# TIFF 6.0 tags
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274
_WHITE_IS_ZERO = 0


def _turned(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)


def _eight_bits(
    image: ImageFile.ImageFile,
    again: ImageFile.ImageFile | None,
    intensity: Intensity | None,
    *,
    bits: int = 16,
    inverted: bool = False,
) -> Image.Image:
    """The decoded image with 8 bits per channel; `again` is given where colour has 16 and an intensity is declared."""
    if again is not None and intensity is not None:
        return deep_to_uint8(image, again, intensity)
    image.load()
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    # Byte order as the machine's, so that values may index a table.
    scaled = to_uint8(values.astype(values.dtype.newbyteorder("=")), intensity, bits=bits)
    # Pillow inverts "white is zero" images (TIFF photometric 0) for 8 bits only.
    return Image.fromarray(255 - scaled if inverted else scaled)
