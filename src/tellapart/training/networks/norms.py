"""Batch normalisation whose statistics were folded away gets statistics again, measured on images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


def measure_norms(body: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give every batch normalisation the mean and variance that it sees, and scale and shift that undo the change.

    In evaluation mode the body says what it said before; in training mode, where a batch's own statistics count, it now
    says nearly the same. `batches` are normalised float32 (n, 3, h, w); there must be at least one.
    """
    norms = [module for module in body.modules() if isinstance(module, nn.BatchNorm2d)]
    seen = [_Moments(norm) for norm in norms]
    handles = [norm.register_forward_pre_hook(moments) for norm, moments in zip(norms, seen, strict=True)]
    was_training = body.training
    body.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                body(batch)
    finally:
        body.train(was_training)
        for handle in handles:
            handle.remove()
    for norm, moments in zip(norms, seen, strict=True):
        _restate(norm, *moments.mean_and_variance())


class _Moments:
    """Sums over all places that a normalisation has seen."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        zeros = torch.zeros_like(norm.running_mean, dtype=torch.float64)
        self.count, self.total, self.squares = 0, zeros, zeros.clone()

    def __call__(self, _norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        values = inputs[0].double()
        self.count += values.numel() // values.shape[1]
        self.total += values.sum((0, 2, 3))
        self.squares += (values**2).sum((0, 2, 3))

    def mean_and_variance(self) -> tuple[Tensor, Tensor]:
        mean = self.total / self.count
        return mean, (self.squares / self.count - mean**2).clamp_min(0)


def _restate(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """The same affine map with other statistics."""
    old_scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    shift = norm.bias.double() - norm.running_mean.double() * old_scale
    with torch.no_grad():
        norm.weight.copy_(old_scale * (variance + norm.eps).sqrt())
        norm.bias.copy_(shift + mean * old_scale)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
