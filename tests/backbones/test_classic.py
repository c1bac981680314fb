"""The graph against the same features written plainly in numpy."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest

from tellapart.backbones import classic
from tellapart.backbones.onnx import OnnxBackbone

SHA256 = "8d22aec2b349f2f564bd0eec5269e1b2658ab11fd4183b890741d05209d9c055"
BACKBONE = OnnxBackbone.open(classic.classic_bytes())


def scene(height: int, width: int) -> np.ndarray:
    """Smooth colours, a hard edge, some noise and a flat corner."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 5), np.cos(y / 7), np.sin((x + y) / 9)], axis=-1)
    image = 128 + 80 * waves + rng.normal(0, 8, (height, width, 3))
    image[:, width // 2 :] *= 0.5
    image[: height // 4, : width // 4] = (200, 30, 90)
    return image.clip(0, 255).astype(np.uint8)


def plain_votes(image: np.ndarray) -> np.ndarray:
    """Magnitudes (rows, columns, 18): each pixel votes for two orientations in four cells, in proportion."""
    grey = np.sqrt(image / 255 @ np.array([0.299, 0.587, 0.114]))
    padded = np.pad(grey, 1, mode="edge")
    dx, dy = padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]
    magnitude, angle = np.hypot(dx, dy), np.arctan2(dy, dx) * 18 / (2 * np.pi)
    height, width = grey.shape
    votes = np.zeros((height // 8 + 2, width // 8 + 2, 18))
    for y in range(height):
        for x in range(width):
            low = int(np.floor(angle[y, x]))
            part = angle[y, x] - low
            row, column = (y + 0.5) / 8 + 0.5, (x + 0.5) / 8 + 0.5
            for r, a in ((int(row), 1 - row % 1), (int(row) + 1, row % 1)):
                for c, b in ((int(column), 1 - column % 1), (int(column) + 1, column % 1)):
                    if r < len(votes) and c < votes.shape[1]:
                        votes[r, c, low % 18] += a * b * (1 - part) * magnitude[y, x] / 64
                        votes[r, c, (low + 1) % 18] += a * b * part * magnitude[y, x] / 64
    return np.roll(votes[1 : height // 8 + 1, 1 : width // 8 + 1], 9, axis=2)


def plain_hog(image: np.ndarray) -> np.ndarray:
    """(31, rows, columns): L2-Hys over the four blocks around each cell."""
    signed = plain_votes(image)
    both = np.concatenate([signed, signed[..., :9] + signed[..., 9:]], axis=2)
    energy = np.pad((both[..., 18:] ** 2).sum(axis=2), 1, mode="edge")
    rows, columns = signed.shape[:2]
    total, textures = np.zeros_like(both), []
    for down in (0, 1):
        for right in (0, 1):
            block = sum(
                energy[down + i : down + i + rows, right + j : right + j + columns] for i in (0, 1) for j in (0, 1)
            )
            clipped = np.minimum(both / np.sqrt(block + classic.NOISE**2)[..., None], classic.CLIP)
            total += clipped / 2
            textures.append(clipped[..., :18].sum(axis=2) / np.sqrt(18))
    return np.moveaxis(np.concatenate([total, np.stack(textures, axis=2)], axis=2), 2, 0)


@pytest.mark.parametrize("size", [(64, 48), (43, 61)])
def test_oriented_gradients_equal_a_plain_numpy_version(size: tuple[int, int]) -> None:
    image = scene(*size)
    found = BACKBONE.run(image[None]).feature_map
    assert found is not None
    np.testing.assert_allclose(found[0, :31], plain_hog(image), atol=2e-4)


def test_colour_histograms_equal_a_plain_numpy_version() -> None:
    image = scene(40, 56)
    found = BACKBONE.run(image[None]).feature_map
    assert found is not None
    r, g, b = (image[..., channel] / 255 for channel in range(3))
    planes = (0.299 * r + 0.587 * g + 0.114 * b, (r - g) / 2, (r + g) / 4 - b / 2)
    centres = (np.linspace(0, 1, 8), np.linspace(-0.3, 0.3, 7), np.linspace(-0.3, 0.3, 7))
    bins = [
        np.maximum(0, 1 - np.abs(plane - centre) / (middle[1] - middle[0]))
        for plane, middle in zip(planes, centres, strict=True)
        for centre in middle
    ]
    expected = [one.reshape(5, 8, 7, 8).mean(axis=(1, 3)) for one in bins]
    np.testing.assert_allclose(found[0, 31 : 31 + len(bins)], expected, atol=1e-4)


def test_a_gradient_to_the_left_is_not_one_to_the_right() -> None:
    ramp = np.repeat(np.linspace(20, 235, 64)[None, :, None], 64, axis=0).repeat(3, axis=2).astype(np.uint8)
    right, left = (BACKBONE.run(one[None]).feature_map for one in (ramp, ramp[:, ::-1].copy()))
    assert right is not None
    assert left is not None
    assert right[0, :18, 4, 4].argmax() == 9
    assert left[0, :18, 4, 4].argmax() == 0


def test_bytes_never_change_unnoticed() -> None:
    """Models and cached embeddings refer to this hash: a change is a new backbone and belongs into the changelog."""
    classic.classic_bytes.cache_clear()
    assert hashlib.sha256(classic.classic_bytes()).hexdigest() == BACKBONE.sha256 == SHA256
    assert BACKBONE.embedding_dim == classic.DIM


def test_the_graph_is_valid_and_readable_by_older_runtimes() -> None:
    model = onnx.load_model_from_string(classic.classic_bytes())
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (9, 18)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (7, 31), (33, 32)])
def test_small_and_thin_images(size: tuple[int, int]) -> None:
    assert np.isfinite(BACKBONE.run(scene(*size)[None]).embedding).all()


def test_it_tells_colours_textures_and_places_apart() -> None:
    y, x = np.mgrid[:64, :64]
    stripes, checks = (x // 4 % 2 * 255), ((x // 4 + y // 4) % 2 * 255)
    grey = [np.repeat(one[..., None], 3, axis=2) for one in (stripes, stripes.T, checks)]
    red, blue = np.full((2, 64, 64, 3), 40)
    red[..., 0], blue[..., 2] = 200, 200
    corner = np.full((64, 64, 3), 40)
    corner[:20, :20] = 220
    images = np.stack([*grey, red, blue, corner, corner[::-1]]).astype(np.uint8)
    rows = BACKBONE.run(images).embedding
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2) + 10 * np.eye(len(rows))
    assert apart.min() > 0.5
