"""What Lightning trains: a network, its loss, and how both are moved."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.settings.recipe import Finetune
from tellapart.training.augmentation.mixing import Mixer
from tellapart.training.finetune.checkpoints import PLACE
from tellapart.training.finetune.distillation import DistillationLoss, soften
from tellapart.training.finetune.images import Batch
from tellapart.training.finetune.losses import TargetLoss
from tellapart.training.finetune.optimizers import make_optimizer
from tellapart.training.finetune.schedules import make_schedule
from tellapart.training.networks.network import Network
from tellapart.training.networks.tuning import parameter_groups

load_lightning()
from lightning.pytorch import LightningModule  # noqa: E402

# torch takes 64 bits of a seed that has more; by a prime all of them count.
_PRIME = (1 << 61) - 1


class Learner(LightningModule):
    """One phase of a training: the epochs `first` to `first + epochs`, `steps` of the optimiser each."""

    def __init__(
        self,
        network: Network,
        loss: TargetLoss | DistillationLoss,
        finetune: Finetune,
        *,
        lr: float,
        phase: int = 0,
        first: int = 0,
        epochs: int,
        steps: int,
        accumulate: int = 1,
        mixer: Mixer | None = None,
    ) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        self.finetune, self.lr = finetune, lr
        self.phase, self.first, self.epochs, self.steps, self.accumulate = phase, first, epochs, steps, accumulate
        self._mixer = mixer
        self.learned: tuple[Tensor, int] | None = None
        self.answers: list[Tensor] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch, by its weight."""
        loss = self.loss_of(batch)
        self.learned = loss.detach(), len(batch.targets)
        return loss * batch.weight

    def loss_of(self, batch: Batch) -> Tensor:
        """The mean loss of a batch. What is drawn in it (dropout, stochastic depth, mixing) follows from the batch's seed."""
        torch.manual_seed(batch.seed % _PRIME)
        pixels, targets, teacher = self._mixed(batch)
        logits, embeddings = self._answer(pixels)
        if isinstance(self.loss, DistillationLoss):
            return self.loss(logits, targets, cast(Tensor, teacher), embeddings)
        return self.loss(logits, targets, embeddings)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep logits, targets and whether they count, float32 (n, 2k + 1), for the end of the epoch."""
        logits = self.network(self.network.normalise(batch.pixels)).float()
        counts = torch.full((len(logits), 1), batch.weight, device=logits.device)
        self.answers.append(torch.cat([logits, batch.targets, counts], dim=1))

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimiser over the network's and the loss's parameters, and its schedule per step."""
        given = self.finetune.optimizer
        groups = parameter_groups(self.network, self.lr, given.weight_decay, given.layer_decay)
        own = [parameter for parameter in self.loss.parameters() if parameter.requires_grad]
        if own:
            groups.append({"params": own, "lr": self.lr, "weight_decay": given.weight_decay})
        optimizer = make_optimizer(groups, given, self.finetune.batch_size, start=self.finetune.start)
        schedule = make_schedule(optimizer, self.finetune.schedule, self.epochs, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note where in the whole training this is."""
        done = self.first * self.steps + checkpoint["global_step"]
        checkpoint[PLACE] = {"phase": self.phase, "steps": done, "accumulate": self.accumulate}

    def _mixed(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pixels, targets and the teacher's softened answers, mixed alike."""
        pixels, targets, teacher = self.network.normalise(batch.pixels), batch.targets, None
        if isinstance(self.loss, DistillationLoss) and batch.teacher is not None:
            teacher = soften(batch.teacher, self.loss.temperature, self.loss.task)
        if self._mixer is None:
            return pixels, targets, teacher
        if teacher is None:
            return *self._mixer(pixels, targets, batch.seed), None
        pixels, both = self._mixer(pixels, torch.cat([targets, teacher], dim=1), batch.seed)
        width = targets.shape[1]
        return pixels, both[:, :width], both[:, width:]

    def _answer(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        if not self.loss.needs_embedding:
            return self.network(pixels), None
        embedding, _ = self.network.embed(pixels)
        return self.network.head(self.network.dropout(embedding)), embedding
