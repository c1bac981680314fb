"""One bottle, drawn as a solid of revolution: a half-width per row gives outline, glass thickness and shading.

Lengths are in line units: the picture is 320 units high, a bottle about 230. Colours are linear light, 0–1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.samples.drawing import Colour, Grid, box, bump, circle, coverage, over, tinted


@dataclass(frozen=True, slots=True)
class Product:
    """What is bottled: the glass, the drink, the label's design. `glass` and `drink` are absorptions per channel."""

    name: str
    glass: Colour
    drink: Colour
    cap: Colour
    paper: Colour
    ink: Colour
    accent: Colour
    emblem: Literal["disc", "plate", "diamond"]
    body: float
    shoulder: tuple[float, float]


PRODUCTS = (
    Product("lager", (0.45, 1.15, 2.6), (0.12, 0.40, 1.0), (0.55, 0.42, 0.12), (0.80, 0.74, 0.58), (0.10, 0.07, 0.04),
            (0.50, 0.06, 0.05), "disc", 36.0, (76.0, 118.0)),
    Product("water", (1.45, 0.50, 1.15), (0.06, 0.04, 0.03), (0.10, 0.22, 0.45), (0.82, 0.84, 0.85), (0.05, 0.12, 0.32),
            (0.10, 0.38, 0.55), "plate", 38.0, (62.0, 122.0)),
    Product("cider", (0.10, 0.08, 0.10), (0.10, 0.45, 1.50), (0.34, 0.36, 0.36), (0.20, 0.29, 0.13), (0.78, 0.74, 0.55),
            (0.72, 0.52, 0.14), "diamond", 37.0, (82.0, 112.0)),
)  # fmt: skip

HEIGHT = 232.0
FULL = 54.0
"""Where the drink of a well filled bottle ends, in units below the top of the glass."""


@dataclass(frozen=True, slots=True)
class Look:
    """What sets one bottle apart: its faults and its harmless differences.

    `specks` and `drops` are (angle in radians, units below the top, radius); drops sit outside and harm nobody.
    """

    product: Product
    fill: float = FULL
    capped: bool = True
    label_tilt: float = 0.0
    label_shift: float = 0.0
    turn: float = 0.0
    lean: float = 0.0
    sediment: float = 0.0
    specks: tuple[tuple[float, float, float], ...] = ()
    drops: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class _Surface:
    """Where each pixel of the window lies: `x` units right of the axis, `t` (h, 1) units below the top of the glass.

    `u` is -1…1 across the glass, `angle` the radians around it, `inside` the share of the pixel that is glass.
    """

    x: Grid
    u: Grid
    angle: Grid
    t: Grid
    inside: Grid
    pixels_per_unit: float

    def between(self, top: float, bottom: float) -> tuple[slice, _Surface]:
        """The rows between two heights (in units below the top): as a slice of the window, and their surface."""
        first, last = np.searchsorted(self.t[:, 0], (top, bottom)).tolist()
        rows = slice(first, last)
        part = (self.x[rows], self.u[rows], self.angle[rows], self.t[rows], self.inside[rows])
        return rows, _Surface(*part, self.pixels_per_unit)


def draw_bottle(canvas: Grid, look: Look, centre_x: float, base_y: float, pixels_per_unit: float) -> None:
    """Draw onto `canvas` (3, h, w), linear light, in place; what lies outside the picture is left away.

    `centre_x` and `base_y` are in pixels.
    """
    reach = 45 * pixels_per_unit
    left, right = max(0, int(centre_x - reach)), min(canvas.shape[2], int(centre_x + reach))
    top = max(0, int(base_y - (HEIGHT + 8) * pixels_per_unit))
    bottom = min(canvas.shape[1], int(base_y + 2 * pixels_per_unit))
    if left >= right or top >= bottom:
        return
    window = canvas[:, top:bottom, left:right]
    surface = _surface((bottom - top, right - left), look, centre_x - left, base_y - top, pixels_per_unit)
    _draw_glass(window, look, surface)
    rows, middle = surface.between(112, 222)
    _draw_label(window[:, rows], look, middle)
    _draw_shine(window, look, surface)
    if look.capped:
        rows, head = surface.between(-8, 14)
        _draw_cap(window[:, rows], look, head)


