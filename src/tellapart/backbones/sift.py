"""`sift`: dense SIFT descriptors counted by visual words over a spatial pyramid, as one ONNX graph made per training.

Descriptors after Lowe, "Distinctive Image Features from Scale-Invariant Keypoints" (IJCV 2004), on a dense grid at several
scales as in PHOW (Bosch, Zisserman and Muñoz 2007), upright: 4×4 cells of 8 orientations, a Gaussian window, votes shared
linearly between orientations and cells, cut at 0.2, then RootSIFT (Arandjelović and Zisserman 2012). Each descriptor is
shared softly among the words near it (van Gemert et al. 2008); the shares are averaged over a spatial pyramid (Lazebnik,
Schmid and Ponce 2006), and their square roots (Hellinger's kernel) are the embedding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.gradients import (
    at_least,
    bins_from_ramps,
    derivatives,
    orientation_knots,
    orientation_ramps,
    pointwise,
)
from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.pooling import halves
from tellapart.backbones.protocol import CARD_KEY, BackboneCard

CELLS = (4, 6, 8)
"""Pixels per side of a cell of a descriptor, one scale each; a descriptor spans 4 cells, and half a one beyond on each side."""
STEP = 4
"""Pixels from one descriptor to the next."""
BINS = 8
"""Signed orientations of 45°; the first is a gradient to the right, they turn downward."""
LENGTH = 16 * BINS
"""Values of a descriptor: orientation by orientation, of each the 4×4 cells row by row."""
CLIP = 0.2
NOISE = 0.02
"""Length of a descriptor below which it counts as flat, so that noise is not blown up to full contrast."""
FLAT_SUM = 0.05
"""Sum of a descriptor, after the cut, that halves it: those of flat places stay near 0, others sum to 5 or more."""
SMALLEST = 5 * max(CELLS) + STEP
"""Smaller images are extended to this many pixels with their border's colours."""
SIZE = 96
LEVELS = 3
"""Of the pyramid: the whole, 2×2 and 4×4 places."""
PLACES = sum(4**level for level in range(LEVELS))

_SAMPLED_SIDE = 5
SAMPLED = len(CELLS) * _SAMPLED_SIDE**2
"""Descriptors of an image in the embedding of `sampler_bytes`."""

_GREY = np.array([[0.299, 0.587, 0.114]]) / 255
_WINDOW_CELLS = 2.0  # standard deviation of the Gaussian window, in cells: half the descriptor, as Lowe's
_SMOOTHING = 6.0  # a cell is this many standard deviations of the smoothing before it, as VLFeat's PHOW
_BLUR_OF_CAMERAS = 0.5


def descriptor_bytes(cell: int) -> bytes:
    """A canonical file whose feature map (n, 128, h', w') is the descriptors of one scale, its embedding their mean.

    The descriptor at row i and column j is centred on the pixel edge (i, j) * STEP + 2.5 * cell of the image.
    """
    g = GraphBuilder()
    descriptors = g.add("Identity", _descriptors(g, _grey(g), cell), output="feature_map")
    g.add("ReduceMean", descriptors, g.ints(2, 3), keepdims=0, output="embedding")
    outputs = [float_output("embedding", ["n", LENGTH]), float_output("feature_map", ["n", LENGTH, "fh", "fw"])]
    card = _card("sift descriptors", LENGTH, (0, LENGTH), f"Dense SIFT descriptors of cells of {cell} px.")
    return serialise(
        g.model("sift-descriptors", inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: card.to_json()})
    )


def sampler_bytes() -> bytes:
    """A canonical file whose embedding is 75 descriptors of an image, 5×5 places of each scale: what words are learned of.

    The embedding (n, 9600) is SAMPLED rows of 128 values.
    """
    g = GraphBuilder()
    grey = _grey(g)
    sampled = [_sampled(g, _descriptors(g, grey, cell)) for cell in CELLS]
    g.add("Concat", *sampled, axis=1, output="embedding")
    dim = SAMPLED * LENGTH
    card = _card("sift sampler", dim, None, "Dense SIFT descriptors to learn words of.")
    outputs = [float_output("embedding", ["n", dim])]
    return serialise(
        g.model("sift-sampler", inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: card.to_json()})
    )


def sift_bytes(words: NDArray[np.float32], *, sharpness: float, origin: str, size: int = SIZE) -> bytes:
    """The canonical file with `words` (m, 128), centres of descriptors.

    A descriptor's share of a word falls with exp(-sharpness * squared distance). `origin` tells people where the words are
    from, `size` is the side in pixels that the card asks for. The embedding has m * 21 columns, place by place.
    """
    g = GraphBuilder()
    grey = _grey(g)
    counts = [_pyramid(g, _shares(g, _descriptors(g, grey, cell), words, sharpness)) for cell in CELLS]
    mean = g.add("Mul", g.add("Sum", *counts), g.floats(1 / len(CELLS)))
    g.add("Sqrt", g.add("Relu", mean), output="embedding")
    dim = len(words) * PLACES
    notes = f"Dense SIFT, {len(words)} visual words, a spatial pyramid of {PLACES} places. {origin}"
    card = _card("sift", dim, None, notes, size)
    outputs = [float_output("embedding", ["n", dim])]
    return serialise(g.model("sift", inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: card.to_json()}))


