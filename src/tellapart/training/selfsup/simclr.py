"""SimCLR (T. Chen et al., "A simple framework for contrastive learning of visual representations", ICML 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.settings.pretraining import Pretraining

if TYPE_CHECKING:
    from tellapart.training.networks.network import Network


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """The normalised temperature-scaled cross-entropy of n pairs (eq. 1 of the paper), a scalar.

    `first` and `second` are float (n, d): row i of both shows image i. Each of the 2n rows shall find its partner
    among the 2n - 1 others by cosine similarity.
    """
    both = functional.normalize(torch.cat([first, second]).float(), dim=1)
    itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
    similarity = (both @ both.T / temperature).masked_fill(itself, float("-inf"))
    partner = torch.arange(len(both), device=both.device).roll(len(first))
    return functional.cross_entropy(similarity, partner)


def projection_head(dim: int, columns: int) -> nn.Module:
    """What is compared: (n, dim) → (n, columns) by two layers, thrown away afterwards (section 4.2 of the paper)."""
    return nn.Sequential(
        nn.Linear(dim, dim, bias=False),
        nn.BatchNorm1d(dim),
        nn.ReLU(inplace=True),
        nn.Linear(dim, columns, bias=False),
        nn.BatchNorm1d(columns),
    )


class SimClrMethod(nn.Module):
    """A network with its projection head."""

    n_global, n_local = 2, 0

    def __init__(self, network: Network, options: Pretraining) -> None:
        super().__init__()
        self.network = network
        self.projection = projection_head(network.embedding_dim, options.simclr.projection)
        self._temperature = options.simclr.temperature

    @property
    def result(self) -> Network:
        """The network that is kept."""
        return self.network

    def heads(self) -> list[nn.Parameter]:
        """What is trained beside the network."""
        return list(self.projection.parameters())

    def project(self, pixels: Tensor) -> Tensor:
        """What is compared: normalised pixels (n, 3, h, w) → (n, columns)."""
        projected: Tensor = self.projection(self.network.embed(pixels)[0])
        return projected

    def loss(self, views: Sequence[Tensor], epoch: int) -> Tensor:  # noqa: ARG002 (DINO's needs it)
        """NT-Xent of two views, each normalised pixels (n, 3, h, w)."""
        first, second = self.project(torch.cat([views[0], views[1]])).chunk(2)
        return nt_xent(first, second, self._temperature)

    def after_step(self, progress: float) -> None:
        """Nothing but the optimiser moves here."""
