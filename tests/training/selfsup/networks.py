"""A network small enough to be pre-trained in a second, with what `training.networks.Network` promises."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TinyNetwork(nn.Module):
    """uint8 images of any size → 8 columns, by one convolution with batch norm."""

    name, licence, source = "tiny", "apache-2.0", "a test"
    size_px, embedding_dim = 16, 8
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    spec = "decode|upright|squash(16)"

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 2)
        self.stages = [self.stem]

    def embed(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        feature_map = self.stem(pixels)
        return feature_map.mean((2, 3)), feature_map

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(pixels)[0])
        return logits

    def normalise(self, pixels: Tensor) -> Tensor:
        return (pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
