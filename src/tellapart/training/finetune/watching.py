"""What goes on beside the learning: the loss is summed and watched, progress is told, checkpoints are written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.errors import Reason, TrainingError
from tellapart.training.finetune.checkpoints import WHOLE, WITHIN
from tellapart.training.finetune.images import Batch
from tellapart.training.finetune.job import Progress
from tellapart.training.finetune.module import Learner

load_lightning()
from lightning.pytorch import Callback, Trainer  # noqa: E402

STAGE = "training the network"


class Diverged(TrainingError):
    """The loss is no number any more."""

    def __init__(self, where: str, lr: float) -> None:
        message = (
            f"the loss became infinite or not a number {where}: the weights ran away. Train with a lower learning rate "
            f"(it was {lr:.2g} there; try a tenth of the optimizer's lr)"
        )
        super().__init__(Reason.DIVERGED, message)


class Tally(Callback):
    """Sums the training loss over the epoch and all processes, and stops a training whose loss is no number.

    To ask a GPU for a number makes it wait, so it is asked after every `check_every` batches. At that moment all processes
    also hear whether a checkpoint is `due`, `interval_s` after the last one, by the clock of the first.
    """

    def __init__(self, progress: Progress, *, check_every: int, interval_s: float) -> None:
        self._progress, self._every, self._interval_s = progress, check_every, interval_s
        self._recent: list[Tensor] = []
        self._sums = [0.0, 0.0]
        self._saved_at = time.monotonic()
        self.due = False

    @property
    def loss(self) -> float:
        """Mean over the images of the epoch so far."""
        return self._sums[0] / max(self._sums[1], 1.0)

    @property
    def images(self) -> int:
        """Images of the epoch so far, of all processes."""
        return int(self._sums[1])

    def saved(self) -> None:
        """A checkpoint was written."""
        self.due, self._saved_at = False, time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The sums, for a checkpoint within the epoch."""
        return {"sums": list(self._sums)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on summing."""
        self._sums = list(state_dict["sums"])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Learner) -> None:
        """A new sum; not called where an epoch is continued."""
        self._sums, self._recent = [0.0, 0.0], []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Learner, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Count a batch; look at the sums now and then."""
        assert pl_module.learned is not None
        loss, n = pl_module.learned
        late = trainer.is_global_zero and time.monotonic() - self._saved_at > self._interval_s
        counted = torch.tensor([n, late], dtype=torch.float32, device=loss.device)
        mine = torch.cat([(loss.float() * n).reshape(1), counted])
        self._recent.append(trainer.strategy.reduce(mine, reduce_op="sum") if trainer.world_size > 1 else mine)
        last = batch_idx + 1 == trainer.num_training_batches
        if last or (batch_idx + 1) % self._every == 0:
            self._look(trainer, pl_module, batch_idx)

    def _look(self, trainer: Trainer, module: Learner, batch_idx: int) -> None:
        rows = torch.stack(self._recent).double().cpu()
        self._recent = []
        bad = torch.nonzero(~torch.isfinite(rows[:, 0]))
        if len(bad):
            number = batch_idx + 1 - len(rows) + int(bad[0]) + 1
            raise Diverged(self._where(module, trainer, number), _rate(trainer))
        self._sums = [self._sums[0] + float(rows[:, 0].sum()), self._sums[1] + float(rows[:, 1].sum())]
        self.due = self.due or bool(rows[:, 2].any())
        batches = int(trainer.num_training_batches)
        done = (module.first + trainer.current_epoch) * batches + batch_idx + 1
        self._progress(STAGE, done, module.finetune.epochs * batches)

    @staticmethod
    def _where(module: Learner, trainer: Trainer, number: int) -> str:
        step = -(-number // module.accumulate)
        return f"in epoch {module.first + trainer.current_epoch + 1} at step {step} of {module.steps}"


class Saver(Callback):
    """Writes the checkpoints, after every epoch and where one is due. The last of all callbacks: what the others did at the
    same moment belongs to it."""

    def __init__(self, folder: Path, tally: Tally) -> None:
        self._folder, self._tally = folder, tally

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Learner, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Within an epoch, after a whole step of the optimiser."""
        done = batch_idx + 1
        if self._tally.due and done % pl_module.accumulate == 0 and done < trainer.num_training_batches:
            trainer.save_checkpoint(self._folder / WITHIN)
            self._tally.saved()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Learner) -> None:
        """After the epoch and its validation."""
        trainer.save_checkpoint(self._folder / WHOLE)
        if trainer.is_global_zero:
            (self._folder / WITHIN).unlink(missing_ok=True)
        self._tally.saved()


def _rate(trainer: Trainer) -> float:
    return max(float(group["lr"]) for group in trainer.optimizers[0].param_groups)
