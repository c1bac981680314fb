"""`classic`: oriented gradients, texture and colour as one ONNX graph; no weights, nothing to download.

Oriented gradients after Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR 2005), with
signed and unsigned orientations and texture sums as in Felzenszwalb et al., "Object Detection with Discriminatively
Trained Part-Based Models" (PAMI 2010), at three scales; soft histograms of lightness and two opponent colours.

Votes are shared linearly between the two nearest bins. Such a triangle is the second difference of three ramps,
`tri(x) = relu(x + 1) - 2 relu(x) + relu(x - 1)`, and differences may be taken after pooling. So every histogram is a
1×1 convolution with ReLU, a pooling and a small matrix: three fast operators instead of seven slow ones.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.gradients import (
    at_least,
    bins_from_ramps,
    derivatives,
    orientation_knots,
    orientation_ramps,
    pointwise,
    second_difference,
    shared_cells,
    widened,
)
from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.pooling import grid, mean_and_most, moments
from tellapart.backbones.protocol import CARD_KEY, BackboneCard

CELL = 8
"""Pixels per side of a cell; the feature map has one value per cell."""
BINS = 18
"""Signed orientations, 20° each; opposite ones together make the 9 unsigned ones."""
CLIP = 0.2
"""Ceiling of a normalised bin (L2-Hys)."""
NOISE = 0.02
"""Energy of a block below which it counts as flat, so that noise is not blown up to full contrast."""
SMALLEST = 32
"""Smaller images are extended to this many pixels with their border's colours."""

_HOG = BINS + BINS // 2 + 4
_LIGHTNESS = np.linspace(0, 1, 8)
_OPPONENT = np.linspace(-0.3, 0.3, 7)
_COLOURS = len(_LIGHTNESS) + 2 * len(_OPPONENT)
MAP_CHANNELS = _HOG + _COLOURS + BINS // 2
"""Channels of the feature map: gradients of the finest scale, colours, energies per orientation."""
_SCALES = 3
_GRID = 3
_END = 2**31 - 1

# Rows: lightness (Rec. 601), red against green, yellow against blue.
_TO_OPPONENT = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]])

DIM = 3 * MAP_CHANNELS + 2 * _HOG * 2 + 2 * _HOG * _GRID**2 + 4 * _HOG + 4 * _COLOURS + 48


@functools.cache
def classic_bytes() -> bytes:
    """The canonical file of `classic`; equal bytes on every machine."""
    g = GraphBuilder()
    colours = g.add("Transpose", g.add("Cast", at_least(g, SMALLEST), to=1), perm=[0, 3, 1, 2])
    grey = g.add("Relu", pointwise(g, colours, _TO_OPPONENT[:1] / 255))
    scales = _gradients_at_scales(g, g.add("Sqrt", grey))
    histograms = _colour_cells(g, colours)
    energy = g.add("Sqrt", scales[0][1])
    feature_map = g.add("Concat", scales[0][0], histograms, energy, axis=1, output="feature_map")
    parts = [*moments(g, feature_map), grid(g, scales[0][0], 2), grid(g, histograms, 2)]
    for cells, _ in scales[1:]:
        parts += [*mean_and_most(g, cells), grid(g, cells, _GRID)]
    parts.append(grid(g, _cell_means(g, pointwise(g, colours, _TO_OPPONENT / 255)), 4))
    g.add("Concat", *parts, axis=1, output="embedding")
    outputs = [float_output("embedding", ["n", DIM]), float_output("feature_map", ["n", MAP_CHANNELS, "fh", "fw"])]
    model = g.model("classic", inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: _card().to_json()})
    return serialise(model)


def _card() -> BackboneCard:
    return BackboneCard(
        name="classic",
        licence="Apache-2.0",
        source="tellapart.backbones.classic",
        preprocess="decode|upright|squash(128)",
        embedding_dim=DIM,
        feature_map_channels=(0, MAP_CHANNELS),
        notes="Oriented gradients, texture and colour histograms; no trained weights.",
    )


