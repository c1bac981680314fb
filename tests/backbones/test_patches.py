"""Networks cut where places can still be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders_nets import transformer_net
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.convert import convert
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.patches import patch_network
from tellapart.backbones.registry import BACKBONES
from tellapart.backbones.source_card import SourceCard
from tellapart.errors import BackboneError


def images(side: int, n: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)


def test_the_built_in_network_gives_a_grid_of_patches() -> None:
    made = patch_network(BACKBONES["builtin"](), "decode|upright|squash(64)")
    assert (made.rows, made.columns, made.channels) == (4, 4, 96)
    assert patch_network(BACKBONES["builtin"](), "decode|upright|squash(64)").data == made.data
    backbone = OnnxBackbone.open(made.data)
    assert (backbone.name, backbone.embedding_dim, backbone.default_spec) == (
        "builtin-patches", 4 * 4 * 96, "decode|upright|squash(64)",
    )  # fmt: skip
    features = backbone.run(images(64))
    assert features.embedding.shape == (2, 4 * 4 * 96)
    lengths = np.linalg.norm(features.embedding.reshape(-1, 96), axis=1)
    assert 0.6 < lengths.min() < lengths.max() < 1.5  # a random projection keeps the length 1 on average
    np.testing.assert_allclose(backbone.run(images(64)[1:]).embedding, features.embedding[1:], atol=1e-5)


def test_a_patch_follows_what_its_place_shows() -> None:
    backbone = OnnxBackbone.open(patch_network(BACKBONES["builtin"](), "decode|upright|squash(128)").data)
    plain = np.full((1, 128, 128, 3), 120, np.uint8)
    spotted = plain.copy()
    spotted[0, 80:88, 16:24] = 255
    grids = [backbone.run(image).embedding.reshape(8, 8, 96) for image in (plain, spotted)]
    change = np.linalg.norm(grids[0] - grids[1], axis=2)
    assert np.abs(np.array(np.unravel_index(change.argmax(), (8, 8))) - [5, 1]).max() <= 1
    assert change[0, 7] < 0.2 * change.max()


def test_a_transformer_gives_its_tokens() -> None:
    spec = "decode|upright|squash(32)"
    card = SourceCard(name="vit", licence="Apache-2.0", source="test", size=(32, 32), preprocess=spec)
    made = patch_network(convert(transformer_net(), card).data, spec)
    assert made.rows == made.columns > 1
    assert OnnxBackbone.open(made.data).run(images(32)).embedding.shape[1] == made.rows**2 * made.channels


def test_networks_that_cannot_tell_places_apart_are_refused() -> None:
    with pytest.raises(
        BackboneError, match=r"^the backbone 'tiny' has no feature map, so it cannot tell where in an image"
    ):
        patch_network(tiny_backbone_bytes(feature_map=False), "decode|upright|squash(32)")