def _card(name: str, dim: int, channels: tuple[int, int] | None, notes: str, size: int = SIZE) -> BackboneCard:
    return BackboneCard(
        name=name,
        licence="Apache-2.0",
        source="tellapart.backbones.sift",
        preprocess=f"decode|upright|squash({size})",
        embedding_dim=dim,
        feature_map_channels=channels,
        notes=notes,
    )


def _grey(g: GraphBuilder) -> str:
    colours = g.add("Transpose", g.add("Cast", at_least(g, SMALLEST), to=1), perm=[0, 3, 1, 2])
    return pointwise(g, colours, _GREY)


def _descriptors(g: GraphBuilder, grey: str, cell: int) -> str:
    """RootSIFT (n, 128, h', w') on a grid of STEP pixels, where a descriptor lies wholly inside the image."""
    dx, dy = derivatives(g, _smoothed(g, grey, cell))
    ramps = orientation_ramps(g, dx, dy, BINS, knots=orientation_knots(BINS))
    # Bins of `gradients` begin at the direction to the left.
    votes = pointwise(g, ramps, _padded_columns(np.roll(bins_from_ramps(BINS), -BINS // 2, axis=0)))
    return _root_sift(g, _cells(g, votes, cell))


def _padded_columns(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ramps come in multiples of 8 channels."""
    return np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % 8)))


def _smoothed(g: GraphBuilder, grey: str, cell: int) -> str:
    variance = (cell / _SMOOTHING) ** 2 - _BLUR_OF_CAMERAS**2
    radius = int(np.ceil(3 * np.sqrt(variance)))
    slope = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * variance))
    kernel = np.outer(slope, slope) / slope.sum() ** 2
    padded = g.add("Pad", grey, g.ints(0, 0, radius, radius, 0, 0, radius, radius), mode="edge")
    return g.add("Conv", padded, g.constant(kernel[None, None].astype(np.float32)), kernel_shape=list(kernel.shape))


def _cells(g: GraphBuilder, votes: str, cell: int) -> str:
    """Orientations (n, 8, h, w) gathered into 4×4 cells under a Gaussian window, (n, 128, h', w'): down, then across.

    Both the window and the sharing between cells are products of a factor for rows and one for columns.
    """
    places = np.arange(5 * cell) - 2.5 * cell + 0.5
    centres = (np.arange(4) - 1.5) * cell
    shared = np.maximum(0, 1 - np.abs(places - centres[:, None]) / cell)
    profile = (shared * np.exp(-((places / cell) ** 2) / (2 * _WINDOW_CELLS**2)) / cell).astype(np.float32)
    down = np.tile(profile[:, None, :, None], (BINS, 1, 1, 1))
    rows = g.add("Conv", votes, g.constant(down), group=BINS, kernel_shape=[5 * cell, 1], strides=[STEP, 1])
    across = np.tile(profile[:, None, None, :], (4 * BINS, 1, 1, 1))
    return g.add("Conv", rows, g.constant(across), group=4 * BINS, kernel_shape=[1, 5 * cell], strides=[1, STEP])


def _root_sift(g: GraphBuilder, cells: str) -> str:
    """Length 1, cut at 0.2, sum 1, square root."""
    # Differences of equal ramps may end a rounding below 0.
    cells = g.add("Relu", cells)
    squares = g.add("ReduceSum", g.add("Mul", cells, cells), g.ints(1), keepdims=1)
    length = g.add("Sqrt", g.add("Add", squares, g.floats(NOISE**2)))
    cut = g.add("Min", g.add("Div", cells, length), g.constant(np.array(CLIP, np.float32)))
    total = g.add("ReduceSum", cut, g.ints(1), keepdims=1)
    return g.add("Sqrt", g.add("Div", cut, g.add("Add", total, g.floats(FLAT_SUM))))


def _sampled(g: GraphBuilder, descriptors: str) -> str:
    """25 descriptors from all over the image, one after the other (n, 25 * 128)."""
    some = g.add(
        "Resize", descriptors, "", "", g.ints(_SAMPLED_SIDE, _SAMPLED_SIDE), axes=[2, 3], mode="nearest",
        coordinate_transformation_mode="half_pixel",
    )  # fmt: skip
    return g.add("Flatten", g.add("Transpose", some, perm=[0, 2, 3, 1]), axis=1)


def _shares(g: GraphBuilder, descriptors: str, words: NDArray[np.float32], sharpness: float) -> str:
    """Softmax over words of -sharpness * squared distance (n, m, h', w'): the descriptor's own length cancels out."""
    wide = words.astype(np.float64)
    scores = pointwise(g, descriptors, 2 * sharpness * wide, -sharpness * np.sum(wide**2, axis=1))
    return g.add("Softmax", scores, axis=1)


def _pyramid(g: GraphBuilder, x: str) -> str:
    """Means over the whole, its quarters, and their quarters (n, m * 21)."""
    parts, level = [], [x]
    for depth in range(LEVELS):
        if depth:
            level = [half for part in level for row in halves(g, part, axis=2) for half in halves(g, row, axis=3)]
        parts += [g.add("ReduceMean", part, g.ints(2, 3), keepdims=0) for part in level]
    return g.add("Concat", *parts, axis=1)
