"""What stands or reaches between the camera and the parts: a post, a sensor head, arms, reflections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tellapart.samples.drawing import Colour, Grid, box, bump, circle, coverage, over, tinted
from tellapart.samples.line_plan import Glare, Reach
from tellapart.samples.scene import BELT

_STYLES: tuple[tuple[Colour, Colour], ...] = (
    ((0.035, 0.06, 0.16), (0.12, 0.30, 0.60)),
    ((0.16, 0.16, 0.16), (0.62, 0.63, 0.62)),
    ((0.50, 0.24, 0.03), (0.46, 0.27, 0.19)),
)
_ARM, _PALM, _FINGER = 27.0, 24.0, 7.5


@dataclass(frozen=True, slots=True)
class Plane:
    """The picture in line units: x (1, w), y (h, 1), and how many pixels a unit has."""

    x: Grid
    y: Grid
    pixels_per_unit: float


def draw_machine(canvas: Grid, machine: tuple[float, float], plane: Plane, hidden: Grid) -> None:
    """A post of the guide and the head of a sensor above it, in place; `hidden` (h, w) learns what they cover."""
    post, head = machine
    dx = plane.x - post
    bar = np.maximum(np.abs(dx) - 11, plane.y - (BELT + 4)) * plane.pixels_per_unit
    steel = 0.10 + 0.30 * bump(dx, -4, 3) + 0.06 * bump(dx, 7, 2) + 0 * plane.y
    _cover(canvas, hidden, steel, coverage(bar))
    body = box(plane.x - head, plane.y - 22, (34, 44), 5) * plane.pixels_per_unit
    _cover(canvas, hidden, tinted((0.55, 0.33, 0.03), 0.8 + 0.4 * bump(plane.y, 0, 40) + 0 * dx), coverage(body))
    eye = circle(plane.x - head, plane.y - 46, 8) * plane.pixels_per_unit
    over(canvas, (0.03, 0.0, 0.0), coverage(eye))


def draw_arm(canvas: Grid, reach: Reach, at_s: float, plane: Plane, hidden: Grid) -> None:
    """Sleeve, hand and fingers, as far as the arm has come, in place; `hidden` as in `draw_machine`."""
    share = (at_s - reach.start_s) / (reach.end_s - reach.start_s)
    come = min(1.0, 3.2 * share, 3.2 * (1 - share))
    start, target = np.array(reach.outside), np.array(reach.hand)
    hand = start + max(0.0, come) * (target - start)
    along = (target - start) / np.linalg.norm(target - start)
    side = np.array([-along[1], along[0]])
    sleeve, glove = _STYLES[reach.style]
    _limb(canvas, hidden, plane, start - 40 * along, hand - 22 * along, _ARM, sleeve)
    for spread in (-1.5, -0.5, 0.5, 1.5):
        root = hand + 12 * along + spread * 11 * side
        tip = root + (26 - 4 * abs(spread)) * along + spread * 5 * side
        _limb(canvas, hidden, plane, root, tip, _FINGER, glove)
    _limb(canvas, hidden, plane, hand - 18 * along, hand + 6 * along, _PALM, glove)


def _limb(canvas: Grid, hidden: Grid, plane: Plane, start: Grid, end: Grid, radius: float, colour: Colour) -> None:
    """A thick line with round ends, lit like a cylinder from the upper left."""
    path = end - start
    px, py = plane.x - float(start[0]), plane.y - float(start[1])
    along = np.clip((px * path[0] + py * path[1]) / float(path @ path), 0, 1)
    dx, dy = px - along * path[0], py - along * path[1]
    distance = np.sqrt(dx * dx + dy * dy)
    shade = 0.45 + 0.65 * np.sqrt(np.maximum(1 - (distance / radius) ** 2, 0)) - 0.25 * (dx + dy) / radius
    alpha = coverage((distance - radius) * plane.pixels_per_unit)
    _cover(canvas, hidden, tinted(colour, np.maximum(shade, 0.1)).astype(np.float32), alpha)


def _cover(canvas: Grid, hidden: Grid, colour: Grid, alpha: Grid) -> None:
    over(canvas, colour, alpha)
    np.maximum(hidden, alpha, out=hidden)


def draw_glare(canvas: Grid, glare: Glare, at_s: float, plane: Plane, hidden: Grid) -> None:
    """A reflection that swells, wanders and fades, in place; where it is glaring nothing else is seen."""
    share = (at_s - glare.start_s) / (glare.end_s - glare.start_s)
    shown = glare.strength * float(np.sin(np.pi * np.clip(share, 0, 1))) ** 0.5
    x, y = glare.centre
    patch = shown * bump(plane.x, x + 30 * share, glare.size[0]) * bump(plane.y, y, glare.size[1])
    canvas += patch
    np.maximum(hidden, np.clip(1.4 * patch, 0, 1), out=hidden)
