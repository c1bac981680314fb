"""LeNet-5 and AlexNet, for teaching and small images. They are trained from scratch: no weights of theirs are offered.

LeCun et al., "Gradient-based learning applied to document recognition" (1998), in colour, with ReLU and maxima where the
paper has sigmoids and sums; Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014), the form
of AlexNet with one column, as torchvision has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tellapart.training.networks.facts import NetworkFacts
from tellapart.training.networks.network import Body


class ClassicBody(Body):
    """Convolutions, then fully connected layers on all places of their last map: the image's size is fixed."""

    def __init__(self, convolutions: nn.Sequential, connected: list[int], size_px: int, dropout: float) -> None:
        super().__init__()
        self.convolutions = convolutions
        with torch.no_grad():
            width = convolutions(torch.zeros(1, 3, size_px, size_px)).numel()
        layers: list[nn.Module] = []
        for n_in, n_out in zip([width, *connected[:-1]], connected, strict=True):
            layers += [nn.Dropout(dropout), nn.Linear(n_in, n_out), nn.ReLU()]
        self.connected = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Map (n, 3, size, size) to (n, d): a fully connected layer knows no places, so there is no map."""
        return self.connected(self.convolutions(x).flatten(1)), None

    def stage_names(self) -> list[list[str]]:
        """Each layer with weights is a stage."""
        stages: dict[str, list[str]] = {}
        for name, _ in self.named_parameters():
            stages.setdefault(name.rpartition(".")[0], []).append(name)
        return list(stages.values())


def _lenet(size_px: int) -> ClassicBody:
    layers = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    return ClassicBody(nn.Sequential(*layers), [120, 84], size_px, dropout=0.0)


def _alexnet(size_px: int) -> ClassicBody:
    layers = [
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    ]  # fmt: skip
    return ClassicBody(nn.Sequential(*layers), [4096, 4096], size_px, dropout=0.5)


@dataclass(frozen=True, slots=True)
class _Classic:
    build: Callable[[int], ClassicBody]
    own_size_px: int
    smallest_px: int


CLASSIC = {"lenet": _Classic(_lenet, 32, 16), "alexnet": _Classic(_alexnet, 224, 63)}
"""By name."""


def classic_body(name: str, size_px: int) -> ClassicBody:
    """A body with fresh weights."""
    return CLASSIC[name].build(size_px)


def classic_facts(name: str, size: int | None) -> NetworkFacts:
    """What is known of it at a size in pixels (None: its own)."""
    one = CLASSIC[name]
    size_px = size or one.own_size_px
    return NetworkFacts(
        name=name,
        licence="Apache-2.0",
        source="scratch",
        spec=f"decode|upright|squash({size_px})",
        size_px=size_px,
        own_size_px=one.own_size_px,
        smallest_px=one.smallest_px,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        fixed=True,
    )
