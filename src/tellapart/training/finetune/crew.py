"""The processes that train one network together, and the hardware that they use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.classifier.cores import available_cores
from tellapart.errors import Reason, SettingsError
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.images import Share

load_lightning()
from lightning.pytorch.plugins.environments import LightningEnvironment  # noqa: E402
from lightning.pytorch.strategies import DDPStrategy  # noqa: E402

_MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class Crew:
    """Process `rank` of `world`, `per_machine` of them on each machine.

    `options` are arguments of Lightning's Trainer that an engine of its own wants (strategy, plugins); None: torchrun's.
    """

    rank: int = 0
    world: int = 1
    per_machine: int = 1
    options: dict[str, Any] | None = None

    @classmethod
    def here(cls) -> Crew:
        """As torchrun says, or alone."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        rank, world, per_machine = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"))
        return cls(rank, world, per_machine)

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, finetune: Finetune) -> Share:
        """Which images this process takes, and by whom they are loaded: `loaders` processes, or threads beside the network."""
        cuda = torch.cuda.is_available()
        threads = min(_MOST_THREADS, max(1, available_cores() // self.per_machine - 1)) if cuda else 1
        return Share(self.rank, self.world, finetune.loaders, threads, cuda)

    def trainer_options(self, finetune: Finetune, folder: Path) -> dict[str, Any]:
        """Arguments of Lightning's Trainer about processes, device and precision."""
        cuda = torch.cuda.is_available()
        options: dict[str, Any] = {
            "accelerator": "cuda" if cuda else "cpu",
            "precision": precision(finetune),
            "default_root_dir": folder,
            "benchmark": cuda,
        }
        if self.options is not None:
            return options | self.options
        if self.world == 1:
            return options | {"devices": 1, "plugins": [LightningEnvironment()]}
        strategy = DDPStrategy(process_group_backend="nccl" if cuda else "gloo")
        return options | {
            "devices": self.per_machine, "num_nodes": self.world // self.per_machine, "strategy": strategy, "plugins": []
        }  # fmt: skip


def precision(finetune: Finetune) -> str:
    """Lightning's name of the precision: for auto bf16 on GPUs that compute in it, else 32 bits.

    Raises:
        SettingsError: `bad_setting` for 16 without a GPU.
    """
    cuda = torch.cuda.is_available()
    if finetune.precision == "16" and not cuda:
        message = "precision 16 needs a GPU, and there is none here: use auto, 32 or bf16"
        raise SettingsError(Reason.BAD_SETTING, message)
    if finetune.precision == "auto":
        return "bf16-mixed" if cuda and torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[finetune.precision]


def device_name() -> str:
    """What computes, in words."""
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
