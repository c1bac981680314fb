"""What every backbone promises, checked on each of them."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.builders_nets import classifier_net
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.classic import classic_bytes
from tellapart.backbones.convert import convert
from tellapart.backbones.hog import hog_bytes
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import Backbone, BackboneCard
from tellapart.backbones.sift import LENGTH, sift_bytes
from tellapart.backbones.source_card import SourceCard

CARD = SourceCard("net", "MIT", "a test", size=(32, 40), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
_WORDS = np.random.default_rng(0).uniform(0, 0.15, (4, LENGTH)).astype(np.float32)
BACKBONES = {
    "classic": classic_bytes,
    "hog": hog_bytes,
    "sift": lambda: sift_bytes(_WORDS, sharpness=8.0, origin="Of a test."),
    "tiny": tiny_backbone_bytes,
    "tiny without a map": lambda: tiny_backbone_bytes(feature_map=False),
    "converted NCHW": lambda: convert(classifier_net("NCHW"), CARD).data,
    "converted NHWC": lambda: convert(classifier_net("NHWC"), CARD).data,
}


@functools.cache
def opened(name: str) -> OnnxBackbone:
    return OnnxBackbone.open(BACKBONES[name]())


@pytest.fixture(params=list(BACKBONES))
def backbone(request: pytest.FixtureRequest) -> OnnxBackbone:
    return opened(request.param)


def noise(n: int, height: int = 40, width: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), np.uint8)


def test_is_a_backbone_with_a_card(backbone: OnnxBackbone) -> None:
    assert isinstance(backbone, Backbone)
    card = backbone.card
    assert (backbone.name, backbone.licence, backbone.default_spec) == (card.name, card.licence, card.preprocess)
    assert backbone.embedding_dim == card.embedding_dim
    assert BackboneCard.from_json(card.to_json()) == card
    assert "|" in backbone.default_spec
    assert len(backbone.sha256) == 64


def test_shapes_and_types(backbone: OnnxBackbone) -> None:
    features = backbone.run(noise(3))
    assert features.embedding.shape == (3, backbone.embedding_dim)
    assert features.embedding.dtype == np.float32
    assert (features.feature_map is None) == (backbone.card.feature_map_channels is None)
    if features.feature_map is not None:
        assert features.feature_map.dtype == np.float32
        assert features.feature_map.ndim == 4
        assert len(features.feature_map) == 3


def test_feature_map_mean_is_its_slice_of_the_embedding(backbone: OnnxBackbone) -> None:
    if backbone.card.feature_map_channels is None:
        pytest.skip("has no feature map")
    start, stop = backbone.card.feature_map_channels
    features = backbone.run(noise(2, 64, 72))
    assert features.feature_map is not None
    np.testing.assert_allclose(features.feature_map.mean(axis=(2, 3)), features.embedding[:, start:stop], atol=1e-5)


def test_same_pixels_give_same_bits(backbone: OnnxBackbone) -> None:
    again = OnnxBackbone.open(backbone.onnx_bytes())
    assert again.sha256 == backbone.sha256
    first, second, third = (one.run(noise(2)).embedding for one in (backbone, backbone, again))
    assert first.tobytes() == second.tobytes() == third.tobytes()


def test_company_in_the_batch_does_not_matter(backbone: OnnxBackbone) -> None:
    batch = noise(5)
    alone = np.concatenate([backbone.run(batch[row : row + 1]).embedding for row in range(5)])
    np.testing.assert_allclose(backbone.run(batch).embedding, alone, atol=1e-5, rtol=1e-5)


def test_images_differ(backbone: OnnxBackbone) -> None:
    embedding = backbone.run(noise(2)).embedding
    assert np.abs(embedding[0] - embedding[1]).max() > 1e-4


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (57, 101), (128, 128), (224, 160)])
def test_any_size(backbone: OnnxBackbone, size: tuple[int, int]) -> None:
    assert backbone.run(noise(1, *size)).embedding.shape == (1, backbone.embedding_dim)


@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_flat_images_give_finite_numbers(backbone: OnnxBackbone, value: int) -> None:
    features = backbone.run(np.full((2, 40, 48, 3), value, np.uint8))
    assert np.isfinite(features.embedding).all()
    assert features.feature_map is None or np.isfinite(features.feature_map).all()


def test_strided_views_are_read_right(backbone: OnnxBackbone) -> None:
    batch = noise(2, 80, 96)
    view = batch[:, ::2, ::2]
    np.testing.assert_array_equal(backbone.run(view).embedding, backbone.run(view.copy()).embedding)


def test_several_threads_may_run_at_once(backbone: OnnxBackbone) -> None:
    batches = [noise(1 + seed % 3, seed=seed) for seed in range(12)]
    expected = [backbone.run(batch).embedding for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: backbone.run(batch).embedding, batches))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_more_threads_give_the_same_features(backbone: OnnxBackbone) -> None:
    two = backbone.with_threads(2)
    assert two.threads == 2
    np.testing.assert_allclose(two.run(noise(2)).embedding, backbone.run(noise(2)).embedding, atol=1e-5, rtol=1e-5)
