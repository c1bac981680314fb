"""What stands still in front of a camera, and the belt that does not: backdrop, guide rails, belt, frame, rollers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tellapart.samples.drawing import Colour, Grid, bump, circle, coverage, over, tinted

PICTURE = (320.0, 240.0)
"""Height and width of the picture in line units."""

BELT = 282.0
"""Row, in line units, on which bottles stand."""


@dataclass(frozen=True, slots=True)
class Station:
    """One camera's place on the line: how near it hangs, what stands behind the bottles, how its corners darken."""

    name: str
    zoom: float
    backdrop: Colour
    lamp: tuple[float, float]
    vignette: float
    rails: tuple[float, float]


STATIONS = (
    Station("camera_1", 1.00, (0.62, 0.66, 0.68), (95.0, 90.0), 0.30, (128.0, 214.0)),
    Station("camera_2", 0.97, (0.70, 0.67, 0.60), (165.0, 130.0), 0.42, (118.0, 226.0)),
)

_PLATE = 21.0
_MARGIN = 12


def backdrop(station: Station, height_px: int, width: float = PICTURE[1]) -> Grid:
    """The still background with a margin of 12 pixels on each side, linear light (3, h + 24, w + 24).

    `width` is that of the picture in line units.
    """
    scale = height_px / PICTURE[0]
    width_px = round(height_px * width / PICTURE[0])
    y = ((np.arange(height_px + 2 * _MARGIN, dtype=np.float32) - _MARGIN) / scale)[:, None]
    x = ((np.arange(width_px + 2 * _MARGIN, dtype=np.float32) - _MARGIN) / scale)[None, :]
    glow = 0.45 + 0.75 * np.exp(-(((x - station.lamp[0]) / 150) ** 2 + ((y - station.lamp[1]) / 170) ** 2))
    joints = 1 - 0.05 * bump((x + 14) % 96, 48, 1.2)
    canvas = tinted(station.backdrop, glow * joints)
    for row in station.rails:
        _rail(canvas, x, y - row, scale)
    _frame(canvas, x, y, scale)
    return canvas


def _rail(canvas: Grid, x: Grid, y: Grid, scale: float) -> None:
    """A steel guide rail behind the bottles with its brackets and its shadow on the backdrop."""
    canvas *= 1 - 0.30 * bump(y, 9, 3.5)
    steel = 0.16 + 0.55 * bump(y, -2.0, 1.5) + 0.10 * bump(y, 3.0, 1.0)
    over(canvas, steel, coverage((np.abs(y) - 5) * scale))
    bracket = np.maximum(np.abs((x % 150) - 20) - 5, np.abs(y) - 8) * scale
    over(canvas, (0.12, 0.12, 0.13), coverage(bracket))


def _frame(canvas: Grid, x: Grid, y: Grid, scale: float) -> None:
    """The side of the conveyor below the belt: painted steel, a row of roller ends with bolts."""
    paint = tinted((0.055, 0.075, 0.10), 1 + 1.2 * bump(y, BELT + 18, 2.0))
    over(canvas, paint, coverage((BELT + 14 - y) * scale))
    cx, cy = (x + 10) % 60 - 30, y - (BELT + 30)
    over(canvas, (0.05, 0.05, 0.06), coverage(circle(cx, cy, 10.5) * scale, 2.0))
    over(canvas, 0.22 - 0.012 * cy - 0.006 * cx, coverage(circle(cx, cy, 8.5) * scale))
    over(canvas, (0.04, 0.04, 0.04), coverage(circle(cx, cy, 2.6) * scale))


def crop_backdrop(still: Grid, offset: tuple[int, int]) -> Grid:
    """A fresh picture out of a backdrop with margins; `offset` (x, y) in pixels is how far the camera moved."""
    dx, dy = (int(np.clip(v, -_MARGIN, _MARGIN)) + _MARGIN for v in offset)
    height, width = still.shape[1] - 2 * _MARGIN, still.shape[2] - 2 * _MARGIN
    return still[:, dy : dy + height, dx : dx + width].copy()


def draw_belt(canvas: Grid, travelled: float, base_y: float, scale: float) -> None:
    """The slatted belt, `travelled` units along, in place; `base_y` is where bottles stand, in pixels."""
    top, bottom = max(0, int(base_y - 9 * scale)), min(canvas.shape[1], int(base_y + 15 * scale))
    y = ((np.arange(top, bottom, dtype=np.float32) - base_y) / scale)[:, None]
    x = (np.arange(canvas.shape[2], dtype=np.float32) / scale)[None, :]
    gap = bump((x - travelled) % _PLATE, _PLATE / 2, 0.9)
    front = coverage((5 - y) * scale)
    tone = 0.12 + 0.05 * bump(y, -2, 4) - 0.05 * front + 0.10 * bump(y, 5, 0.8)
    tone = tone * (1 - (0.55 + 0.35 * front) * gap) * (0.9 + 0.1 * np.sin(x / 40 + 1))
    over(canvas[:, top:bottom], tone, coverage((np.abs(y - 3) - 11) * scale))


def draw_shadow(canvas: Grid, centre_x: float, base_y: float, scale: float) -> None:
    """The dark spot under a bottle's floor, in place."""
    top, bottom = max(0, int(base_y - 8 * scale)), min(canvas.shape[1], int(base_y + 8 * scale))
    y = (np.arange(top, bottom, dtype=np.float32) - base_y) / scale
    x = (np.arange(canvas.shape[2], dtype=np.float32) - centre_x) / scale
    canvas[:, top:bottom] *= 1 - 0.65 * np.exp(-((y / 4.0) ** 2))[:, None] * np.exp(-((x / 36) ** 4))
