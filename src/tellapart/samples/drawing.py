"""Antialiased shapes in numpy: signed distances (negative inside, in pixels) become coverage, coverage blends colour.

The distance functions follow Inigo Quilez, "2D distance functions". Pictures are planar, float32 (3, h, w), because
numpy blends long rows several times faster than triples; x is a row (1, w) and y a column (h, 1) where possible.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.floating[Any]]
Colour = tuple[float, float, float]


def coverage(distance: Grid, softness: float = 1.0) -> Grid:
    """Share of each pixel inside the shape, 0–1; `softness` is the width of the edge in pixels."""
    return np.asarray(np.clip(0.5 - distance / softness, 0, 1))


def box(x: Grid, y: Grid, half: tuple[float, float], radius: float = 0.0) -> Grid:
    """Distance to a rectangle around the origin with rounded corners."""
    dx, dy = np.abs(x) - (half[0] - radius), np.abs(y) - (half[1] - radius)
    outside = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2)
    return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0) - radius)


def circle(x: Grid, y: Grid, radius: float) -> Grid:
    """Distance to a disc around the origin."""
    return np.sqrt(x * x + y * y) - radius


def bump(x: Grid, centre: float, width: float) -> Grid:
    """A soft stripe: 1 at `centre`, falling like a Gaussian of standard deviation `width`."""
    return np.asarray(np.exp(((x - centre) / width) ** 2 * -0.5))


def tinted(colour: Colour, grey: Grid) -> Grid:
    """`grey` (h, w) in a colour: (3, h, w)."""
    return np.asarray(colour, np.float32)[:, None, None] * grey


def over(canvas: Grid, colour: Grid | Colour, alpha: Grid) -> None:
    """Paint onto `canvas` (3, h, w) in place: one colour, grey (h, w) or a picture; `alpha` is (h, w)."""
    paint = np.asarray(colour, np.float32)[:, None, None] if isinstance(colour, tuple) else colour
    canvas *= 1 - alpha
    canvas += paint * alpha
