"""Networks by name: what is built, what is said of it beforehand, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")

from tellapart.errors import BackboneError, SettingsError, TellapartError  # noqa: E402
from tellapart.image.preprocess import PreprocessSpec  # noqa: E402
from tellapart.training.networks.build import build_network, describe_network  # noqa: E402


@pytest.mark.parametrize(
    "name, size, own, width", [("lenet", None, 32, 84), ("lenet", 40, 32, 84), ("alexnet", 64, 224, 4096)]
)
def test_the_classic_networks_learn_from_scratch(name: str, size: int | None, own: int, width: int) -> None:
    network = build_network(name, n_classes=3, size=size, start="scratch").eval()
    facts = describe_network(name, size=size, start="scratch")
    assert network.facts == facts
    assert (network.embedding_dim, facts.own_size_px, facts.size_px) == (width, own, size or own)
    assert PreprocessSpec.parse(network.spec).size == (network.size_px, network.size_px)
    images = torch.zeros(2, network.size_px, network.size_px, 3, dtype=torch.uint8)
    assert network(network.normalise(images)).shape == (2, 3)


def test_pixels_are_normalised_by_channel() -> None:
    network = build_network("lenet", n_classes=2, start="scratch")
    pixels = network.normalise(torch.tensor([255, 0, 51], dtype=torch.uint8).expand(1, 4, 4, 3))
    expected = [(value - mean) / std for value, mean, std in zip((1, 0, 0.2), network.mean, network.std, strict=True)]
    assert pixels.shape == (1, 3, 4, 4)
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(pixels[0, :, 1, 2], torch.tensor(expected))


def test_dropout_acts_before_the_head_and_only_in_training() -> None:
    network = build_network("lenet", n_classes=2, start="scratch", dropout=0.9)
    pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    assert not torch.equal(network.train()(pixels), network(pixels))
    assert torch.equal(network.eval()(pixels), network(pixels))


@pytest.mark.parametrize(
    "name, options, sentence",
    [
        (
            "builtn",
            {},
            "there is no network 'builtn' to train; did you mean 'builtin'? (networks that learn: builtin, timm/NAME, a "
            "timm checkpoint x.safetensors with config.json, lenet, alexnet)",
        ),
        (
            "builtin-int8",
            {},
            "builtin-int8 cannot be trained further: it is no network in torch; networks that learn: builtin, timm/NAME, a "
            "timm checkpoint x.safetensors with config.json, lenet, alexnet",
        ),
        (
            "lenet",
            {},
            "there are no pretrained weights of lenet; train it from scratch (finetune.start: scratch)",
        ),
        (
            "alexnet",
            {"start": "scratch", "size": 32},
            "alexnet takes images of at least 63 px, got size 32; its own size is 224",
        ),
        (
            "lenet",
            {"start": "scratch", "drop_path": 0.1},
            "lenet has no stochastic depth: leave finetune.drop_path at 0, or use finetune.dropout",
        ),
        (
            "nowhere/net.safetensors",
            {},
            "the checkpoint 'nowhere/net.safetensors' cannot be used: there is no such file; timm's config.json (or "
            "net.json) must lie beside it",
        ),
    ],
)
def test_what_cannot_be_trained_is_said(name: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises((BackboneError, SettingsError)) as caught:
        build_network(name, n_classes=2, **options)
    assert str(caught.value) == sentence


def test_a_checkpoint_without_its_description_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"")
    with pytest.raises(TellapartError, match=r"its description is missing; timm's config\.json"):
        build_network(str(tmp_path / "net.safetensors"), n_classes=2)
