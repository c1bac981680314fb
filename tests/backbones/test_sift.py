"""Descriptors against OpenCV's SIFT at fixed points, and words, pyramid and square roots against plain numpy."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.backbones import sift
from tellapart.backbones.onnx import OnnxBackbone

RNG = np.random.default_rng(0)


@functools.cache
def descriptors_of(cell: int) -> OnnxBackbone:
    return OnnxBackbone.open(sift.descriptor_bytes(cell))


def scene(height: int = 96, width: int = 112) -> NDArray[np.uint8]:
    """Waves, an edge and blotches in grey."""
    y, x = np.mgrid[:height, :width]
    blotches = np.kron(np.random.default_rng(7).uniform(-60, 60, (height // 8, width // 8)), np.ones((8, 8)))
    grey = 128 + 40 * np.sin(x / 5 + y / 11) + 30 * np.cos(y / 6) + blotches
    grey[:, width // 2 :] *= 0.6
    return grey.clip(0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def grid_of(cell: int, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Descriptors (rows, columns, 4, 4, 8): cells row by row, orientations last."""
    found = descriptors_of(cell).run(image[None]).feature_map
    assert found is not None
    return found[0].reshape(sift.BINS, 4, 4, *found.shape[2:]).transpose(3, 4, 1, 2, 0)


def by_opencv(cell: int, image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.float64]:
    """RootSIFT of OpenCV's descriptors at the same places and scale, in our order: its angles turn upward."""
    cv2 = pytest.importorskip("cv2")
    edge = 2.5 * cell - 0.5  # a keypoint is at the centre of a pixel, ours on the edge between two
    places = [(edge + sift.STEP * j, edge + sift.STEP * i) for i in range(shape[0]) for j in range(shape[1])]
    points = [cv2.KeyPoint(x, y, 2 * cell / 3, 0) for x, y in places]
    smoothing = np.hypot(0.5, np.sqrt((cell / 6) ** 2 - 0.25))
    _, found = cv2.SIFT_create(sigma=smoothing).compute(image[..., 0], points)
    ours = found.reshape(*shape, 4, 4, 8)[..., (-np.arange(8)) % 8].astype(np.float64)
    return np.asarray(np.sqrt(ours / np.maximum(ours.sum(axis=(2, 3, 4), keepdims=True), 1e-9)))


@pytest.mark.parametrize("cell", sift.CELLS)
def test_descriptors_are_near_those_of_opencv(cell: int) -> None:
    """It samples pixels where we integrate: correlation of each, and mean difference of values whose mean is 0.07."""
    ours = grid_of(cell, scene())
    theirs = by_opencv(cell, scene(), (ours.shape[0], ours.shape[1]))
    inside = (slice(1, -1), slice(1, -1))
    pairs = zip(ours[inside].reshape(-1, 128), theirs[inside].reshape(-1, 128), strict=True)
    alike = [np.corrcoef(one, other)[0, 1] for one, other in pairs]
    assert np.median(alike) > 0.96
    assert min(alike) > 0.93
    assert np.abs(ours - theirs)[inside].mean() < 0.012


def test_a_ramp_to_the_right_is_in_the_first_orientation_and_one_downward_in_the_third() -> None:
    ramp = np.linspace(20, 230, 96)[None].repeat(96, axis=0).astype(np.uint8)[..., None].repeat(3, axis=2)
    right, down = (grid_of(6, one)[4, 4].mean(axis=(0, 1)) for one in (ramp, ramp.transpose(1, 0, 2)))
    assert (right.argmax(), down.argmax()) == (0, 2)


def test_descriptors_have_length_1_and_flat_ones_do_not() -> None:
    assert np.linalg.norm(grid_of(6, scene()).reshape(-1, 128), axis=1) == pytest.approx(1, abs=0.01)
    flat = np.full((96, 96, 3), 90, np.uint8)
    assert np.linalg.norm(grid_of(6, flat).reshape(-1, 128), axis=1).max() < 0.35


def test_words_are_counted_over_the_pyramid() -> None:
    words = RNG.uniform(0, 0.15, (6, sift.LENGTH)).astype(np.float32)
    found = (
        OnnxBackbone.open(sift.sift_bytes(words, sharpness=8.0, origin="Of a test.")).run(scene()[None]).embedding[0]
    )
    total = np.zeros(6 * sift.PLACES)
    for cell in sift.CELLS:
        descriptors = descriptors_of(cell).run(scene()[None]).feature_map
        assert descriptors is not None
        flat = descriptors[0].reshape(sift.LENGTH, -1).T
        score = -8.0 * ((flat[:, None] - words) ** 2).sum(axis=2)
        shares = np.exp(score - score.max(axis=1, keepdims=True))
        shares = (shares / shares.sum(axis=1, keepdims=True)).T.reshape(6, *descriptors.shape[2:])
        total += np.concatenate(_pyramid(shares)) / len(sift.CELLS)
    np.testing.assert_allclose(found, np.sqrt(total), atol=1e-4)
    assert np.sum(found[:6] ** 2) == pytest.approx(1, abs=1e-4)


def _pyramid(shares: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    def quarters(part: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        rows, columns = part.shape[1] // 2, part.shape[2] // 2
        up, down = part[:, : part.shape[1] - rows], part[:, rows:]
        return [one for half in (up, down) for one in (half[:, :, : part.shape[2] - columns], half[:, :, columns:])]

    level, means = [shares], [shares.mean(axis=(1, 2))]
    for _ in range(sift.LEVELS - 1):
        level = [quarter for part in level for quarter in quarters(part)]
        means += [part.mean(axis=(1, 2)) for part in level]
    return means


def test_the_card_tells_where_the_words_are_from() -> None:
    words = np.zeros((2, sift.LENGTH), np.float32)
    card = OnnxBackbone.open(sift.sift_bytes(words, sharpness=1.0, origin="Of 7 images.", size=128)).card
    assert (card.name, card.embedding_dim, card.preprocess) == ("sift", 42, "decode|upright|squash(128)")
    assert card.notes == "Dense SIFT, 2 visual words, a spatial pyramid of 21 places. Of 7 images."
