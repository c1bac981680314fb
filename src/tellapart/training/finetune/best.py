"""After every epoch: how good the network is, whether it is the best so far, and whether to go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed
from torch.nn import functional

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.records import Task
from tellapart.training.finetune.images import TrainingBatches, ValidationBatches
from tellapart.training.finetune.job import OnEpoch
from tellapart.training.finetune.metrics import metric_name, validation_metrics
from tellapart.training.finetune.module import Learner
from tellapart.training.finetune.schedules import end_epoch
from tellapart.training.finetune.watching import Diverged, Tally

load_lightning()
from lightning.pytorch import Callback, Trainer  # noqa: E402

Row = dict[str, float | str | None]


@dataclass
class Standing:
    """What came of the epochs so far: a row for each, the best one's number and figures, and whether it was enough."""

    history: list[Row] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    stopped: bool = False

    def restore(self, state: dict[str, Any]) -> None:
        """As a checkpoint has it."""
        self.history, self.best, self.stopped = state["history"], state["best"], state["stopped"]


class Keeper(Callback):
    """Validates, writes the weights of the best epoch, and stops after `patience` epochs without a better one (0: never).

    Better is a higher metric, or an equal one with a lower loss. Comes before the averaging of weights among the callbacks,
    so that it sees the averaged ones. `told` receives every row of the history, once all of it is known; `on_epoch` hears
    of the metric after every epoch, and what it raises ends the training. `start` are the validation images of a network
    that knows its task before the first epoch: then its first weights are epoch 0, the one to beat.
    """

    def __init__(
        self,
        standing: Standing,
        tally: Tally,
        batches: TrainingBatches,
        save: Callable[[Learner], None],
        told: Callable[[list[Row]], None],
        *,
        task: Task,
        patience: int,
        start: ValidationBatches | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> None:
        self._standing, self._tally, self._batches, self._save, self._told = standing, tally, batches, save, told
        self._task, self._patience, self._start, self._on_epoch = task, patience, start, on_epoch
        self._validated: dict[str, float] = {}
        self._clock = _Clock()

    def state_dict(self) -> dict[str, Any]:
        """All of it, and the time spent in the epoch so far."""
        return {**asdict(self._standing), "clock": self._clock.state(self._batches)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on."""
        self._standing.restore(state_dict)
        self._clock.restore(state_dict["clock"])

    def on_train_start(self, trainer: Trainer, pl_module: Learner) -> None:
        """The clock of an epoch that is continued goes on; a training that begins learns what is to be beaten."""
        if self._start is not None and not self._standing.best:
            self._measure_start(trainer, pl_module, self._start)
        self._clock.go_on(self._batches)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Learner) -> None:
        """A new epoch."""
        self._clock.start(self._batches)
        self._validated = {}

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: Learner) -> None:
        """The training of the epoch is over."""
        self._clock.stop_training()
        pl_module.answers.clear()

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Learner) -> None:
        """Measure, and keep the weights if they are the best."""
        self._validated = self._measured(trainer, pl_module, f"after epoch {self._epoch(trainer, pl_module)}")
        schedules = trainer.lr_scheduler_configs
        end_epoch(schedules[0].scheduler, self._validated["val_loss"])
        self._keep(self._validated, self._epoch(trainer, pl_module), trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Learner) -> None:
        """Write the epoch down; stop where nothing is gained any more."""
        self._clock.stop_training()
        epoch = self._epoch(trainer, pl_module)
        timing = self._clock.row(self._tally.images, self._batches)
        standing = self._standing
        standing.history.append(
            {"epoch": epoch, "lr": _rate(trainer), "train_loss": self._tally.loss, **self._validated, **timing}
        )
        if trainer.is_global_zero:
            self._told(standing.history)
        if self._on_epoch is not None and self._validated:
            self._on_epoch(epoch, self._validated[metric_name(self._task)])
        # A phase in which more learns has its epochs before it, however long ago the best one of the phase before was.
        if standing.best and epoch - max(standing.best["epoch"], pl_module.first) >= self._patience > 0:
            standing.stopped = trainer.should_stop = True

    def _measure_start(self, trainer: Trainer, pl_module: Learner, images: ValidationBatches) -> None:
        pl_module.eval()
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            for number, batch in enumerate(images):
                pl_module.validation_step(trainer.strategy.batch_to_device(batch), number)
        pl_module.train()
        pl_module.network.train()
        self._keep(self._measured(trainer, pl_module, "before the first epoch"), 0, trainer, pl_module)

    def _measured(self, trainer: Trainer, pl_module: Learner, when: str) -> dict[str, float]:
        """Metrics of the answers that all processes gave; what was gathered is forgotten."""
        answers = _of_all(torch.cat(pl_module.answers)).cpu().numpy()
        pl_module.answers.clear()
        answers = answers[answers[:, -1] > 0]
        width = (answers.shape[1] - 1) // 2
        if not np.isfinite(answers).all():
            raise Diverged(f"on the validation images {when}", _rate(trainer))
        return validation_metrics(answers[:, :width], answers[:, width:-1], self._task)

    def _keep(self, measured: dict[str, float], epoch: int, trainer: Trainer, pl_module: Learner) -> None:
        found = {"metric": measured[metric_name(self._task)], "val_loss": measured["val_loss"]}
        standing = self._standing
        if not standing.best or _better(found, standing.best):
            standing.best = {"epoch": epoch, **found}
            if trainer.is_global_zero:
                self._save(pl_module)

    @staticmethod
    def _epoch(trainer: Trainer, module: Learner) -> int:
        """Counted from 1 over all phases."""
        return int(module.first + trainer.current_epoch + 1)


class _Clock:
    """Seconds of an epoch: all, those of the training alone, and those spent waiting for images."""

    def __init__(self) -> None:
        self._started, self._waited, self._training_s = time.perf_counter(), 0.0, -1.0
        self._before: dict[str, float] = {}

    def start(self, batches: TrainingBatches) -> None:
        self._started, self._waited, self._training_s = time.perf_counter(), batches.waited_s, -1.0
        self._before = {}

    def go_on(self, batches: TrainingBatches) -> None:
        before = self._before
        self.start(batches)
        self._started -= before.get("seconds", 0.0)
        self._waited -= before.get("waited", 0.0)

    def stop_training(self) -> None:
        if self._training_s < 0:
            self._training_s = time.perf_counter() - self._started

    def state(self, batches: TrainingBatches) -> dict[str, float]:
        return {"seconds": time.perf_counter() - self._started, "waited": batches.waited_s - self._waited}

    def restore(self, state: dict[str, float]) -> None:
        self._before = state

    def row(self, images: int, batches: TrainingBatches) -> Row:
        waited = batches.waited_s - self._waited
        return {
            "seconds": time.perf_counter() - self._started,
            "images_per_second": images / max(self._training_s, 1e-9),
            "images_per_second_without_loading": images / max(self._training_s - waited, 1e-9),
        }


def _of_all(rows: Tensor) -> Tensor:
    """The rows of all processes."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return rows
    lengths = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(distributed.get_world_size())]
    distributed.all_gather(lengths, torch.tensor([len(rows)], device=rows.device))
    padded = functional.pad(rows, (0, 0, 0, int(max(lengths)) - len(rows)))
    parts = [torch.empty_like(padded) for _ in lengths]
    distributed.all_gather(parts, padded)
    return torch.cat([part[: int(length)] for part, length in zip(parts, lengths, strict=True)])


def _better(found: dict[str, float], best: dict[str, float]) -> bool:
    return (found["metric"], -found["val_loss"]) > (best["metric"], -best["val_loss"])


def _rate(trainer: Trainer) -> float:
    return max(float(group["lr"]) for group in trainer.optimizers[0].param_groups)
