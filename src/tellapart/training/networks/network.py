"""A network that is trained: a body that makes embeddings, and a linear head that reads them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tellapart.training.networks.facts import NetworkFacts


class Body(nn.Module):
    """Normalised float32 (n, 3, h, w) → embedding (n, d) and a map (n, c, h', w'), or None where it has no places.

    Where there is a map, its mean over the places is found in c neighbouring columns of the embedding, from `map_start`.
    """

    map_start: int = 0

    def stage_names(self) -> list[list[str]]:
        """Names of the parameters, stage by stage, that nearest to the image first; each occurs once."""
        raise NotImplementedError


class Network(nn.Module):
    """A body and a head, with what is known of them (`facts`)."""

    def __init__(self, facts: NetworkFacts, body: Body, n_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.facts = facts
        self.body = body
        self.embedding_dim, self.map_channels = _widths(body, facts.size_px)
        # They move to a device with the network, but are no weights of it.
        self.register_buffer("_mean", torch.tensor(facts.mean) * 255, persistent=False)
        self.register_buffer("_std", torch.tensor(facts.std) * 255, persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.embedding_dim, n_classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self.facts.name

    @property
    def size_px(self) -> int:
        """Side of the images it is built for."""
        return self.facts.size_px

    @property
    def mean(self) -> tuple[float, float, float]:
        """Subtracted from pixels in 0..1, by channel (red, green, blue)."""
        return self.facts.mean

    @property
    def std(self) -> tuple[float, float, float]:
        """What pixels in 0..1 are divided by after `mean` is subtracted."""
        return self.facts.std

    @property
    def spec(self) -> str:
        """The preprocess string at `size_px`."""
        return self.facts.spec

    @property
    def licence(self) -> str:
        """Of the weights it started from."""
        return self.facts.licence

    @property
    def source(self) -> str:
        """Where the weights it started from come from."""
        return self.facts.source

    @property
    def stages(self) -> list[list[nn.Parameter]]:
        """The body's parameters, stage by stage, that nearest to the image first; the head is in none."""
        parameters = dict(self.body.named_parameters())
        return [[parameters[name] for name in names] for names in self.body.stage_names()]

    def embed(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map normalised float32 (n, 3, h, w) to embedding (n, d) and feature map (n, c, h', w') or None."""
        embedding, feature_map = self.body(pixels)
        return embedding, feature_map

    def forward(self, pixels: Tensor) -> Tensor:
        """Map normalised float32 (n, 3, h, w) to logits (n, k)."""
        logits: Tensor = self.head(self.dropout(self.embed(pixels)[0]))
        return logits

    def normalise(self, images: Tensor) -> Tensor:
        """Map uint8 (n, h, w, 3), on the network's device, to normalised float32 (n, 3, h, w), stored channels last."""
        return ((images.float() - self._mean) / self._std).permute(0, 3, 1, 2)

    def train(self, mode: bool = True) -> Network:
        """Switch to training (or back), but for normalisations whose parameters are frozen: their statistics stay."""
        super().train(mode)
        for module in self.modules():
            own = list(module.parameters(recurse=False))
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and own and not any(p.requires_grad for p in own):
                module.eval()
        return self


def _widths(body: Body, size_px: int) -> tuple[int, tuple[int, int] | None]:
    """Columns of the embedding, and which of them (start, stop) are the map's means."""
    was_training = body.training
    with torch.no_grad():
        embedding, feature_map = body.eval()(torch.zeros(1, 3, size_px, size_px))
    body.train(was_training)
    if feature_map is None:
        return embedding.shape[1], None
    return embedding.shape[1], (body.map_start, body.map_start + feature_map.shape[1])
