"""`builtin` in torch is the shipped file, and goes back to a file that says the same."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")

from tellapart.backbones.onnx import OnnxBackbone  # noqa: E402
from tellapart.backbones.registry import load_backbone  # noqa: E402
from tellapart.training.networks.build import build_network  # noqa: E402
from tellapart.training.networks.export import canonical_bytes, head_arrays  # noqa: E402


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (*shape, 3), np.uint8)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 97, 131), (2, 17, 128)])
def test_the_twin_gives_what_the_shipped_file_gives(shape: tuple[int, ...]) -> None:
    network = build_network("builtin", n_classes=2).eval()
    images = pixels(*shape)
    expected = load_backbone("builtin").run(images)
    assert expected.feature_map is not None
    with torch.inference_mode():
        embedding, feature_map = network.embed(network.normalise(torch.from_numpy(images)))
    for ours, theirs in ((embedding, expected.embedding), (feature_map, expected.feature_map)):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4 * np.abs(theirs).max())


def test_the_twin_goes_back_to_an_equal_file() -> None:
    network = build_network("builtin", n_classes=3, size=64)
    backbone = OnnxBackbone.open(canonical_bytes(network, "builtin, fine-tuned", notes="a test"))
    shipped = load_backbone("builtin")
    assert backbone.card.preprocess == "decode|upright|squash(64)"
    assert (backbone.card.name, backbone.card.notes) == ("builtin, fine-tuned", "a test")
    assert (backbone.card.licence, backbone.card.source) == (shipped.card.licence, shipped.card.source)
    assert backbone.card.feature_map_channels == (0, 768)
    assert backbone.card.origin_sha256 == shipped.sha256
    images = pixels(2, 64, 80)
    expected, found = shipped.run(images), backbone.run(images)
    np.testing.assert_allclose(found.embedding, expected.embedding, atol=1e-4 * np.abs(expected.embedding).max())


def test_the_head_reads_the_embedding() -> None:
    network = build_network("builtin", n_classes=3, size=32, start="scratch", dropout=0.5).eval()
    images = pixels(4, 32, 32)
    features = OnnxBackbone.open(canonical_bytes(network, "x")).run(images)
    weight, bias = head_arrays(network)
    with torch.inference_mode():
        logits = network(network.normalise(torch.from_numpy(images))).numpy()
    assert (weight.shape, bias.shape) == ((2048, 3), (3,))
    np.testing.assert_allclose(features.embedding @ weight + bias, logits, atol=1e-4 * np.abs(logits).max())


def test_equal_seeds_give_equal_weights_and_leave_other_chance_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = (build_network("builtin", n_classes=2, start="scratch", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    pairs = list(zip(first.parameters(), second.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(one, two) for one, two, _ in pairs)
    assert not all(torch.equal(one, three) for one, _, three in pairs)
