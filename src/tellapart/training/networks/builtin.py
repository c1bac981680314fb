"""The torch twin of the shipped backbone `builtin`: the same network, weights read from its ONNX file.

The file holds convolutions into which batch normalisation was folded, and they are trained on as they are: normalisation
put back with statistics measured on the images was no better (CIFAR-10, 2,000 images, 4 epochs at 32 px: 59.6 to 59.9 % with
a bias, 59.4 to 60.0 % with normalisation), takes longer, and needs batches. From scratch there is normalisation.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.backbones.registry import BACKBONES
from tellapart.image.preprocess import PreprocessSpec
from tellapart.training.networks.facts import NetworkFacts
from tellapart.training.networks.network import Body

MEAN = (0.480, 0.448, 0.398)
STD = (0.277, 0.269, 0.282)
SMALLEST_PX = 16
"""The stride of its last map."""


class Layer(nn.Module):
    """Convolution, batch normalisation (or a bias in its stead), optional ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1, *, norm: bool, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=not norm)
        self.norm = nn.BatchNorm2d(n_out) if norm else nn.Identity()
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c', h / stride, w / stride)."""
        x = self.norm(self.conv(x))
        return torch.relu(x) if self.relu else x


class Residual(nn.Module):
    """Two 3x3 convolutions beside an identity; the last scale starts at zero, so depth costs nothing at first."""

    def __init__(self, width: int, *, norm: bool) -> None:
        super().__init__()
        self.first = Layer(width, width, 3, norm=norm)
        self.second = Layer(width, width, 3, norm=norm, relu=False)
        nn.init.zeros_(self.second.norm.weight if norm else self.second.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, c, h, w)."""
        return torch.relu(x + self.second(self.first(x)))


class BuiltinBody(Body):
    """Means of the last map (768), then spread and quarters of the two below it (192 and 64 channels): 2,048 columns."""

    def __init__(self, *, norm: bool = True) -> None:
        super().__init__()
        widths = [(3, 16), (16, 32), (32, 64)]
        down = [Layer(n_in, n_out, 3, 2, norm=norm) for n_in, n_out in widths]
        self.early = nn.Sequential(*down, Residual(64, norm=norm))
        wide = [Residual(192, norm=norm) for _ in range(2)]
        self.late = nn.Sequential(Layer(64, 192, 3, 2, norm=norm), *wide)
        self.top = Layer(192, 768, 1, norm=norm)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, 3, h, w) to (n, 2048) and (n, 768, h / 16, w / 16)."""
        early = self.early(x)
        late = self.late(early)
        top = self.top(late)
        parts = [top.mean((2, 3)), spread(late), quarters(late), spread(early), quarters(early)]
        return torch.cat(parts, 1), top

    def stage_names(self) -> list[list[str]]:
        """The stem, stride 8, and the two halves of stride 16."""
        stages = [("early.0.", "early.1."), ("early.2.", "early.3."), ("late.0.", "late.1."), ("late.2.", "top.")]
        names = [name for name, _ in self.named_parameters()]
        return [[name for name in names if name.startswith(stage)] for stage in stages]


def spread(x: Tensor) -> Tensor:
    """Standard deviation over all places (n, c)."""
    return (x.var((2, 3), correction=0) + 1e-8).sqrt()


def quarters(x: Tensor) -> Tensor:
    """Means of the four quarters (n, 4 · c), by slices: what exporters write for any size. As `backbones.pooling.quarters`."""
    height, width = x.shape[2], x.shape[3]
    rows, columns = ((slice(0, n - n // 2), slice(n // 2, n)) for n in (height, width))
    return torch.cat([x[:, :, row, column].mean((2, 3)) for row in rows for column in columns], 1)


def pretrained_builtin() -> BuiltinBody:
    """The body with the shipped weights; it gives what the shipped file gives."""
    body = BuiltinBody(norm=False)
    layers = [module.conv for module in body.modules() if isinstance(module, Layer)]
    with torch.no_grad():
        for conv, (weight, bias) in zip(layers, _folded_layers(), strict=True):
            conv.weight.copy_(torch.from_numpy(weight))
            conv.bias.copy_(torch.from_numpy(bias))
    return body


def _folded_layers() -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weight and bias of the shipped convolutions, from the image up."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(BACKBONES["builtin"]()).graph
    arrays = {one.name: numpy_helper.to_array(one).astype(np.float32) for one in graph.initializer}
    return [(arrays[node.input[1]], arrays[node.input[2]]) for node in graph.node if node.op_type == "Conv"]


def builtin_facts(size: int | None, *, pretrained: bool) -> NetworkFacts:
    """What is known of `builtin` at a size in pixels (None: its own)."""
    import onnx

    data = BACKBONES["builtin"]()
    properties = {entry.key: entry.value for entry in onnx.load_model_from_string(data).metadata_props}
    card = BackboneCard.from_json(properties[CARD_KEY])
    own = PreprocessSpec.parse(card.preprocess)
    return NetworkFacts(
        name="builtin",
        licence=card.licence,
        source=card.source if pretrained else "scratch",
        spec=str(own.at_size(size or own.size[0])),
        size_px=size or own.size[0],
        own_size_px=own.size[0],
        smallest_px=SMALLEST_PX,
        mean=MEAN,
        std=STD,
        origin_sha256=hashlib.sha256(data).hexdigest() if pretrained else "",
    )
