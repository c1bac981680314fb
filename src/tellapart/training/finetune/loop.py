"""A job from its next step to its result: phases of Lightning's Trainer, each from the checkpoint where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.training.finetune.best import Keeper, Row, Standing
from tellapart.training.finetune.checkpoints import PLACE, SafetensorsIO, latest, read_checkpoint
from tellapart.training.finetune.crew import Crew, device_name, precision
from tellapart.training.finetune.images import TrainingBatches
from tellapart.training.finetune.job import Ended, Job, JobResult, OnEpoch, Progress, write_result
from tellapart.training.finetune.logs import Told, trackers, write_history
from tellapart.training.finetune.materials import Materials
from tellapart.training.finetune.metrics import metric_name
from tellapart.training.finetune.phases import Phase, phase_rate, phases
from tellapart.training.finetune.range_test import found_rate
from tellapart.training.finetune.watching import Diverged, Saver, Tally
from tellapart.training.networks.tuning import unfreeze_all
from tellapart.training.networks.weights import save_weights

load_lightning()
from lightning.pytorch import Trainer  # noqa: E402
from lightning.pytorch.callbacks import Callback, WeightAveraging  # noqa: E402

WEIGHTS = "weights.safetensors"
# To ask a GPU whether the loss is a number makes it wait; the CPU is asked always.
_CHECK_EVERY = {"cpu": 1, "cuda": 20}


@dataclass
class Training:
    """A job in this process. `accumulate` may be more than the recipe's, where memory did not suffice for that."""

    folder: Path
    job: Job
    crew: Crew
    progress: Progress
    accumulate: int
    checkpoint_s: float
    notes: list[str] = field(default_factory=list)
    on_epoch: OnEpoch | None = None

    def run(self) -> JobResult:
        """Train what is still to be trained.

        Raises:
            As `job.run_job`; besides them what torch raises when memory runs out.
        """
        ended: Ended = "complete"
        self._take_up()
        try:
            for phase in phases(self.job.finetune):
                if not self._over(phase):
                    self._fit(phase)
        except Diverged as exc:
            if not self._standing.best:
                raise
            ended = "diverged"
            kept = int(self._standing.best["epoch"])
            self.notes.append(f"{exc}. The weights of epoch {kept}, the best so far, are kept")
        if not self._standing.best and self.crew.leads:
            save_weights(self._made.network, self.folder / WEIGHTS)
        return self._result("no_gain" if self._standing.stopped else ended)

    def _take_up(self) -> None:
        """The checkpoint's standing and weights; a phase that it is within restores the rest itself."""
        self._standing, self._at = Standing(), None
        path = latest(self.folder)
        if path is None:
            return
        state = read_checkpoint(path)
        self._at = state[PLACE]
        self._standing.restore(state["callbacks"][Keeper.__qualname__])
        if self._at["phase"] and phases(self.job.finetune)[self._at["phase"]].all_learn:
            unfreeze_all(self._made.network)
        self._made.learning.load_state_dict(state["state_dict"])

    def _over(self, phase: Phase) -> bool:
        # By epochs: how many steps these have can change with the number of processes.
        return self._standing.stopped or len(self._standing.history) >= phase.end

    def _fit(self, phase: Phase) -> None:
        if phase.all_learn:
            unfreeze_all(self._made.network)
        checkpoint = latest(self.folder) if self._at is not None and self._at["phase"] == phase.number else None
        batches, rate = self._made.training(phase), self._rate(phase)
        trainer = self._trainer(phase, batches)
        learner = self._made.learner(phase, rate)
        trainer.fit(learner, batches, self._made.validation, ckpt_path=None if checkpoint is None else str(checkpoint))
        self._at = None

    def _trainer(self, phase: Phase, batches: TrainingBatches) -> Trainer:
        finetune = self.job.finetune
        options = self.crew.trainer_options(finetune, self.folder)
        return Trainer(
            **options | {"plugins": [SafetensorsIO(), *options["plugins"]]},
            callbacks=self._callbacks(phase, batches),
            max_epochs=phase.epochs,
            accumulate_grad_batches=self.accumulate,
            gradient_clip_val=finetune.optimizer.clip_norm or None,
            limit_val_batches=None if self.job.n_val else 0,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    def _callbacks(self, phase: Phase, batches: TrainingBatches) -> list[Callback]:
        finetune = self.job.finetune
        every = _CHECK_EVERY["cuda" if self._made.share.pin else "cpu"]
        tally = Tally(self.progress, check_every=every, interval_s=self.checkpoint_s)
        last = phase.end == finetune.epochs
        keeper = Keeper(
            self._standing, tally, batches, lambda learner: save_weights(learner.network, self.folder / WEIGHTS), self._tell,
            task=self.job.task, patience=finetune.patience if last else 0, start=self._made.start_to_beat,
            on_epoch=self.on_epoch,
        )  # fmt: skip
        average = [WeightAveraging(avg_fn=warm_average(finetune.ema))] if finetune.ema else []
        return [tally, keeper, *average, Saver(self.folder, tally)]

    def _tell(self, rows: list[Row]) -> None:
        write_history(self.folder, rows)
        for tracker in self._trackers:
            tracker(rows)

    def _result(self, ended: Ended) -> JobResult:
        rows, best = self._standing.history, self._standing.best
        spent = {name: _mean(rows, name) for name in ("images_per_second", "images_per_second_without_loading")}
        parameters = list(self._made.network.parameters())
        result = JobResult(
            best_epoch=int(best.get("epoch", len(rows))),
            epochs=len(rows),
            metric_name=metric_name(self.job.task),
            metric=best.get("metric"),
            val_loss=best.get("val_loss"),
            seconds=sum(float(row["seconds"] or 0) for row in rows),
            ended=ended,
            device=device_name(),
            precision=precision(self.job.finetune),
            parameters=sum(p.numel() for p in parameters),
            trained_parameters=sum(p.numel() for p in parameters if p.requires_grad),
            notes=tuple(self.notes),
            history=tuple(rows),
            **spent,
        )
        if self.crew.leads:
            write_result(self.folder, result)
        return result

    def _rate(self, phase: Phase) -> float:
        if self.job.finetune.optimizer.lr != "find":
            return phase_rate(self.job.finetune, phase)
        found, note = found_rate(self._made, phase)
        self.notes += [note] if note not in self.notes else []
        return found

    @cached_property
    def _made(self) -> Materials:
        return Materials(self.folder, self.job, self.crew, self.accumulate)

    @cached_property
    def _trackers(self) -> list[Told]:
        return trackers(self.folder, self.job) if self.crew.leads else []


def warm_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """The moving average of weights; its decay grows with the steps, (1 + t) / (10 + t) at most, so that a short training's
    average does not hang on to the first weights."""

    def average(averaged: Tensor, current: Tensor, seen: Tensor | int) -> Tensor:
        count = float(seen)
        share = min(decay, (1 + count) / (10 + count))
        return averaged.lerp(current.to(averaged.dtype), 1 - share) if averaged.is_floating_point() else current

    return average


def _mean(rows: list[Row], name: str) -> float:
    """Over all but the first epoch, in which files and memory warm up, where there is another one."""
    values = [float(row[name] or 0) for row in rows]
    return float(np.mean(values[1:] or values)) if values else 0.0
