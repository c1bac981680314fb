"""A network of ours is the same after it was written and built again, and trains on from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tellapart.backbones.torch_libraries import load_timm  # noqa: E402

load_timm()

from tellapart.backbones.registry import load_backbone  # noqa: E402
from tellapart.errors import BackboneError, Reason, SettingsError  # noqa: E402
from tellapart.training.networks.build import Start, build_network, describe_network  # noqa: E402
from tellapart.training.networks.continued import continued, save_continued  # noqa: E402
from tellapart.training.networks.export import canonical_bytes  # noqa: E402
from tellapart.training.networks.network import Network  # noqa: E402


def written(name: str, size: int, folder: Path, *, start: Start = "scratch") -> tuple[Network, Path]:
    """A network, shaken so that no weight is what it was, and the file it was written to."""
    network = build_network(name, n_classes=2, size=size, start=start, seed=3)
    with torch.no_grad():
        for weight in network.body.parameters():
            weight.add_(0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    network.facts = replace(network.facts, source="a test")
    onnx = folder / "mine.onnx"
    save_continued(network, onnx, canonical_bytes(network, "mine"))
    return network.eval(), onnx


@pytest.mark.parametrize(
    ("name", "size"), [("builtin", 32), ("lenet", 32), ("timm/test_vit", 160), ("timm/test_resnet", 64)]
)
@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_what_was_written_is_built_again(name: str, size: int, suffix: str, tmp_path: Path) -> None:
    network, onnx = written(name, size, tmp_path)
    again = build_network(str(onnx.with_suffix(suffix)), n_classes=3, seed=9).eval()
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(network.embed(pixels)[0], again.embed(pixels)[0])
    assert replace(again.facts, name=name) == network.facts
    assert again.head.out_features == 3


def test_the_shipped_weights_without_normalisations_go_along(tmp_path: Path) -> None:
    network, onnx = written("builtin", 32, tmp_path, start="pretrained")
    again = build_network(str(onnx), n_classes=2)
    assert list(again.body.state_dict()) == list(network.body.state_dict())
    assert torch.equal(again.body.top.conv.weight, network.body.top.conv.weight)  # type: ignore[union-attr]


def test_the_canonical_file_gives_the_same_embeddings(tmp_path: Path) -> None:
    network, onnx = written("builtin", 32, tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    with torch.no_grad():
        wanted = network.embed(network.normalise(torch.from_numpy(images)))[0].numpy()
    backbone = load_backbone(onnx)
    assert np.abs(backbone.run(images).embedding - wanted).max() < 1e-3 * np.abs(wanted).max()
    assert (backbone.card.source, backbone.card.preprocess) == ("a test", "decode|upright|squash(32)")


def test_it_can_be_written_again_over_itself(tmp_path: Path) -> None:
    _, onnx = written("timm/test_resnet", 64, tmp_path)
    network = build_network(str(onnx), n_classes=2)
    save_continued(network, onnx, canonical_bytes(network, "mine"))
    found = continued(str(onnx))
    assert found is not None
    assert found.built_as == "timm/test_resnet"


def test_the_size_may_change_where_the_network_takes_any(tmp_path: Path) -> None:
    _, onnx = written("builtin", 32, tmp_path)
    facts = describe_network(str(onnx), size=48)
    assert (facts.size_px, facts.spec) == (48, "decode|upright|squash(48)")
    written("lenet", 32, tmp_path)
    with pytest.raises(SettingsError) as caught:
        describe_network(str(onnx), size=48)
    assert str(caught.value) == f"{onnx} takes images of 32 px only, got size 48; leave the size out"


def test_from_scratch_its_form_alone_counts(tmp_path: Path) -> None:
    network, onnx = written("lenet", 32, tmp_path)
    fresh = build_network(str(onnx), n_classes=2, start="scratch", seed=3)
    untouched = build_network("lenet", n_classes=2, size=32, start="scratch", seed=3)
    for found, wanted, other in zip(
        fresh.body.parameters(), untouched.body.parameters(), network.body.parameters(), strict=True
    ):
        assert torch.equal(found, wanted)
        assert not torch.equal(found, other)


def test_files_of_two_networks_are_refused(tmp_path: Path) -> None:
    _, onnx = written("lenet", 32, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, second = written("lenet", 24, other)
    second.with_suffix(".safetensors").replace(onnx.with_suffix(".safetensors"))
    with pytest.raises(BackboneError) as caught:
        build_network(str(onnx), n_classes=2)
    assert caught.value.reason is Reason.BACKBONE_INVALID
    assert str(caught.value) == (
        f"{onnx} and the weights beside it, mine.safetensors, are not of one network; name the weights to train them on"
    )


def test_other_files_are_not_taken_for_ours(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"no")
    (tmp_path / "alone.onnx").write_bytes(b"no")
    for name in ("builtin", "timm/resnet18", "foreign.safetensors", "damaged.safetensors", "alone.onnx", "gone.onnx"):
        assert continued(str(tmp_path / name) if "." in name else name) is None


def test_stochastic_depth_needs_a_network_that_has_it(tmp_path: Path) -> None:
    _, onnx = written("lenet", 32, tmp_path)
    with pytest.raises(SettingsError, match="has no stochastic depth"):
        build_network(str(onnx), n_classes=2, drop_path=0.1)
