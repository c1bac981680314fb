"""Networks that the exporter cannot write in every way: in one that it can, or with a sentence."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")

from tellapart.backbones.onnx import OnnxBackbone  # noqa: E402
from tellapart.errors import BackboneError, Reason  # noqa: E402
from tellapart.training.networks.export import canonical_bytes  # noqa: E402
from tellapart.training.networks.facts import NetworkFacts  # noqa: E402
from tellapart.training.networks.network import Body, Network  # noqa: E402


class Places(Body):
    """A map averaged onto 2×2 places: written only for a size whose map they divide."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 4, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.nn.functional.adaptive_avg_pool2d(self.conv(x), 2).flatten(1), None

    def stage_names(self) -> list[list[str]]:
        return [["conv.weight", "conv.bias"]]


def net(size_px: int) -> Network:
    torch.manual_seed(0)
    spec = f"decode|upright|squash({size_px})"
    facts = NetworkFacts("places", "mit", "a test", spec, size_px, 16, 8, (0.5,) * 3, (0.5,) * 3)
    return Network(facts, Places(), n_classes=2).eval()


def test_a_network_that_can_be_written_for_one_size_only_is_written_for_that() -> None:
    network = net(16)
    backbone = OnnxBackbone.open(canonical_bytes(network, "places, trained"))
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    with torch.inference_mode():
        expected = network.embed(network.normalise(torch.from_numpy(images)))[0].numpy()
    np.testing.assert_allclose(backbone.run(images).embedding, expected, atol=1e-5)
    with pytest.raises(BackboneError):
        backbone.run(np.zeros((1, 24, 16, 3), np.uint8))


def test_one_that_cannot_be_written_at_all_is_refused_without_a_dump(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BackboneError) as caught:
        canonical_bytes(net(20), "places, trained")
    assert caught.value.reason is Reason.BACKBONE_INVALID
    assert str(caught.value).startswith(
        "the network places, trained cannot be written as ONNX: Unsupported: ONNX export"
    )
    assert len(str(caught.value)) < 300
    assert capfd.readouterr() == ("", "")


def test_the_network_in_training_stays_as_it_is() -> None:
    network = net(16).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first, second = canonical_bytes(network, "x"), canonical_bytes(network, "x")
    assert first == second
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