def _gradients_at_scales(g: GraphBuilder, grey: str) -> list[tuple[str, str]]:
    """[(normalised cells, unsigned energies)] of the image at full, half and quarter size."""
    found = []
    for scale in range(_SCALES):
        if scale:
            grey = g.add("AveragePool", grey, kernel_shape=[2, 2], strides=[2, 2])
        votes = _orientation_votes(g, grey)
        energies = g.add("Slice", votes, g.ints(BINS), g.ints(_END), g.ints(1))
        found.append((_normalised(g, votes, energies), energies))
    return found


def _orientation_votes(g: GraphBuilder, grey: str) -> str:
    """Gradient magnitude per cell: 18 signed and 9 unsigned orientations, shared between bins and cells linearly."""
    dx, dy = derivatives(g, grey)
    ramps = orientation_ramps(g, dx, dy, BINS, knots=orientation_knots(BINS))
    signed = bins_from_ramps(BINS)
    both = np.concatenate([signed, signed[: BINS // 2] + signed[BINS // 2 :]])
    channels = both.shape[1] + -both.shape[1] % 8
    votes = pointwise(g, shared_cells(g, ramps, channels, CELL), widened(both, 1))
    # Differences of equal ramps may end a rounding below 0, where a square root is no number.
    return g.add("Relu", votes)


def _normalised(g: GraphBuilder, votes: str, energies: str) -> str:
    """L2-Hys over the four blocks of 2×2 cells around each cell: 27 orientations and 4 texture sums."""
    energy = g.add("ReduceSum", g.add("Mul", energies, energies), g.ints(1), keepdims=1)
    padded = g.add("Pad", energy, g.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="edge")
    blocks = g.add("AveragePool", padded, kernel_shape=[2, 2], strides=[1, 1])
    lengths = g.add("Sqrt", g.add("Add", g.add("Mul", blocks, g.floats(4)), g.floats(NOISE**2)))
    clipped = []
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        ends = g.ints(*(_END if offset else -1 for offset in corner))
        length = g.add("Slice", lengths, g.ints(*corner), ends, g.ints(2, 3))
        clipped.append(g.add("Min", g.add("Div", votes, length), g.constant(np.array(CLIP, np.float32))))
    textures = [_texture(g, one) for one in clipped]
    return g.add("Concat", g.add("Mul", g.add("Sum", *clipped), g.floats(0.5)), *textures, axis=1)


def _texture(g: GraphBuilder, cells: str) -> str:
    """Sum over the signed orientations of one normalisation."""
    signed = np.zeros((1, BINS + BINS // 2))
    signed[0, :BINS] = 1 / np.sqrt(BINS)
    return pointwise(g, cells, signed)


def _colour_cells(g: GraphBuilder, colours: str) -> str:
    """Soft histograms per cell: 8 bins of lightness, 7 each of red–green and yellow–blue; ends are not open."""
    rows, biases, triangles = [], [], []
    for axis, centres in zip(_TO_OPPONENT, (_LIGHTNESS, _OPPONENT, _OPPONENT), strict=True):
        step = centres[1] - centres[0]
        knots = np.concatenate([[centres[0] - step], centres, [centres[-1] + step]])
        rows.append(np.repeat(axis[None] / 255 / step, len(knots), axis=0))
        biases.append(-knots / step)
        triangles.append(second_difference(len(knots)))
    to_ramps = widened(np.concatenate(rows), 0)
    bias = np.pad(np.concatenate(biases), (0, len(to_ramps) - len(np.concatenate(biases))))
    ramps = g.add("Relu", pointwise(g, colours, to_ramps, bias))
    return pointwise(g, _cell_means(g, ramps), widened(_block_diagonal(triangles), 1))


def _block_diagonal(blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    result = np.zeros((sum(len(one) for one in blocks), sum(one.shape[1] for one in blocks)))
    row = column = 0
    for one in blocks:
        result[row : row + len(one), column : column + one.shape[1]] = one
        row, column = row + len(one), column + one.shape[1]
    return result


def _cell_means(g: GraphBuilder, x: str) -> str:
    return g.add("AveragePool", x, kernel_shape=[CELL, CELL], strides=[CELL, CELL])
