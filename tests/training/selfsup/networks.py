"""A network small enough to be pre-trained in a second."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tellapart.training.networks.facts import NetworkFacts
from tellapart.training.networks.network import Body, Network


class TinyBody(Body):
    """Images of any size → 8 columns, by one convolution with batch norm and one without."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.top = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        feature_map = self.top(self.stem(x))
        return feature_map.mean((2, 3)), feature_map

    def stage_names(self) -> list[list[str]]:
        names = [name for name, _ in self.named_parameters()]
        return [[name for name in names if name.startswith(stage)] for stage in ("stem", "top")]


FACTS = NetworkFacts(
    name="tiny",
    licence="Apache-2.0",
    source="a test",
    spec="decode|upright|squash(16)",
    size_px=16,
    own_size_px=16,
    smallest_px=8,
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
)


def tiny_network(seed: int = 0) -> Network:
    """The same weights for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(FACTS, TinyBody(), 2)
