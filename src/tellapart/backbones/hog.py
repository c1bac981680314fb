"""`hog`: histograms of oriented gradients as one ONNX graph; no weights, nothing to download.

After Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR 2005): square-root gamma, the colour
with the steepest gradient at each pixel, 9 unsigned orientations, votes shared linearly between orientations and cells,
blocks of 2×2 cells that overlap, L2-Hys. Left out is the Gaussian window over each block.
"""

from __future__ import annotations

import functools

import numpy as np

from tellapart.backbones.gradients import (
    at_least,
    bins_from_ramps,
    orientation_knots,
    orientation_ramps,
    pointwise,
    shared_cells,
    widened,
)
from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.pooling import grid
from tellapart.backbones.protocol import CARD_KEY, BackboneCard

CELL = 8
"""Pixels per side of a cell."""
BINS = 9
"""Unsigned orientations of 20°; the first spans 0° to 20°, 0° is a gradient to the right, 90° one downward."""
CLIP = 0.2
"""Ceiling of a normalised bin (L2-Hys)."""
NOISE = 0.01
"""Length of a block below which it counts as flat, so that noise is not blown up to full contrast."""
SMALLEST = 3 * CELL
"""Smaller images are extended to this many pixels with their border's colours."""
SIZE = 64
GRID = SIZE // CELL - 1
"""Blocks per side of an image of 64 pixels; larger images have more, which are averaged onto as many."""
BLOCK = 4 * BINS
"""Values of a block: orientations of its cells, the upper left first, then the one to the right of it."""
DIM = BLOCK + BLOCK * GRID**2


@functools.cache
def hog_bytes() -> bytes:
    """The canonical file of `hog`; equal bytes on every machine.

    The feature map (n, 36, h / 8 - 1, w / 8 - 1) is the blocks; the embedding is their mean, then the blocks on the grid.
    """
    g = GraphBuilder()
    colours = g.add("Transpose", g.add("Cast", at_least(g, SMALLEST), to=1), perm=[0, 3, 1, 2])
    dx, dy = _steepest(g, g.add("Sqrt", g.add("Mul", colours, g.floats(1 / 255))))
    blocks = _normalised(g, _blocks(g, _cells(g, dx, dy)))
    mean = g.add("ReduceMean", blocks, g.ints(2, 3), keepdims=0)
    g.add("Concat", mean, grid(g, blocks, GRID), axis=1, output="embedding")
    outputs = [float_output("embedding", ["n", DIM]), float_output("feature_map", ["n", BLOCK, "fh", "fw"])]
    model = g.model("hog", inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: _card().to_json()})
    return serialise(model)


def _card() -> BackboneCard:
    return BackboneCard(
        name="hog",
        licence="Apache-2.0",
        source="tellapart.backbones.hog",
        preprocess=f"decode|upright|squash({SIZE})",
        embedding_dim=DIM,
        feature_map_channels=(0, BLOCK),
        notes="Histograms of oriented gradients (Dalal and Triggs 2005); no trained weights.",
    )


def _steepest(g: GraphBuilder, colours: str) -> tuple[str, str]:
    """Centred differences to the right and downward, (n, 1, h, w) each, of the colour where they are the longest.

    The one downward is never exactly 0 (see `gradients.orientation_ramps`).
    """
    kernels = np.zeros((6, 1, 3, 3), np.float32)
    kernels[::2, 0, 1] = kernels[1::2, 0, :, 1] = (-1, 0, 1)
    padded = g.add("Pad", colours, g.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="edge")
    both = g.add("Conv", padded, g.constant(kernels), g.floats(*[0, 1e-6] * 3), group=3, kernel_shape=[3, 3])
    of_colour = np.kron(np.eye(3), [[1.0, 1.0]])
    squares = pointwise(g, g.add("Mul", both, both), of_colour)
    longest = g.add("ReduceMax", squares, g.ints(1), keepdims=1)
    # Equal ones (grey images have three) are averaged.
    chosen = g.add("Cast", g.add("Equal", squares, longest), to=1)
    kept = g.add("Mul", both, pointwise(g, chosen, of_colour.T))
    summed = pointwise(g, kept, np.tile(np.eye(2), 3))
    mean = g.add("Div", summed, g.add("ReduceSum", chosen, g.ints(1), keepdims=1))
    dx, dy = g.add_many("Split", [mean], 2, axis=1, num_outputs=2)
    return dx, dy


def _cells(g: GraphBuilder, dx: str, dy: str) -> str:
    """Mean magnitude per cell and unsigned orientation (n, 9, h / 8, w / 8)."""
    ramps = orientation_ramps(g, dx, dy, 2 * BINS, knots=orientation_knots(2 * BINS, between=True))
    signed = bins_from_ramps(2 * BINS, between=True)
    unsigned = widened(signed[:BINS] + signed[BINS:], 1)
    return g.add("Relu", pointwise(g, shared_cells(g, ramps, unsigned.shape[1], CELL), unsigned))


def _blocks(g: GraphBuilder, cells: str) -> str:
    """2×2 neighbours side by side: (n, 36, h / 8 - 1, w / 8 - 1)."""
    end = 2**31 - 1
    corners = [
        g.add("Slice", cells, g.ints(down, right), g.ints(end if down else -1, end if right else -1), g.ints(2, 3))
        for down in (0, 1)
        for right in (0, 1)
    ]
    return g.add("Concat", *corners, axis=1)


def _normalised(g: GraphBuilder, blocks: str) -> str:
    """L2-Hys: to length 1, cut at 0.2, to length 1 again."""
    cut = g.add("Min", g.add("Div", blocks, _length(g, blocks, NOISE)), g.constant(np.array(CLIP, np.float32)))
    return g.add("Div", cut, _length(g, cut, NOISE), output="feature_map")


def _length(g: GraphBuilder, x: str, least: float) -> str:
    squares = g.add("ReduceSum", g.add("Mul", x, x), g.ints(1), keepdims=1)
    return g.add("Sqrt", g.add("Add", squares, g.floats(least**2)))
