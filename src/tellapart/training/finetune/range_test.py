"""The learning rate of a phase from a range test on the job's own batches, done once and remembered in the folder."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import torch

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.errors import Reason, SettingsError
from tellapart.files import replacing
from tellapart.training.finetune.images import Share, TrainingBatches
from tellapart.training.finetune.lr_finder import Found, find_network_lr
from tellapart.training.finetune.lr_picture import lr_picture
from tellapart.training.finetune.materials import Materials
from tellapart.training.finetune.optimizers import checked_name, family
from tellapart.training.finetune.phases import Phase, phase_rate

load_lightning()
from lightning.fabric.utilities import move_data_to_device  # noqa: E402

# The test tries rates of its own: of those it starts from only the proportions count.
_ANY = 1e-3


def found_rate(made: Materials, phase: Phase) -> tuple[float, str]:
    """The rate for the job's batches, and a sentence about it.

    Where the test suggests none it is the automatic one. Of several processes the first measures and the others wait.
    The curve lies in lr-PHASE.json: `lr` (null: none), `rates`, `losses`, `smoothed`, `why`; lr.svg is its picture, where
    there are two phases that of the second.

    Raises:
        TrainingError: `diverged` when the first loss is no number.
        SettingsError: `bad_setting` where the test suggests none and the optimiser has none.
    """
    path = made.folder / f"lr-{phase.number}.json"
    if made.crew.leads and not path.exists():
        found = _measure(made, phase)
        with replacing(made.folder / "lr.svg") as temporary:
            temporary.write_text(lr_picture(found), encoding="utf-8")
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(found)), encoding="utf-8")
    while not path.exists():
        time.sleep(0.2)
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if value["lr"] is not None:
        return float(value["lr"]), f"learning rate {value['lr']:.2g} by a range test: {value['why']}"
    rate = _automatic(made, phase)
    if rate is None:
        message = (
            f"the range test found no learning rate ({value['why']}), and there is no automatic one for the optimiser "
            f"{made.job.finetune.optimizer.name!r}: set optimizer.lr to a number"
        )
        raise SettingsError(Reason.BAD_SETTING, message)
    return rate, f"the range test found no learning rate ({value['why']}), so it is the automatic one, {rate:.2g}"


def _automatic(made: Materials, phase: Phase) -> float | None:
    """None for an optimiser that has none."""
    if family(checked_name(made.job.finetune.optimizer.name)) is None:
        return None
    return phase_rate(made.job.finetune, phase)


def _measure(made: Materials, phase: Phase) -> Found:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learner = made.learner(phase, _automatic(made, phase) or _ANY).to(device)
    optimizer = learner.configure_optimizers()["optimizer"]
    alone = Share(0, 1, 0, 1, made.share.pin)
    batches: Any = TrainingBatches(made.examples, made.sampler, alone, accumulate=made.accumulate, first=phase.first)

    def loss(batch: Any) -> torch.Tensor:
        return learner.loss_of(move_data_to_device(batch, device))

    clip = made.job.finetune.optimizer.clip_norm
    found = find_network_lr(learner, loss, batches, optimizer, clip_norm=clip)
    learner.cpu()
    return found
