"""Which parts of a network learn, and at which rate."""

from __future__ import annotations

from typing import Any

from torch import nn

from tellapart.settings.recipe import Finetune
from tellapart.training.networks.lora import add_lora
from tellapart.training.networks.network import Network


def choose_trainable(network: Network, finetune: Finetune, seed: int = 0) -> None:
    """Freeze what shall not learn at the start, as `finetune.tune` says; the head always learns.

    `head_then_all` begins with the head alone: call `unfreeze_all` after `finetune.head_epochs` epochs.

    Raises:
        SettingsError: `bad_setting` for adapters in a network that has no place for them.
    """
    network.head.requires_grad_(True)
    if finetune.tune == "lora":
        add_lora(network, finetune.lora.rank, finetune.lora.alpha, seed)
    else:
        _freeze_all_but(network, {"full": len(network.stages), "last_stages": finetune.stages}.get(finetune.tune, 0))
    network.train(network.training)


def _freeze_all_but(network: Network, learning: int) -> None:
    """Let the last `learning` stages of the body learn; all of them where there are fewer."""
    network.body.requires_grad_(False)
    stages = network.stages
    for parameters in stages[max(0, len(stages) - learning) :]:
        for parameter in parameters:
            parameter.requires_grad_(True)


def unfreeze_all(network: Network) -> None:
    """Let everything learn; an optimiser made before does not know the parameters that join."""
    network.requires_grad_(True)
    network.train(network.training)


def parameter_groups(
    network: Network, lr: float, weight_decay: float, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """What learns, as groups for an optimiser, each with its `params`, `lr` and `weight_decay`.

    Biases, normalisations and what timm exempts have no decay. A stage learns at `layer_decay` times the rate of the
    next one nearer to the head; the head at `lr` (Clark et al., "ELECTRA", 2020; Bao et al., "BEiT", 2022).
    """
    last = len(network.stages)
    exempt = {f"body.{name}" for name in getattr(network.body, "undecayed", set)()}
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    stages = {name: stage for stage, names in enumerate(network.body.stage_names()) for name in names}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        stage = stages.get(name.removeprefix("body."), last)
        decays = parameter.ndim > 1 and name not in exempt
        group = groups.setdefault((stage, decays), _group(lr * layer_decay ** (last - stage), weight_decay, decays))
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]


def _group(lr: float, weight_decay: float, decays: bool) -> dict[str, Any]:
    params: list[nn.Parameter] = []
    return {"params": params, "lr": lr, "weight_decay": weight_decay if decays else 0.0}
