"""What a training is made of, each part made once and from the job alone: images, batches, network, loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tellapart.backbones.store import Store
from tellapart.errors import Reason, TrainingError
from tellapart.records import Task
from tellapart.training.augmentation.mixing import make_mixer
from tellapart.training.finetune.crew import Crew
from tellapart.training.finetune.distillation import DistillationLoss
from tellapart.training.finetune.images import Examples, Share, TrainingBatches, ValidationBatches
from tellapart.training.finetune.job import HEAD, Job
from tellapart.training.finetune.losses import TargetLoss, make_loss
from tellapart.training.finetune.module import Learner
from tellapart.training.finetune.phases import Phase
from tellapart.training.finetune.samplers import EpochSampler
from tellapart.training.networks.build import build_network
from tellapart.training.networks.network import Network
from tellapart.training.networks.tuning import choose_trainable


@dataclass
class Materials:
    """Of the job in `folder`, for one process of `crew`; batches are computed in `accumulate` parts."""

    folder: Path
    job: Job
    crew: Crew
    accumulate: int

    @cached_property
    def examples(self) -> Examples:
        """Images and targets."""
        return Examples.of(self.folder, self.job)

    @cached_property
    def share(self) -> Share:
        """Which of the images this process takes."""
        return self.crew.share(self.job.finetune)

    @cached_property
    def sampler(self) -> EpochSampler:
        """The order of the images."""
        return EpochSampler(
            self.examples.targets[: self.job.n_train],
            self.job.finetune.sampler,
            batch_size=self.job.finetune.batch_size,
            seed=self.job.seed,
            parts=self.crew.world * self.accumulate,
        )

    def training(self, phase: Phase) -> TrainingBatches:
        """The batches of a phase."""
        return TrainingBatches(self.examples, self.sampler, self.share, accumulate=self.accumulate, first=phase.first)

    @cached_property
    def validation(self) -> ValidationBatches | None:
        """The validation images, None where there are none."""
        if not self.job.n_val:
            return None
        size = max(1, self.job.finetune.batch_size // (self.crew.world * self.accumulate))
        return ValidationBatches(self.examples, self.job.n_val, self.share, batch_size=size)

    @property
    def start_to_beat(self) -> ValidationBatches | None:
        """The validation images, where the network starts with a head that knows its task."""
        return self.validation if (self.folder / HEAD).exists() else None

    @cached_property
    def network(self) -> Network:
        """As it starts, in training mode."""
        job, finetune = self.job, self.job.finetune
        network = build_network(
            job.network,
            n_classes=job.n_classes,
            size=job.size,
            start=finetune.start,
            dropout=finetune.dropout,
            drop_path=finetune.drop_path,
            store=None if job.store is None else Store(job.store),
            seed=job.seed,
        )
        if (self.folder / HEAD).exists():
            _start_head(network, self.folder / HEAD)
        choose_trainable(network, finetune, job.seed)
        return network.train()

    @cached_property
    def loss(self) -> TargetLoss | DistillationLoss:
        """Of the labels, and of the teacher where there is one."""
        targets, finetune = self.examples.targets[: self.job.n_train], self.job.finetune
        plain = make_loss(
            finetune.loss,
            task=self.job.task,
            class_counts=np.rint(targets.sum(axis=0)).astype(np.int64),
            n=len(targets),
            embedding_dim=self.network.embedding_dim,
            seed=self.job.seed,
        )
        return plain if finetune.distillation is None else DistillationLoss(plain, finetune.distillation, self.job.task)

    @cached_property
    def learning(self) -> nn.ModuleDict:
        """All that learns, under the names that a checkpoint has."""
        return nn.ModuleDict({"network": self.network, "loss": self.loss})

    def learner(self, phase: Phase, lr: float) -> Learner:
        """What Lightning trains in a phase."""
        finetune, task = self.job.finetune, self.job.task
        return Learner(
            self.network,
            self.loss,
            finetune,
            lr=lr,
            phase=phase.number,
            first=phase.first,
            epochs=phase.epochs,
            steps=self.sampler.steps,
            accumulate=self.accumulate,
            mixer=make_mixer(finetune.augmentation, self.job.n_classes, task is Task.MULTILABEL),
        )


def _start_head(network: Network, path: Path) -> None:
    """Set the head to weight (d, k) and bias (k,) of a file.

    Raises:
        TrainingError: `job_damaged`.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            weight, bias = torch.from_numpy(found["weight"].T.copy()), torch.from_numpy(found["bias"].copy())
    except (OSError, ValueError, KeyError, EOFError) as exc:
        raise TrainingError(Reason.JOB_DAMAGED, f"{path} cannot be read ({exc}); start the training afresh") from exc
    head = network.head
    if weight.shape != head.weight.shape or bias.shape != head.bias.shape:
        message = f"{path} starts a head of {tuple(weight.T.shape)}, but {network.name} has one of {tuple(head.weight.T.shape)}"
        raise TrainingError(Reason.JOB_DAMAGED, message)
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
