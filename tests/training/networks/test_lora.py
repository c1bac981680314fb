"""Adapters: nothing changes at first, only they learn, and folded in they say the same."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")

from tellapart.backbones.onnx import OnnxBackbone  # noqa: E402
from tellapart.backbones.torch_libraries import load_timm  # noqa: E402
from tellapart.errors import MissingExtra  # noqa: E402
from tellapart.settings.recipe import Finetune, Lora  # noqa: E402
from tellapart.training.networks.build import build_network  # noqa: E402
from tellapart.training.networks.export import canonical_bytes  # noqa: E402
from tellapart.training.networks.lora import Adapted, merge_lora  # noqa: E402
from tellapart.training.networks.network import Network  # noqa: E402
from tellapart.training.networks.tuning import choose_trainable, parameter_groups  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _timm() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries of others warn while they are imported
        try:
            load_timm()
        except MissingExtra:
            pytest.skip("timm is not installed (extra `train`)")


def net(name: str = "timm/test_vit") -> Network:
    return build_network(name, n_classes=2, size=32, start="scratch").eval()


def pixels(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def learned(name: str = "timm/test_vit") -> Network:
    """Adapters after some steps."""
    network = net(name)
    choose_trainable(network, Finetune(tune="lora", lora=Lora(rank=2, alpha=8)))
    optimizer = torch.optim.SGD(parameter_groups(network, 0.5, 0.0))
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(network.train()(pixels(4)), torch.tensor([0, 1, 0, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def test_nothing_changes_at_first() -> None:
    network = net()
    with torch.inference_mode():
        expected = network(pixels())
    choose_trainable(network, Finetune(tune="lora"))
    assert (
        sum(isinstance(module, Adapted) for module in network.modules()) == 4 * 6
    )  # qkv, proj, fc1, fc2 in six blocks
    with torch.inference_mode():
        torch.testing.assert_close(network(pixels()), expected)


def test_only_adapters_and_head_learn() -> None:
    before, after = net().state_dict(), learned()
    learning = {name.rpartition(".")[2] for name, one in after.named_parameters() if one.requires_grad}
    assert learning == {"down", "up", "weight", "bias"}  # the last two are the head's
    merged = learned()
    merge_lora(merged)
    changed = {name for name, value in merged.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.rpartition(".")[2] for name in changed - {"head.bias"}} == {"weight"}
    assert {name.split(".")[-2] for name in changed} == {"qkv", "proj", "fc1", "fc2", "head"}


@pytest.mark.parametrize("name", ["timm/test_vit", "timm/test_vit2", "timm/test_convnext2"])
def test_folded_in_they_say_the_same(name: str) -> None:
    network = learned(name)
    with torch.inference_mode():
        plain, expected = net(name)(pixels()), network(pixels())
        merge_lora(network)
        found = network(pixels())
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(plain, expected, atol=1e-3)
    assert network.state_dict().keys() == net(name).state_dict().keys()


def test_the_exported_file_has_them_folded_in_and_the_network_keeps_them() -> None:
    network = learned()
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    features = OnnxBackbone.open(canonical_bytes(network, "x")).run(images)
    with torch.inference_mode():
        expected = network.embed(network.normalise(torch.from_numpy(images)))[0].numpy()
    np.testing.assert_allclose(features.embedding, expected, atol=1e-4 * np.abs(expected).max())
    assert any(name.endswith(".down") for name in network.state_dict())


def test_layers_that_read_the_weight_themselves_see_the_adapter() -> None:
    torch.manual_seed(0)
    layer = Adapted(torch.nn.Linear(4, 3), rank=2, alpha=4)
    torch.nn.init.normal_(layer.up)
    x = torch.randn(5, 4)
    torch.testing.assert_close(torch.nn.functional.linear(x, layer.weight, layer.bias), layer(x))
    torch.nn.functional.linear(x, layer.weight, layer.bias).sum().backward()
    assert layer.down.grad is not None


def test_frozen_normalisation_stays_as_it_is() -> None:
    """A network with convolutions in front of its transformer."""
    network = build_network("timm/mobilevit_xxs", n_classes=2, size=64, start="scratch").train()
    choose_trainable(network, Finetune(tune="lora"))
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)


def test_equal_seeds_give_equal_adapters() -> None:
    first, second, other = net(), net(), net()
    for network, seed in ((first, 1), (second, 1), (other, 2)):
        choose_trainable(network, Finetune(tune="lora"), seed)
    names = [name for name, _ in first.named_parameters() if name.endswith(".down")]
    assert all(torch.equal(first.get_parameter(name), second.get_parameter(name)) for name in names)
    assert not any(torch.equal(first.get_parameter(name), other.get_parameter(name)) for name in names)
