"""Oriented gradients as ONNX nodes: what `classic`, `hog` and `sift` are made of.

Votes are shared linearly between the two nearest orientations. Such a triangle is the second difference of three ramps,
`tri(x) = relu(x + 1) - 2 relu(x) + relu(x - 1)`: a 1×1 convolution, ReLU and a small matrix, three fast operators.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.graph import GraphBuilder

Doubles = NDArray[np.float64]


def at_least(g: GraphBuilder, size: int) -> str:
    """The image, extended at the bottom and right to `size` pixels per side with its border's colours."""
    shape = g.add("Shape", "image", start=1, end=3)
    missing = g.add("Max", g.add("Sub", g.ints(size), shape), g.ints(0))
    pads = g.add("Concat", g.ints(0, 0, 0, 0, 0), missing, g.ints(0), axis=0)
    return g.add("Pad", "image", pads, mode="edge")


def pointwise(g: GraphBuilder, x: str, matrix: NDArray[np.floating[Any]], bias: Doubles | None = None) -> str:
    """A matrix (out, in) applied to the channels of every pixel."""
    weight = g.constant(matrix[:, :, None, None].astype(np.float32))
    more = [] if bias is None else [g.constant(bias.astype(np.float32))]
    return g.add("Conv", x, weight, *more, kernel_shape=[1, 1])


def widened(matrix: Doubles, axis: int) -> Doubles:
    """Zeros appended up to a multiple of 8 channels: ONNX Runtime's blocked kernels, 5 times faster, want it so."""
    more = [(0, 0), (0, 0)]
    more[axis] = (0, -matrix.shape[axis] % 8)
    return np.pad(matrix, more)


def derivatives(g: GraphBuilder, grey: str) -> tuple[str, str]:
    """Centred differences [-1, 0, 1] of (n, 1, h, w) to the right and downward, the border repeated.

    The one downward is never exactly 0 (see `orientation_ramps`).
    """
    kernels = np.zeros((2, 1, 3, 3), np.float32)
    kernels[0, 0, 1] = kernels[1, 0, :, 1] = (-1, 0, 1)
    padded = g.add("Pad", grey, g.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="edge")
    both = g.add("Conv", padded, g.constant(kernels), g.floats(0, 1e-6), kernel_shape=[3, 3])
    dx, dy = g.add_many("Split", [both], 2, axis=1, num_outputs=2)
    return dx, dy


def orientation_ramps(g: GraphBuilder, dx: str, dy: str, bins: int, *, knots: Doubles) -> str:
    """Ramps (n, c, h, w) of the gradient's direction times its magnitude; `bins` to the full circle, one ramp per knot."""
    squares = g.add("Add", g.add("Mul", dx, dx), g.add("Mul", dy, dy))
    magnitude = g.add("Sqrt", squares)
    # Half of atan2(dy, dx), without its case distinctions. dy is never exactly 0, so that a gradient to the left is not
    # taken for one to the right.
    base = g.add("Add", g.add("Relu", g.add("Add", magnitude, dx)), g.floats(1e-9))
    half_angle = g.add("Atan", g.add("Div", dy, base))
    weighted = g.add("Mul", g.add("Mul", half_angle, magnitude), g.floats(bins / np.pi))
    return g.add("Relu", pointwise(g, g.add("Concat", weighted, magnitude, axis=1), widened(ramp_matrix(knots), 0)))


def orientation_knots(bins: int, *, between: bool = False) -> Doubles:
    """Where ramps begin, in bins from the direction to the right: from one bin beyond the left to one beyond it again.

    `between` puts the bins' centres between the multiples of their width: the first is at half a bin.
    """
    outermost = bins // 2 + (1.5 if between else 1)
    return np.arange(-outermost, outermost + 1)


def bins_from_ramps(bins: int, *, between: bool = False) -> Doubles:
    """(bins, knots): orientations from ramps; the first is the direction to the left, they turn from right to down."""
    n_triangles = len(orientation_knots(bins, between=between)) - 2
    fold = np.zeros((bins, n_triangles))
    first = -1 if between else 0
    for triangle in range(n_triangles):
        fold[(first + triangle) % bins, triangle] = 1
    return fold @ second_difference(n_triangles + 2)


def ramp_matrix(knots: Doubles) -> Doubles:
    """(angle * m, m) → (angle - knot) * m."""
    return np.stack([np.ones(len(knots)), -knots.astype(np.float64)], axis=1)


def second_difference(n_knots: int) -> Doubles:
    """(n_knots - 2, n_knots): triangles from ramps."""
    return np.asarray(sum(w * np.eye(n_knots - 2, n_knots, k) for k, w in enumerate((1.0, -2.0, 1.0))))


def shared_cells(g: GraphBuilder, x: str, channels: int, cell: int) -> str:
    """Mean per cell of `cell`² pixels, every pixel shared linearly between the four nearest cells."""
    slope = 1 - np.abs(np.arange(2 * cell) - cell + 0.5) / cell
    kernel = np.outer(slope, slope)[None, None] / cell**2
    weight = g.constant(np.repeat(kernel, channels, axis=0).astype(np.float32))
    size, half = [2 * cell] * 2, [cell // 2] * 4
    return g.add("Conv", x, weight, group=channels, kernel_shape=size, strides=[cell, cell], pads=half)
