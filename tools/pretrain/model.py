"""The backbone: a slim residual network of dense 3x3 convolutions, total stride 16, fully convolutional.

Dense convolutions beat depthwise ones per second of training on a CPU with AVX2: they keep the matrix units busy
where a depthwise layer waits for memory (README.md has the figures).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

MEAN = (0.480, 0.448, 0.398)
STD = (0.277, 0.269, 0.282)


@dataclass(frozen=True, slots=True)
class Shape:
    """Channels of each stage; `depth8` and `depth16` count the residual blocks at stride 8 and 16."""

    stem: int = 16
    stride4: int = 32
    stride8: int = 64
    stride16: int = 192
    depth8: int = 1
    depth16: int = 2
    head: int = 768

    def to_dict(self) -> dict[str, int]:
        """Return the fields as a plain dictionary (for checkpoints)."""
        return asdict(self)


class ConvBn(nn.Module):
    """Convolution without bias, batch normalisation, optional ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1, *, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map `(n, c, h, w)` to `(n, c', h/stride, w/stride)`."""
        x = self.norm(self.conv(x))
        return torch.relu_(x) if self.relu else x

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the one convolution that equals this layer in evaluation mode."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weight = self.conv.weight.double() * scale[:, None, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * scale
        return weight.float().detach(), bias.float().detach()


class Residual(nn.Module):
    """Two 3x3 convolutions beside an identity; the last scale starts at zero, so depth costs nothing at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = ConvBn(width, width, 3)
        self.second = ConvBn(width, width, 3, relu=False)
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape `(n, c, h, w)`."""
        return torch.relu(x + self.second(self.first(x)))


class Backbone(nn.Module):
    """`(n, 3, h, w)` normalised image -> maps at stride 8 and at stride 16 (the feature map)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.early = nn.Sequential(
            ConvBn(3, shape.stem, 3, 2),
            ConvBn(shape.stem, shape.stride4, 3, 2),
            ConvBn(shape.stride4, shape.stride8, 3, 2),
            *[Residual(shape.stride8) for _ in range(shape.depth8)],
        )
        self.late = nn.Sequential(
            ConvBn(shape.stride8, shape.stride16, 3, 2),
            *[Residual(shape.stride16) for _ in range(shape.depth16)],
        )
        self.head = ConvBn(shape.stride16, shape.head, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps after `early` (stride 8), after `late` and after `head` (both stride 16)."""
        early = self.early(x)
        late = self.late(early)
        return early, late, self.head(late)


class Projector(nn.Sequential):
    """Linear, batch normalisation, ReLU, linear: what training bends to its own task, so that the embedding below
    stays general (Wang et al., "Revisiting the transferability of supervised pretraining", CVPR 2022)."""

    def __init__(self, n_in: int, hidden: int, n_out: int) -> None:
        super().__init__(
            nn.Linear(n_in, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, n_out)
        )


class Classifier(nn.Module):
    """The backbone with what only training needs: pooling and a linear layer, or a projector of `hidden` units."""

    def __init__(self, shape: Shape, n_classes: int, hidden: int = 0) -> None:
        super().__init__()
        self.backbone = Backbone(shape)
        self.top = Projector(shape.head, hidden, n_classes) if hidden else nn.Linear(shape.head, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `(n, n_classes)`."""
        logits: Tensor = self.top(self.backbone(x)[2].mean((2, 3)))
        return logits


class Twin(nn.Module):
    """The backbone with SimSiam's projector and predictor (Chen and He, CVPR 2021)."""

    def __init__(self, shape: Shape, hidden: int) -> None:
        super().__init__()
        self.backbone = Backbone(shape)
        self.top = Projector(shape.head, hidden, hidden)
        self.norm = nn.BatchNorm1d(hidden, affine=False)
        self.predictor = Projector(hidden, hidden // 4, hidden)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return prediction and target, both `(n, hidden)`; the target carries no gradient."""
        z = self.norm(self.top(self.backbone(x)[2].mean((2, 3))))
        return self.predictor(z), z.detach()


def normalise(images: Tensor) -> Tensor:
    """Map `uint8 (n, h, w, 3)` or the same as float 0..255 to normalised `float32 (n, 3, h, w)`, channels last."""
    mean = torch.tensor(MEAN, device=images.device) * 255
    std = torch.tensor(STD, device=images.device) * 255
    return ((images.float() - mean) / std).permute(0, 3, 1, 2)
