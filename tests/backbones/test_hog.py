"""The graph against plain numpy, scikit-image's HOG."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.backbones import hog
from tellapart.backbones.onnx import OnnxBackbone

SHA256 = "e325b4d9b22c1c83622a3d7f61f8f9dd1a3b025b7899fb28ad8b2b4b164c674a"
BACKBONE = OnnxBackbone.open(hog.hog_bytes())


def scene(height: int, width: int, *, grey: bool = False) -> NDArray[np.uint8]:
    """Smooth colours, a hard edge, some noise and a flat corner."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 5), np.cos(y / 7), np.sin((x + y) / 9)], axis=-1)
    image = 128 + 80 * waves + rng.normal(0, 8, (height, width, 3))
    image[:, width // 2 :] *= 0.5
    image[: height // 4, : width // 4] = (200, 30, 90)
    pixels = image.clip(0, 255).astype(np.uint8)
    return np.repeat(pixels[..., :1], 3, axis=2) if grey else pixels


def blocks_of(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(rows, columns, 2, 2, 9) as scikit-image orders them."""
    found = BACKBONE.run(image[None]).feature_map
    assert found is not None
    return np.moveaxis(found[0], 0, 2).reshape(*found.shape[2:], 2, 2, 9)


def plain_cells(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(rows, columns, 9): each pixel votes for two orientations in four cells, in proportion; the steepest colour counts."""
    roots = np.sqrt(image / 255)
    padded = np.pad(roots, ((1, 1), (1, 1), (0, 0)), mode="edge")
    dx, dy = padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]
    best = np.hypot(dx, dy).argmax(axis=2)[..., None]
    dx, dy = (np.take_along_axis(one, best, 2)[..., 0] for one in (dx, dy))
    magnitude, angle = np.hypot(dx, dy), np.arctan2(dy, dx) % np.pi * 9 / np.pi - 0.5
    height, width = magnitude.shape
    votes = np.zeros((height // 8 + 2, width // 8 + 2, 9))
    for y in range(height):
        for x in range(width):
            low = int(np.floor(angle[y, x]))
            part = angle[y, x] - low
            row, column = (y + 0.5) / 8 + 0.5, (x + 0.5) / 8 + 0.5
            for r, a in ((int(row), 1 - row % 1), (int(row) + 1, row % 1)):
                for c, b in ((int(column), 1 - column % 1), (int(column) + 1, column % 1)):
                    if r < len(votes) and c < votes.shape[1]:
                        votes[r, c, low % 9] += a * b * (1 - part) * magnitude[y, x] / 64
                        votes[r, c, (low + 1) % 9] += a * b * part * magnitude[y, x] / 64
    return votes[1 : height // 8 + 1, 1 : width // 8 + 1]


def plain_blocks(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = len(cells) - 1, cells.shape[1] - 1
    corners = [cells[i : rows + i, j : columns + j] for i in (0, 1) for j in (0, 1)]
    found = np.stack(corners, axis=2).reshape(rows, columns, 2, 2, 9)
    for top in (hog.CLIP, np.inf):
        length = np.sqrt((found**2).sum(axis=(2, 3, 4), keepdims=True) + hog.NOISE**2)
        found = np.minimum(found / length, top)
    return found


@pytest.mark.parametrize("size", [(64, 48), (43, 61)])
@pytest.mark.parametrize("grey", [False, True])
def test_blocks_equal_a_plain_numpy_version(size: tuple[int, int], grey: bool) -> None:
    image = scene(*size, grey=grey)
    np.testing.assert_allclose(blocks_of(image), plain_blocks(plain_cells(image)), atol=1e-3)


def blocks_by_scikit_image(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """It gives each pixel to one orientation of one cell, where we share its vote."""
    feature = pytest.importorskip("skimage.feature")
    options = {"feature_vector": False, "block_norm": "L2-Hys", "cells_per_block": (2, 2), "transform_sqrt": True}
    return np.asarray(feature.hog(image, channel_axis=2, **options))


@pytest.mark.parametrize("turn", [10, 50, 90, 130, 170])
def test_blocks_equal_those_of_scikit_image_where_votes_are_not_shared(turn: int) -> None:
    """Waves in the middle of an orientation, alike in all cells: within 0.08 of values up to 0.5, away from the border."""
    y, x = np.mgrid[:96, :96]
    phase = (x * np.cos(np.deg2rad(turn)) + y * np.sin(np.deg2rad(turn))) * 2 * np.pi / 8
    image = ((0.5 + 0.4 * np.sin(phase)) ** 2 * 255).round().astype(np.uint8)[..., None].repeat(3, axis=2)
    ours, theirs = (blocks[1:-1, 1:-1] for blocks in (blocks_of(image), blocks_by_scikit_image(image)))
    assert theirs.max() > 0.45
    np.testing.assert_allclose(ours, theirs, atol=0.08)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(("grey", "alike"), [(False, 0.87), (True, 0.93)])
def test_blocks_are_near_those_of_scikit_image(grey: bool, alike: float) -> None:
    """In a noisy scene votes fall between bins and cells: correlation, and a mean difference of 0.03 of values up to 1."""
    image = scene(96, 128, grey=grey)
    ours, theirs = blocks_of(image), blocks_by_scikit_image(image)
    assert ours.shape == theirs.shape
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > alike
    assert np.abs(ours - theirs).mean() < 0.03


def test_an_image_of_the_usual_size_is_its_blocks() -> None:
    features = BACKBONE.run(scene(64, 64)[None])
    assert features.feature_map is not None
    assert features.feature_map.shape == (1, hog.BLOCK, hog.GRID, hog.GRID)
    np.testing.assert_allclose(features.embedding[:, hog.BLOCK :], features.feature_map.reshape(1, -1), atol=1e-6)


def test_a_straight_edge_falls_into_the_bin_of_its_direction() -> None:
    for turn, expected in ((10, 0), (50, 2), (90, 4), (130, 6), (170, 8)):
        y, x = np.mgrid[:64, :64] / 64
        towards = x * np.cos(np.deg2rad(turn)) + y * np.sin(np.deg2rad(turn))
        image = (255 * (0.5 + 0.3 * (towards - towards.mean())) ** 2).astype(np.uint8)[..., None].repeat(3, axis=2)
        assert blocks_of(image)[3, 3].sum(axis=(0, 1)).argmax() == expected


def test_turning_colours_round_changes_nothing() -> None:
    """A gradient and its opposite are one orientation."""
    image = scene(64, 64)
    ours, negative = blocks_of(image), blocks_of(((1 - np.sqrt(image / 255)) ** 2 * 255).round().astype(np.uint8))
    assert np.corrcoef(ours.ravel(), negative.ravel())[0, 1] > 0.95


def test_bytes_are_equal_on_every_machine() -> None:
    assert hashlib.sha256(hog.hog_bytes()).hexdigest() == SHA256
