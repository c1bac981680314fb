"""Class activation maps and their overlay."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tellapart.evaluation.heatmaps import class_activation, overlay, upsample


def test_the_map_glows_where_the_channel_of_the_class_does() -> None:
    feature_map = np.zeros((2, 3, 4, 5), dtype=np.float32)
    feature_map[0, 0, 1, 2] = 2
    feature_map[1, 1, 3, 4] = 3
    feature_map[:, 2] = 1
    weights = np.array([[1.0, -1], [-1, 1], [0, 0]])
    heat = class_activation(feature_map, weights, np.array([0, 1]))
    assert heat.shape == (2, 4, 5)
    assert heat.dtype == np.float32
    assert heat[0, 1, 2] == heat[1, 3, 4] == 1
    assert heat.sum() == 2


def test_a_common_weight_says_nothing_about_a_class() -> None:
    feature_map = np.ones((1, 2, 3, 3), dtype=np.float32)
    assert not class_activation(feature_map, np.array([[5.0, 5], [0, 0]]), np.array([0])).any()


def test_a_part_of_the_embedding_may_belong_to_the_map() -> None:
    feature_map = np.random.default_rng(0).random((1, 2, 3, 3), dtype=np.float32)
    weights = np.array([[9.0, 1], [1, 0], [0, 1]])
    part = class_activation(feature_map, weights, np.array([0]), part=slice(1, 3))
    assert np.array_equal(part, class_activation(feature_map, weights[1:], np.array([0])))
    with pytest.raises(ValueError) as caught:
        class_activation(feature_map, weights, np.array([0]))
    assert str(caught.value) == "weights of the feature map want 2 rows, one per channel, got 3"


def test_the_mean_of_the_map_is_the_evidence_of_the_logit() -> None:
    rng = np.random.default_rng(1)
    feature_map, weights = rng.random((1, 4, 6, 6)), rng.random((4, 2))
    weights[:, 0] += 1
    centred = weights - weights.mean(axis=1, keepdims=True)
    raw = np.einsum("c,chw->hw", centred[:, 0], feature_map[0])
    assert raw.min() > 0
    heat = class_activation(feature_map, weights, np.array([0]))[0]
    assert heat == pytest.approx((raw / raw.max()).astype(np.float32), abs=1e-6)
    assert raw.mean() == pytest.approx(feature_map[0].mean(axis=(1, 2)) @ centred[:, 0])


@pytest.mark.parametrize("size", [(28, 35), (7, 7), (13, 50)])
def test_upsampling_equals_pillows_bilinear(size: tuple[int, int]) -> None:
    heat = np.random.default_rng(0).random((7, 7)).astype(np.float32)
    wanted = np.asarray(Image.fromarray(heat).resize((size[1], size[0]), Image.Resampling.BILINEAR))
    assert upsample(heat, *size) == pytest.approx(wanted, abs=1e-5)


def test_overlay_is_grey_where_cold_and_coloured_where_hot() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    heat = np.zeros((2, 3), dtype=np.float32)
    cold = overlay(pixels, heat)
    assert cold.shape == (20, 30, 3)
    assert cold.dtype == np.uint8
    assert np.array_equal(cold[..., 0], cold[..., 2])
    heat[0, 0] = 1
    hot = overlay(pixels, heat)
    assert hot[0, 0, 0] > hot[0, 0, 2]
    assert np.array_equal(hot[-1, -1], cold[-1, -1])
