"""What learns, what stays, and how fast."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `train`)")

from tellapart.errors import SettingsError  # noqa: E402
from tellapart.settings.recipe import Finetune  # noqa: E402
from tellapart.training.networks.build import build_network  # noqa: E402
from tellapart.training.networks.network import Network  # noqa: E402
from tellapart.training.networks.tuning import choose_trainable, parameter_groups, unfreeze_all  # noqa: E402


def net(**options: Any) -> Network:
    network = build_network("builtin", n_classes=2, size=32, start="scratch")
    choose_trainable(network, Finetune(**options))
    return network


def learning(network: Network) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def moved(network: Network) -> set[str]:
    """Everything that a step of training changes, statistics included."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(parameter_groups(network, 0.1, 0.05))
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    loss = torch.nn.functional.cross_entropy(network.train()(pixels), torch.tensor([0, 1, 0, 1]))
    loss.backward()
    optimizer.step()
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


def test_every_parameter_of_the_body_is_in_one_stage() -> None:
    network = net()
    names = [name for stage in network.body.stage_names() for name in stage]
    assert sorted(names) == sorted(name for name, _ in network.body.named_parameters())
    assert len(network.stages) == 4


@pytest.mark.parametrize("tune", ["head", "head_then_all"])
def test_only_the_head_moves(tune: str) -> None:
    assert moved(net(tune=tune)) == {"head.weight", "head.bias"}


def test_only_the_last_stages_move_with_their_statistics() -> None:
    changed = moved(net(tune="last_stages", stages=1))
    assert {
        "head.weight",
        "body.top.conv.weight",
        "body.top.norm.running_mean",
        "body.late.2.first.norm.running_var",
    } <= changed
    assert not {name for name in changed if name.startswith(("body.early.", "body.late.0.", "body.late.1."))}


def test_more_stages_than_there_are_is_all() -> None:
    network = net(tune="last_stages", stages=99)
    assert learning(network) == learning(net(tune="full")) == {name for name, _ in network.named_parameters()}


def test_frozen_normalisation_stays_as_it_is_until_all_learn() -> None:
    network = net(tune="head_then_all").train()
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert not any(norm.training for norm in norms)
    unfreeze_all(network)
    assert all(norm.training for norm in norms)
    assert {"body.early.0.conv.weight", "body.early.0.norm.running_mean"} <= moved(network)


def test_adapters_need_a_transformer() -> None:
    with pytest.raises(SettingsError) as caught:
        net(tune="lora")
    assert str(caught.value) == (
        "builtin has no attention or MLP layers that adapters fit beside: finetune.tune: lora is for transformers "
        "(timm/vit_…, timm/swin_…); choose full or last_stages"
    )


def test_stages_nearer_to_the_image_learn_more_slowly_and_biases_do_not_decay() -> None:
    network = net()
    groups = parameter_groups(network, 0.1, 0.05, layer_decay=0.5)
    of = {id(parameter): group for group in groups for parameter in group["params"]}
    assert len(of) == sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    named = {name: of[id(parameter)] for name, parameter in network.named_parameters()}
    rates = {name: group["lr"] for name, group in named.items()}
    assert rates["head.weight"] == rates["head.bias"] == pytest.approx(0.1)
    assert rates["body.top.conv.weight"] == pytest.approx(0.05)
    assert rates["body.early.0.conv.weight"] == pytest.approx(0.1 * 0.5**4)
    assert {name for name, group in named.items() if group["weight_decay"]} == {
        name for name, parameter in network.named_parameters() if parameter.ndim > 1
    }
    assert {group["weight_decay"] for group in groups} == {0.0, 0.05}


def test_what_is_frozen_is_in_no_group() -> None:
    network = net(tune="head")
    (bias, weight) = parameter_groups(network, 0.1, 0.05)
    assert weight["params"] == [network.head.weight]
    assert (bias["params"], bias["weight_decay"]) == ([network.head.bias], 0.0)
