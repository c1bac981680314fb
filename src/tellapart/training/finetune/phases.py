"""A training in phases: in each other weights learn, with an optimiser and a schedule of their own."""

from __future__ import annotations

from dataclasses import dataclass

from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.optimizers import learning_rate


@dataclass(frozen=True, slots=True)
class Phase:
    """Epochs `first` to `first + epochs`, counted from 0; `all_learn` ends what `finetune.tune` froze at the start."""

    number: int
    first: int
    epochs: int
    all_learn: bool = False

    @property
    def end(self) -> int:
        """The epoch before which it is over."""
        return self.first + self.epochs


def phases(finetune: Finetune) -> list[Phase]:
    """One phase, or with head_then_all two: DDP and optimisers do not notice weights that join later."""
    if finetune.tune != "head_then_all" or finetune.head_epochs >= finetune.epochs:
        return [Phase(0, 0, finetune.epochs)]
    rest = finetune.epochs - finetune.head_epochs
    return [Phase(0, 0, finetune.head_epochs), Phase(1, finetune.head_epochs, rest, all_learn=True)]


def phase_rate(finetune: Finetune, phase: Phase) -> float:
    """The highest learning rate of a phase; "auto" where nothing but new weights learn is the rate from scratch."""
    only_new = finetune.tune in ("head", "lora") or (finetune.tune == "head_then_all" and not phase.all_learn)
    return learning_rate(finetune.optimizer, "scratch" if only_new else finetune.start, finetune.batch_size)