def _surface(shape: tuple[int, int], look: Look, centre_x: float, base_y: float, scale: float) -> _Surface:
    t = (np.arange(shape[0], dtype=np.float32)[:, None] - base_y) / scale + HEIGHT
    x = (np.arange(shape[1], dtype=np.float32)[None, :] - centre_x) / scale + look.lean * (HEIGHT - t)
    half = _half_width(look.product, t)
    slope = np.gradient(half[:, 0])[:, None]
    across = (np.abs(x) - half) * (scale / np.sqrt(1 + slope**2))
    upright = np.maximum(-t, t - HEIGHT) * scale
    u = np.clip(x / half, -1, 1)
    return _Surface(x, u, np.arcsin(u), t, coverage(np.maximum(across, upright)), scale)


def _half_width(product: Product, t: Grid) -> Grid:
    """Half the width of the glass in units, per row: lip, neck, shoulder, body, rounded base."""
    start, end = product.shoulder
    rise = np.clip((t - start) / (end - start), 0, 1)
    rise = rise * rise * (3 - 2 * rise)
    neck = 11.5 + 2.5 * np.clip(t / start, 0, 1) + 2.2 * bump(t, 11, 2.2)
    base = 4.0 * np.clip((t - 225) / 7, 0, 1) ** 2
    return np.asarray(neck + (product.body - 14.0) * rise - base)


def _draw_glass(window: Grid, look: Look, surface: _Surface) -> None:
    u, t, product = surface.u, surface.t, look.product
    chord = np.sqrt(1 - u * u)
    side = np.abs(u)
    wall = 0.34 + 0.8 * side**4 + 17 * np.maximum(side - 0.86, 0) + 0.9 * bump(t, 226, 4)
    # The surface of the drink is an ellipse seen slightly from above: lower in the middle.
    drop = t - look.fill - 1.2 * chord
    filled = coverage(-drop * surface.pixels_per_unit)
    depth = chord * filled * (0.4 + 0.6 * _half_width(product, t) / product.body)
    glass, drink = np.asarray(product.glass), np.asarray(product.drink)
    light = tinted(_colour(-(glass + 0.12)), wall)
    light += tinted(_colour(-(drink + glass * 0.35)), depth)
    np.exp(light, out=light)
    # A round bottle is a lens: it shows the lit panel upside down, darker towards the sides.
    behind = 0.20 + 0.52 * chord + 0.10 * bump(t, 140, 70)
    light *= behind * (1 - 0.45 * bump(drop, 0, 1.1) * chord)
    _soil(light, look, surface, filled)
    over(window, light, surface.inside)


def _colour(values: NDArray[np.float64]) -> Colour:
    r, g, b = values.tolist()
    return r, g, b


def _soil(light: Grid, look: Look, surface: _Surface, filled: Grid) -> None:
    """Contamination: sediment on the floor and particles in the drink, both seen through the glass."""
    if look.sediment:
        rows, floor = surface.between(205, HEIGHT)
        cloud = np.clip((floor.t - 226 + 10 * look.sediment) / 6, 0, 1) * min(1.0, 0.55 + look.sediment)
        light[:, rows] *= 1 - 0.75 * cloud * filled[rows]
    for spot in look.specks:
        rows, distance = _spot(surface, look.product.body, *spot)
        light[:, rows] *= 1 - 0.8 * coverage(distance, 2.0) * filled[rows]


def _spot(surface: _Surface, body: float, angle: float, t: float, radius: float) -> tuple[slice, Grid]:
    """Rows around a small disc on the surface and the distance to it in pixels."""
    rows, band = surface.between(t - radius - 3, t + radius + 3)
    across = (band.u - float(np.sin(angle))) * body
    return rows, circle(across, band.t - t, radius) * surface.pixels_per_unit


