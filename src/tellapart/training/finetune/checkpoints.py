"""Where a training is, in one file: safetensors, with all that is no tensor as JSON in its header. No pickle anywhere.

checkpoint.safetensors          after the last whole epoch
checkpoint-within.safetensors   within an epoch, every few minutes; removed when the epoch is over

Each is replaced in one step: a kill leaves the old one or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tellapart.backbones.torch_libraries import load_lightning
from tellapart.errors import Reason, TrainingError
from tellapart.files import replacing

load_lightning()
from lightning.pytorch.plugins.io import CheckpointIO  # noqa: E402

PLACE = "tellapart"
"""Key of a checkpoint under which lies where it was taken: `phase`, `steps` over all phases, `accumulate`."""

_HEADER, _STEPS = "tellapart", "steps"
WHOLE, WITHIN = "checkpoint.safetensors", "checkpoint-within.safetensors"


class SafetensorsIO(CheckpointIO):
    """Lightning's checkpoints as safetensors."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write or replace a checkpoint.

        Raises:
            TrainingError: `write_failed`; what lay there before stays.
        """
        tensors: dict[str, Tensor] = {}
        header = json.dumps(_plain(checkpoint, "", tensors, set()))
        try:
            with replacing(Path(path)) as temporary:
                save_file(tensors, temporary, {_HEADER: header, _STEPS: str(checkpoint[PLACE]["steps"])})
        except (OSError, SafetensorError) as exc:
            why = getattr(exc, "strerror", None) or str(exc)
            message = (
                f"the checkpoint {path} cannot be written ({why}); the one before it stays, so that the training can go on "
                "from there: make room on the disk and ask for the same again"
            )
            raise TrainingError(Reason.WRITE_FAILED, message) from exc

    def load_checkpoint(
        self,
        path: Any,
        map_location: Any = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint, its tensors on the CPU.

        Raises:
            TrainingError: `job_damaged`.
        """
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint if it is there."""
        Path(path).unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `SafetensorsIO.save_checkpoint` was given.

    Raises:
        TrainingError: `job_damaged`.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            found: dict[str, Any] = _original(json.loads(file.metadata()[_HEADER]), tensors)
            return found
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as exc:
        message = f"the checkpoint {path} is damaged ({exc}); remove it to go on from an earlier one or from the start"
        raise TrainingError(Reason.JOB_DAMAGED, message) from exc


def latest(folder: Path) -> Path | None:
    """The checkpoint of a folder that is further along, None where there is none."""
    found = [path for path in (folder / WITHIN, folder / WHOLE) if path.exists()]
    return max(found, key=steps_done, default=None)


def steps_done(path: Path) -> int:
    """Steps of the optimiser before a checkpoint, over all phases of the training; -1 where it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            return int(file.metadata()[_STEPS])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return -1


def _plain(value: Any, name: str, tensors: dict[str, Tensor], memories: set[int]) -> Any:
    """JSON for `value`; its tensors are put aside under their names. A mapping keeps the types of its keys."""
    if isinstance(value, Tensor):
        tensors[name], form = _stored(value.detach(), memories)
        return {"tensor": name, "form": form}
    if isinstance(value, Mapping):
        return {"mapping": [[key, _plain(part, f"{name}/{key}", tensors, memories)] for key, part in value.items()]}
    if isinstance(value, list | tuple):
        parts = [_plain(part, f"{name}/{index}", tensors, memories) for index, part in enumerate(value)]
        return parts if isinstance(value, list) else {"tuple": parts}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold {name}, {type(value).__name__}")


def _original(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_original(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        tensor = tensors[value["tensor"]]
        return tensor.permute(0, 3, 1, 2) if value["form"] == "channels_last" else tensor
    if "tuple" in value:
        return tuple(_original(part, tensors) for part in value["tuple"])
    return {key: _original(part, tensors) for key, part in value["mapping"]}


def _stored(tensor: Tensor, memories: set[int]) -> tuple[Tensor, str]:
    """A contiguous tensor with memory of its own, and how its memory lay: sums differ in their last bits where that differs.

    `memories` are the addresses of those before.
    """
    if tensor.ndim == 4 and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last):
        stored, form = tensor.permute(0, 2, 3, 1), "channels_last"
    else:
        stored, form = tensor.contiguous(), "contiguous"
    memory = stored.untyped_storage()
    if memory.nbytes() != stored.nbytes or memory.data_ptr() in memories:
        stored = stored.clone()
    memories.add(stored.untyped_storage().data_ptr())
    return stored, form
