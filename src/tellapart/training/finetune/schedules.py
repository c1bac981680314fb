"""How the learning rate changes: a share of each group's highest rate, from the step alone, or for plateau from the metric too.

Schedules are `torch.optim.lr_scheduler.LambdaLR`, whose state is kept in its `state_dict` and is plain JSON, so that a resumed
training goes on at exactly the same rates. Call `step()` after every step of the optimiser; call `end_epoch` after every epoch.
"""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from tellapart.settings.recipe import Schedule

RISE = 0.3
"""Share of the steps in which one_cycle rises (Smith 2018 takes a little less than half, most a third)."""

START = 0.04
"""Where one_cycle begins, as a share of the highest rate."""

DROP, PATIENCE = 0.1, 3
"""Plateau: what the rate is multiplied by after so many epochs without a gain."""

LEAST_GAIN = 1e-4
"""Plateau: a smaller relative gain is none."""


def make_schedule(optimizer: Optimizer, schedule: Schedule, epochs: int, steps_per_epoch: int) -> LambdaLR:
    """The schedule of `epochs * steps_per_epoch` steps over an optimiser whose groups hold their highest rates."""
    return LambdaLR(optimizer, Rate(schedule, epochs * steps_per_epoch, schedule.warmup_epochs * steps_per_epoch))


def end_epoch(schedule: LambdaLR, loss: float) -> None:
    """Tell what the epoch ended with (lower is better), after its last `step`; only plateau listens."""
    rate = schedule.lr_lambdas[0]
    assert isinstance(rate, Rate)
    rate.end_epoch(loss)
    rates = [base * rate(schedule.last_epoch) for base in schedule.base_lrs]
    schedule._last_lr = rates  # what its state_dict holds
    _set(schedule, rates)


class Rate:
    """Share (0 to 1] of the highest rate at a step, counted from 0.

    The warm-up is linear and takes at most half of the steps. After it `cosine` falls to the floor until the end,
    `constant` stays, and `plateau` falls to a tenth after 3 epochs without a gain, never below the floor. `one_cycle` has a
    rise of its own: three tenths of the steps up, the rest down to the floor, both along a cosine.
    """

    def __init__(self, schedule: Schedule, steps: int, warmup: float) -> None:
        self.name, self.floor, self.steps = schedule.name, schedule.floor, steps
        self.warmup = min(round(warmup), steps // 2)
        self.drops, self.waited = 0, 0
        self.best: float | None = None

    def __call__(self, step: int) -> float:
        """The share at a step; after the last one it stays where it ended."""
        if self.name == "one_cycle":
            return self._one_cycle(step)
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        if self.name == "constant":
            return 1.0
        if self.name == "plateau":
            return max(self.floor, DROP**self.drops)
        return _between(1.0, self.floor, self._progress(step, self.warmup, self.steps))

    def end_epoch(self, loss: float) -> None:
        """Count the epochs without a gain; NaN is none."""
        if self.best is None or loss < self.best - LEAST_GAIN * abs(self.best):
            self.best, self.waited = (None if math.isnan(loss) else loss), 0
            return
        self.waited += 1
        if self.waited >= PATIENCE:
            self.drops, self.waited = self.drops + 1, 0

    def _one_cycle(self, step: int) -> float:
        top = round(RISE * (self.steps - 1))
        if step < top:
            return _between(START, 1.0, self._progress(step, 0, top))
        return _between(1.0, self.floor, self._progress(step, top, self.steps))

    @staticmethod
    def _progress(step: int, first: int, last: int) -> float:
        return min(1.0, (step - first) / max(1, last - first))


def _between(start: float, end: float, progress: float) -> float:
    """From start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def restored(schedule: LambdaLR, state: dict[str, Any]) -> None:
    """Put back a `state_dict` and the rates it stood at."""
    schedule.load_state_dict(dict(state))
    _set(schedule, schedule.get_last_lr())


def _set(schedule: LambdaLR, rates: list[float]) -> None:
    for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
