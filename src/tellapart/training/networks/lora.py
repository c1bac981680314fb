"""Low-rank adapters beside the linear layers of a transformer (Hu et al., "LoRA", ICLR 2022).

W + (alpha / rank) · B A stands in for W: A (rank, in) and B (out, rank) learn, W does not. B starts at zero, so nothing
changes at first. Written as a parametrisation of torch, so that layers which read `weight` themselves see it as well.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

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


class LowRank(nn.Module):
    """A weight (out, in) plus a product of two narrow matrices."""

    def __init__(self, n_out: int, n_in: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, n_in))
        self.up = nn.Parameter(torch.zeros(n_out, rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Map the frozen weight (out, in) to the one in use."""
        return weight + self.scale * (self.up @ self.down)


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
        for layer in layers:
            adapter = LowRank(layer.out_features, layer.in_features, rank, alpha).to(layer.weight)
            parametrize.register_parametrization(layer, "weight", adapter)
    return len(layers)


def merge_lora(network: Network) -> None:
    """Fold the adapters into the weights; nothing happens to a network without any."""
    adapted = [
        (name, layer)
        for name, layer in network.body.named_modules()
        if isinstance(layer, nn.Linear) and parametrize.is_parametrized(layer, "weight")
    ]
    for name, layer in adapted:
        parent, _, own = name.rpartition(".")
        setattr(network.body.get_submodule(parent), own, _plain(layer))


def _plain(layer: nn.Linear) -> nn.Linear:
    """A new layer: `remove_parametrizations` changes the class, which copies of the network share."""
    device, dtype = layer.weight.device, layer.weight.dtype
    has_bias = layer.bias is not None
    plain = nn.utils.skip_init(
        nn.Linear, layer.in_features, layer.out_features, bias=has_bias, device=device, dtype=dtype
    )
    with torch.no_grad():
        plain.weight.copy_(layer.weight)
        if has_bias:
            plain.bias.copy_(layer.bias)
    plain.train(layer.training)
    return plain


def _layers(network: Network) -> list[nn.Linear]:
    named = network.body.named_modules()
    return [one for name, one in named if isinstance(one, nn.Linear) and name.rpartition(".")[2] in ADAPTED]
