"""Boxes and polygons of annotation tools to relative regions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tellapart.errors import DataError, Reason
from tellapart.records import Roi


def region(points: Sequence[tuple[float, float]], size: tuple[float, float], name: str = "") -> Roi:
    """Region from points in the units of `size` (width, height): two are corners of a box, more a polygon.

    Points outside of the image are moved to its edge, as tools let people draw over it.

    Raises:
        DataError: bad_row, for sizes or points that are no numbers. SpecError: bad_roi, when nothing is left.
    """
    width, height = size
    flat = [width, height, *(value for point in points for value in point)]
    if not all(math.isfinite(value) for value in flat) or width <= 0 or height <= 0:
        raise DataError(Reason.BAD_ROW, f"a region needs the image's width and height and numbers, got {flat[:8]}")
    relative = [(_clip(x / width), _clip(y / height)) for x, y in points]
    if len(relative) == 2:
        (x0, y0), (x1, y1) = relative
        relative = [(min(x0, x1), min(y0, y1)), (max(x0, x1), max(y0, y1))]
    return Roi(tuple(relative), name)


def rotated_box(x: float, y: float, width: float, height: float, degrees: float) -> list[tuple[float, float]]:
    """Four corners of a box turned clockwise about its top-left corner (x, y), all in pixels (Label Studio's way)."""
    turn = math.radians(degrees)
    along, across = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    corners = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    return [(x + a * along[0] + b * across[0], y + a * along[1] + b * across[1]) for a, b in corners]


def number(value: object) -> float:
    """A finite float; DataError bad_row for anything else."""
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as exc:
        raise DataError(Reason.BAD_ROW, f"a number was expected, got {value!r:.60}") from exc
    if not math.isfinite(result):
        raise DataError(Reason.BAD_ROW, f"a finite number was expected, got {value!r:.60}")
    return result


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))