def _draw_label(window: Grid, look: Look, surface: _Surface) -> None:
    product = look.product
    a0, b0 = (surface.angle - look.turn) * product.body, surface.t - (168 + look.label_shift)
    cos, sin = float(np.cos(look.label_tilt)), float(np.sin(look.label_tilt))
    a, b = cos * a0 + sin * b0, cos * b0 - sin * a0
    paper = tinted(product.paper, np.ones_like(a))
    _print_label(paper, product, a, b, surface.pixels_per_unit)
    paper *= 0.30 + 0.62 * np.cos(surface.angle - 0.35)
    edge = box(a, b, (36, 35), 3.0) * surface.pixels_per_unit
    window *= 1 - 0.35 * coverage(edge - 1.0, 3.0) * surface.inside
    over(window, paper, coverage(edge) * surface.inside)


# Dark and light stretches of lines of small print, as a reader sees them from afar.
_PRINT = np.array(
    [0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1], np.float32
)


def _print_label(paper: Grid, product: Product, a: Grid, b: Grid, scale: float) -> None:
    """The printing in the label's own coordinates: a band, an emblem, lines of text, a rule."""
    if product.emblem == "disc":
        emblem = circle(a, b + 6, 13)
    elif product.emblem == "plate":
        emblem = box(a, b + 6, (20, 10), 9)
    else:
        emblem = (np.abs(a) * 0.7 + np.abs(b + 6) - 13) * 0.8
    accent = coverage(np.minimum(np.abs(b + 27) - 5, np.abs(emblem + 3.5) - 1.3) * scale)
    ink = coverage(np.minimum(emblem, np.abs(b - 30) - 1.2) * scale)
    for line, (row, size, reach) in enumerate(((13.0, 2.6, 24.0), (20.0, 1.3, 28.0), (24.5, 1.3, 20.0))):
        ink += coverage((np.abs(b - row) - size) * scale) * _letters(a, reach, 7 * line)
    over(paper, product.ink, np.minimum(ink, 1))
    over(paper, product.accent, accent)


def _letters(a: Grid, reach: float, start: int) -> Grid:
    """Ink along a line of text from -reach to reach, with soft letter edges."""
    place = np.clip((a + reach) * (len(_PRINT) / (2 * reach)), 0, len(_PRINT) - 1)
    letters = np.roll(_PRINT, start)[place.astype(np.int32)]
    return np.asarray(letters * (np.abs(a) < reach))


def _draw_shine(window: Grid, look: Look, surface: _Surface) -> None:
    """Reflections of the line's lamps, and drops of water; both lie on top of glass and label."""
    u, t = surface.u, surface.t
    streaks = 0.34 * bump(u, -0.63, 0.055) + 0.20 * bump(u, 0.74, 0.035) + 0.06 * bump(u, -0.3, 0.12)
    along = np.clip((t - 22) / 30, 0, 1) * np.clip((222 - t) / 14, 0, 1) * (1 - 0.75 * bump(t, 168, 26))
    window += streaks * along * surface.inside
    for spot in look.drops:
        rows, distance = _spot(surface, look.product.body, *spot)
        window[:, rows] += coverage(distance, 1.5) * surface.inside[rows] * 0.10


def _draw_cap(window: Grid, look: Look, surface: _Surface) -> None:
    x, t = surface.x, surface.t
    half = 14.2 + 2.6 * np.clip((t + 3) / 14, 0, 1)
    u = np.clip(x / half, -1, 1)
    bulge = u * u
    distance = np.maximum(np.abs(x) - half, np.maximum(2.0 * bulge - 5 - t, t - 11 + bulge)) * surface.pixels_per_unit
    crimp = 1 - 0.28 * (0.5 + 0.5 * np.cos(21 * np.arcsin(u))) * np.clip((t - 1) / 3, 0, 1)
    shade = (0.35 + 0.75 * np.sqrt(np.maximum(1 - (u * 0.9 + 0.25) ** 2, 0))) * crimp + 0.5 * bump(u, -0.45, 0.12)
    over(window, tinted(look.product.cap, shade), coverage(distance))
