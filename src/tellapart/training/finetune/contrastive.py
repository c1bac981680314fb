"""Supervised contrastive learning (Khosla et al. 2020) beside cross-entropy, so that one run ends with a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from tellapart.errors import Reason, SettingsError
from tellapart.settings.recipe import Loss
from tellapart.training.finetune.losses import TargetLoss

PROJECTION_DIM = 128


class SupervisedContrastive(TargetLoss):
    """(1 - contrast) · cross-entropy + contrast · the contrastive loss of projected embeddings (Gunel et al. 2021).

    The paper's two runs, first the network, then a classifier on it, become one: the head learns by cross-entropy while the
    embedding is drawn together within classes. The projection (d → d → 128, of unit length) belongs to the loss, learns with
    the network and is dropped afterwards. Each image is seen once per batch: its positives are the other images of its class,
    so batches want several images of each. Among several processes an image is compared with the images of all of them.
    """

    needs_embedding = True

    def __init__(self, loss: Loss, embedding_dim: int, seed: int) -> None:
        super().__init__(0.0)
        if embedding_dim < 1:
            message = f"supervised_contrastive needs a network with an embedding, got one of length {embedding_dim}"
            raise SettingsError(Reason.BAD_SETTING, message)
        self.temperature, self.contrast, self.label_smoothing = loss.temperature, loss.contrast, loss.smoothing
        self.projection = _projection(embedding_dim, seed)

    def forward(self, logits: Tensor, targets: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """The mean loss of a batch, a float32 scalar."""
        if embeddings is None:
            raise TypeError("supervised_contrastive is called with logits, targets and embeddings")
        return super().forward(logits, targets, embeddings)

    def of(self, logits: Tensor, targets: Tensor, embeddings: Tensor | None) -> Tensor:
        """Both parts; smoothing is for the cross-entropy alone: it would make every pair of images a positive one."""
        assert embeddings is not None
        plain = functional.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
        projected = functional.normalize(self.projection(embeddings), dim=1)
        together = contrastive(gathered(projected), gathered(targets), self.temperature)
        return (1 - self.contrast) * plain + self.contrast * together


def contrastive(projected: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Loss of unit vectors (n, p) whose pairs are positive by the overlap Σ target · target of (n, k), hard or soft.

    For hard targets this is L_out of Khosla et al. 2020, equation 2. Images without a positive (alone of their class, or alone
    in the batch) do not count; where none has one, the loss is 0.
    """
    itself = torch.eye(len(projected), dtype=torch.bool, device=projected.device)
    logits = (projected @ projected.T / temperature).masked_fill(itself, -torch.finfo(torch.float32).max)
    log_share = functional.log_softmax(logits, dim=1).masked_fill(itself, 0.0)
    positive = (targets @ targets.T).masked_fill(itself, 0.0)
    total = positive.sum(1)
    counted = (total > 0).float()
    each = -(positive * log_share).sum(1) / total.clamp(min=torch.finfo(torch.float32).tiny)
    return (each * counted).sum() / counted.sum().clamp(min=1.0)


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes, in their order, through which gradients flow back; the same rows where there is only one.

    Every process then computes the loss of the whole batch, and the mean of gradients that DDP takes is its gradient.
    """
    if not (distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1):
        return rows
    from torch.distributed.nn.functional import all_gather  # the one that gradients flow through

    lengths = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(distributed.get_world_size())]
    distributed.all_gather(lengths, torch.tensor([len(rows)], device=rows.device))
    longest = int(max(lengths))
    padded = functional.pad(rows, (0, 0, 0, longest - len(rows)))
    parts = all_gather(padded)
    return torch.cat([part[: int(length)] for part, length in zip(parts, lengths, strict=True)])


def _projection(dim: int, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, PROJECTION_DIM))
