"""The one EXIF value that changes pixels: orientation.

Read here and not through `Image.getexif()`, which parses every tag, warns on damaged ones and takes ten times as long.
"""

from __future__ import annotations

import struct

from PIL.Image import Transpose

from tellapart.image.types import Box

_ORIENTATION = 0x0112

# What makes a stored image upright, by EXIF 2.32 (JEITA CP-3451X), 4.6.4.A "Orientation".
UPRIGHT: dict[int, Transpose] = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
# The way back, for readers that turn images on their own.
STORED: dict[int, Transpose] = {**UPRIGHT, 6: Transpose.ROTATE_90, 8: Transpose.ROTATE_270}


SWAPS_AXES = frozenset({5, 6, 7, 8})


def orientation(exif: object) -> int:
    """Orientation 1–8 from an EXIF block (with or without its "Exif" prefix); 1 where none is valid."""
    if not isinstance(exif, bytes):
        return 1
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        value = _short_tag(tiff, order, _ORIENTATION)
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def _short_tag(tiff: bytes, order: str, wanted: int) -> int:
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    (entries,) = struct.unpack_from(order + "H", tiff, start)
    for position in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(order + "HH", tiff, position)
        if tag == wanted:
            (value,) = struct.unpack_from(order + ("I" if kind == 4 else "H"), tiff, position + 8)
            return int(value)
    return 0


def turned_box(box: Box, size: tuple[int, int], turn: Transpose) -> Box:
    """Where a box of an image of `size` (width, height) lies after `turn`."""
    (x0, y0, x1, y1), (width, height) = box, size
    mirrored_x, mirrored_y = (width - x1, width - x0), (height - y1, height - y0)
    horizontal, vertical = {
        Transpose.FLIP_LEFT_RIGHT: (mirrored_x, (y0, y1)),
        Transpose.ROTATE_180: (mirrored_x, mirrored_y),
        Transpose.FLIP_TOP_BOTTOM: ((x0, x1), mirrored_y),
        Transpose.TRANSPOSE: ((y0, y1), (x0, x1)),
        Transpose.ROTATE_270: (mirrored_y, (x0, x1)),
        Transpose.TRANSVERSE: (mirrored_y, mirrored_x),
        Transpose.ROTATE_90: ((y0, y1), mirrored_x),
    }[turn]
    return horizontal[0], vertical[0], horizontal[1], vertical[1]
