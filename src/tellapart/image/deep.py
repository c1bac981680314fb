"""Colour with 16 bits per channel, of which Pillow keeps the high bytes: fine for the full range, black for 12 bits.

Its unpackers for big- and little-endian colour differ in which byte of each pair they take. So the file is decoded
twice, the second time with the other one, and the two halves are put together.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from tellapart.errors import ImageError, Reason
from tellapart.image.intensity import Intensity, to_uint8

_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def is_deep_colour(image: ImageFile.ImageFile) -> bool:
    """True for an opened, not yet decoded image whose colours lose their low bytes."""
    return not image.mode.startswith("I") and any(";16" in _rawmode(tile) for tile in image.tile)


def deep_to_uint8(image: ImageFile.ImageFile, again: ImageFile.ImageFile, intensity: Intensity) -> Image.Image:
    """Decode colour under a declared intensity, as "RGB" or "RGBA"; `again` is a second opening of the same file.

    Raises:
        ImageError: unsupported_format for layouts whose low bytes cannot be had (16-bit grey with alpha, CMYK).
    """
    _take_other_bytes(again)
    high, low = _colours(image), _colours(again)
    scaled = Image.fromarray(to_uint8(high << np.uint16(8) | low, intensity, bits=16))
    if image.mode == "RGBA":
        scaled.putalpha(image.getchannel("A"))
    scaled.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    return scaled


def _take_other_bytes(image: ImageFile.ImageFile) -> None:
    tiles = []
    for tile in image.tile:
        layout, _, order = _rawmode(tile).partition(";16")
        if layout not in ("RGB", "RGBA", "RGBX") or order not in _OTHER_BYTE:
            raise ImageError(
                Reason.UNSUPPORTED_FORMAT,
                f"a declared intensity is not supported for this layout of 16-bit colour ({_rawmode(tile)}); "
                "save it as 16-bit RGB or grey",
            )
        rawmode = f"{layout};16{_OTHER_BYTE[order]}"
        rest = tile.args[1:] if isinstance(tile.args, tuple) else None
        tiles.append(tile._replace(args=rawmode if rest is None else (rawmode, *rest)))
    image.tile = tiles


def _rawmode(tile: Any) -> str:
    args = tile.args
    return str(args if isinstance(args, str) else args[0] if args else "")


def _colours(image: ImageFile.ImageFile) -> np.ndarray[Any, np.dtype[np.uint16]]:
    image.load()
    return np.asarray(image)[:, :, :3].astype(np.uint16)
