"""Where a linear head looked: class activation maps, without gradients, and their overlay on the image.

Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", https://arxiv.org/abs/1512.04150
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.scored import Floats, Ints


def class_activation(
    feature_map: Floats, weights: Floats, classes: Ints, *, part: slice | None = None
) -> NDArray[np.float32]:
    """Heat (n, h', w') in 0–1 of what speaks for one class in each image.

    Args:
        feature_map: (n, c, h', w') of the backbone.
        weights: (d, k) of the linear head, applied to the embedding as the backbone gives it (undo a standardisation
            first: divide the rows by the scale).
        classes: (n,) column of the class to explain in each image.
        part: rows of `weights` that belong to the average of the feature map, in channel order; None takes all, which
            is right when the embedding is that global average alone.

    Evidence against the class is shown as 0. An image on which nothing speaks for the class is all 0. The trap: heat
    shows where the evidence lies, not that it is right.
    """
    own = np.asarray(weights)[part or slice(None)]
    n, channels, height, width = feature_map.shape
    if len(own) != channels:
        raise ValueError(f"weights of the feature map want {channels} rows, one per channel, got {len(own)}")
    # Against the mean of the other classes: softmax only knows differences between classes.
    centred = own - own.mean(axis=1, keepdims=True) if own.shape[1] > 1 else own
    chosen = centred[:, np.asarray(classes)].T.astype(np.float32)
    heat = np.einsum("nc,ncx->nx", chosen, feature_map.reshape(n, channels, -1).astype(np.float32))
    heat = np.maximum(heat, 0)
    top = heat.max(axis=1, keepdims=True)
    scaled = np.divide(heat, top, out=np.zeros_like(heat), where=top > 0)
    return np.asarray(scaled.reshape(n, height, width), dtype=np.float32)


def upsample(heat: Floats, height: int, width: int) -> NDArray[np.float32]:
    """Bilinear (h', w') → (height, width); cell centres are kept in place (pixel centres at 0.5), borders repeat."""
    rows, row_share = _positions(heat.shape[0], height)
    columns, column_share = _positions(heat.shape[1], width)
    source = np.asarray(heat, dtype=np.float32)
    below = np.minimum(rows + 1, source.shape[0] - 1)
    right = np.minimum(columns + 1, source.shape[1] - 1)
    tall = source[rows] * (1 - row_share)[:, None] + source[below] * row_share[:, None]
    return np.asarray(tall[:, columns] * (1 - column_share) + tall[:, right] * column_share, dtype=np.float32)


def place(heat: Floats, box: tuple[float, float, float, float], height: int, width: int) -> NDArray[np.float32]:
    """Heat (h', w') over an image of (height, width) of which it covers `box` (left, top, right, bottom), in pixels.

    The box may reach beyond the image; what lies outside it is 0.
    """
    left, top, right, bottom = box
    rows, row_share = _within(heat.shape[0], height, top, bottom)
    columns, column_share = _within(heat.shape[1], width, left, right)
    source = np.pad(np.asarray(heat, np.float32), ((0, 1), (0, 1)), mode="edge")
    tall = source[rows] * (1 - row_share)[:, None] + source[rows + 1] * row_share[:, None]
    wide = tall[:, columns] * (1 - column_share) + tall[:, columns + 1] * column_share
    inside = [_inside(n, low, high) for n, low, high in ((height, top, bottom), (width, left, right))]
    return np.asarray(wide * inside[0][:, None] * inside[1], dtype=np.float32)


def _within(n_source: int, n_target: int, low: float, high: float) -> tuple[Ints, NDArray[np.float32]]:
    at = ((np.arange(n_target) + 0.5 - low) * n_source / (high - low) - 0.5).clip(0, n_source - 1)
    first = np.floor(at).astype(np.int64)
    return first, (at - first).astype(np.float32)


def _inside(n: int, low: float, high: float) -> NDArray[np.bool_]:
    centres = np.arange(n) + 0.5
    return np.asarray((centres >= low) & (centres <= high))


def _positions(n_source: int, n_target: int) -> tuple[Ints, NDArray[np.float32]]:
    at = ((np.arange(n_target) + 0.5) * n_source / n_target - 0.5).clip(0, n_source - 1)
    first = np.floor(at).astype(np.int64)
    return first, (at - first).astype(np.float32)


# Dark violet to yellow, readable without colour vision; nine stops of a perceptually even ramp.
_RAMP = np.array(
    [(20, 11, 53), (65, 15, 117), (108, 27, 122), (150, 40, 112), (192, 55, 92), (227, 80, 61), (248, 125, 21),
     (251, 179, 40), (250, 235, 120)], dtype=np.float32)  # fmt: skip


def overlay(pixels: NDArray[np.uint8], heat: Floats, *, strength: float = 0.6) -> NDArray[np.uint8]:
    """Heat (h', w') in 0–1 laid over uint8 (h, w, 3): grey where nothing speaks for the answer, glowing elsewhere."""
    height, width = pixels.shape[:2]
    full = upsample(heat, height, width).clip(0, 1)
    place = full * (len(_RAMP) - 1)
    low = np.floor(place).astype(np.int64).clip(0, len(_RAMP) - 2)
    share = (place - low)[:, :, None]
    colour = _RAMP[low] * (1 - share) + _RAMP[low + 1] * share
    grey = (pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[:, :, None]
    alpha = strength * np.sqrt(full)[:, :, None]
    return np.asarray((grey * (1 - alpha) + colour * alpha).round().clip(0, 255), dtype=np.uint8)
