"""Mixup and CutMix: each image of a batch together with another one, and the targets of both.

The targets are mixed as the pixels are, t = λ a + (1 - λ) b, also where images have several labels. The other way known
for those, the union 1 - (1 - a)(1 - b), calls a label present that is hardly to be seen, and makes every label more common
than it is: what the model says would no more be a probability. A convex combination keeps how common each label is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import torch

from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.presets import resolved

Mixer = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]


def make_mixer(augmentation: Augmentation, n_classes: int = 0, multilabel: bool = False) -> Mixer | None:  # noqa: ARG001
    """(images (n, 3, h, w), targets (n, k) float, seed) → the same, mixed, on their device; None where both are off.

    Images may be float or uint8. With both on, each batch draws one of them, either as likely (as timm does). The share λ
    is drawn per batch from Beta(α, α); CutMix takes the share of pixels that is really left. A batch of one image stays as
    it is. Whatever `n_classes` and `multilabel` say of the targets, the mixing is the same.
    """
    full = resolved(augmentation)
    ways = [(way, alpha) for way, alpha in ((_mixup, full.mixup), (_cutmix, full.cutmix)) if alpha]
    if not ways:
        return None

    def mix(images: torch.Tensor, targets: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        if len(images) < 2:
            return images, targets
        rng = Random(seed)
        way, alpha = rng.choice(ways)
        shift = rng.randrange(1, len(images))  # every image meets another one
        mixed, share = way(images, images.roll(shift, 0), rng.betavariate(alpha, alpha), rng)
        return mixed, targets * share + targets.roll(shift, 0) * (1 - share)

    return mix


def _mixup(images: torch.Tensor, others: torch.Tensor, share: float, _: Random) -> tuple[torch.Tensor, float]:
    """Zhang et al. 2018."""
    if images.is_floating_point():
        return others.lerp(images, share), share
    return (images * share + others * (1 - share)).round().to(images.dtype), share


def _cutmix(images: torch.Tensor, others: torch.Tensor, share: float, rng: Random) -> tuple[torch.Tensor, float]:
    """Yun et al. 2019: the box's centre lies anywhere, so it may reach over the edge."""
    height, width = images.shape[-2:]
    side = math.sqrt(1 - share)
    top, bottom = _span(height, side, rng)
    left, right = _span(width, side, rng)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def _span(length: int, share: float, rng: Random) -> tuple[int, int]:
    centre, half = rng.randrange(length), round(length * share) / 2
    return max(0, math.floor(centre - half)), min(length, math.floor(centre + half))
