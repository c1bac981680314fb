"""Low-rank adapters beside the linear layers of a transformer (Hu et al., "LoRA", ICLR 2022).

W x + (alpha / rank) · B A x stands in for W x: A (rank, in) and B (out, rank) learn, W does not. B starts at zero, so
nothing changes at first.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.errors import Reason, SettingsError
from tellapart.training.networks.network import Network

ADAPTED = (
    "qkv",
    "q",
    "k",
    "v",
    "kv",
    "q_proj",
    "k_proj",
    "v_proj",
    "proj",
    "fc1",
    "fc2",
    "fc1_g",
    "fc1_x",
    "w12",
    "w3",
)
"""What timm calls the linear layers of attention and of the MLP behind it."""


class Adapted(nn.Module):
    """A linear layer with an adapter beside it."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Parameter(linear.weight.new_empty(rank, linear.in_features))
        self.up = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, in) to (…, out)."""
        beside = functional.linear(functional.linear(x, self.down), self.up)
        result: Tensor = self.linear(x) + self.scale * beside
        return result

    @property
    def weight(self) -> Tensor:
        """The weight (out, in) that does the same in one step: some layers of timm read it themselves (EVA, BEiT)."""
        return self.linear.weight + self.scale * (self.up @ self.down)

    @property
    def bias(self) -> Tensor | None:
        """Of the linear layer."""
        bias: Tensor | None = self.linear.bias
        return bias

    def merged(self) -> nn.Linear:
        """One linear layer that does the same."""
        with torch.no_grad():
            self.linear.weight.copy_(self.weight)
        return self.linear


def add_lora(network: Network, rank: int, alpha: float, seed: int = 0) -> int:
    """Freeze the body and put adapters beside its linear layers; how many layers got one.

    Raises:
        SettingsError: `bad_setting` for a network without such layers.
    """
    layers = _layers(network)
    if not layers:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"{network.name} has no attention or MLP layers that adapters fit beside: finetune.tune: lora is for "
            "transformers (timm/vit_…, timm/swin_…); choose full or last_stages",
        )
    network.body.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for name, layer in layers:
            _replace(network, name, Adapted(layer, rank, alpha))
    return len(layers)


def merge_lora(network: Network) -> None:
    """Fold the adapters into the weights; nothing happens to a network without any."""
    adapted = [(name, one) for name, one in network.body.named_modules() if isinstance(one, Adapted)]
    for name, one in adapted:
        _replace(network, name, one.merged())


def _layers(network: Network) -> list[tuple[str, nn.Linear]]:
    named = network.body.named_modules()
    return [(name, one) for name, one in named if isinstance(one, nn.Linear) and name.rpartition(".")[2] in ADAPTED]


def _replace(network: Network, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.body.get_submodule(parent), own, layer)
