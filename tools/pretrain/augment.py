"""Augmentation of a whole batch of tensors at once: one resampling for all geometry, one pass for all colour."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Return `float32 (n,)` drawn uniformly from [low, high)."""
    return torch.rand(n, generator=generator) * (high - low) + low


def affine(n: int, generator: torch.Generator, min_area: float, max_degrees: float) -> Tensor:
    """Random resized crop, flip and small rotation as `float32 (n, 2, 3)` for `affine_grid`."""
    side = uniform(n, min_area, 1.0, generator).sqrt()
    aspect = uniform(n, math.log(3 / 4) / 2, math.log(4 / 3) / 2, generator).exp()
    width, height = (side * aspect).clamp(max=1), (side / aspect).clamp(max=1)
    shift_x = (1 - width) * uniform(n, -1, 1, generator)
    shift_y = (1 - height) * uniform(n, -1, 1, generator)
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    angle = uniform(n, -max_degrees, max_degrees, generator) * math.pi / 180
    cos, sin = angle.cos(), angle.sin()
    rows = [width * cos * flip, -height * sin, shift_x, width * sin * flip, height * cos, shift_y]
    return torch.stack(rows, 1).view(n, 2, 3)


def jitter_colour(x: Tensor, generator: torch.Generator, strength: float, p_grey: float) -> Tensor:
    """Brightness, contrast, saturation, channel gains and occasional grey of `(n, 3, h, w)` in 0..255, in place."""
    n = x.shape[0]

    def factor(spread: float) -> Tensor:
        return uniform(n, 1 - spread, 1 + spread, generator).view(n, 1, 1, 1)

    grey = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    keep = torch.where(torch.rand(n, generator=generator) < p_grey, 0.0, 1.0).view(n, 1, 1, 1)
    x = torch.lerp(grey, x, factor(strength) * keep)
    centre = grey.mean((2, 3), keepdim=True)
    gain = factor(strength) * (1 + uniform(3 * n, -0.1, 0.1, generator).view(n, 3, 1, 1))
    return ((x - centre) * gain + centre * factor(strength)).clamp_(0, 255)


def coarsen(x: Tensor, generator: torch.Generator, p: float) -> Tensor:
    """Halve the resolution of a share `p` of `(n, 3, h, w)` and bring it back: enlarged small pictures look like this."""
    coarse = functional.interpolate(functional.avg_pool2d(x, 2), scale_factor=2, mode="bilinear", align_corners=False)
    chosen = torch.rand(x.shape[0], generator=generator) < p
    return torch.where(chosen.view(-1, 1, 1, 1), coarse, x)


def augment(
    images: Tensor, size: int, generator: torch.Generator, *, min_area: float = 0.35, strength: float = 0.3
) -> Tensor:
    """Map `uint8 (n, h, w, 3)` to an augmented `float32 (n, size, size, 3)` in 0..255."""
    n = images.shape[0]
    x = coarsen(images.permute(0, 3, 1, 2).float(), generator, p=0.25 if size > 48 else 0.0)
    matrices = affine(n, generator, min_area, max_degrees=10)
    grid = functional.affine_grid(matrices, [n, 3, size, size], align_corners=False)
    x = functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return jitter_colour(x, generator, strength, p_grey=0.1).permute(0, 2, 3, 1)
