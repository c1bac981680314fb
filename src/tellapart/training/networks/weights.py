"""Weights of a network in a safetensors file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tellapart.errors import ModelError, Reason
from tellapart.files import replacing
from tellapart.training.networks.network import Network

_SHOWN = 3


def save_weights(network: Network, path: Path) -> None:
    """Write all weights and statistics of body and head; the file appears whole or not at all.

    Raises:
        ModelError: `write_failed`.
    """
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary)
    except (OSError, SafetensorError) as exc:
        message = f"the weights of {network.name} could not be written to {path}: {exc}"
        raise ModelError(Reason.WRITE_FAILED, message) from exc


def load_weights(network: Network, path: Path) -> None:
    """Read what `save_weights` wrote into a network of the same form.

    Raises:
        ModelError: `model_not_found`, `model_damaged` for a file that is no safetensors or belongs to another network.
    """
    if not path.is_file():
        raise ModelError(Reason.MODEL_NOT_FOUND, f"there are no weights at {path}")
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as exc:
        message = f"{path} is no safetensors file, or is cut short: {exc}"
        raise ModelError(Reason.MODEL_DAMAGED, message) from exc
    own = network.state_dict()
    faults = [f"{name} is missing" for name in own if name not in tensors]
    faults += [f"{name} is unknown" for name in tensors if name not in own]
    faults += [
        f"{name} is {_shape(tensors[name])} instead of {_shape(value)}"
        for name, value in own.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if faults:
        more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        message = (
            f"the weights in {path} belong to another network than {network.name}: {'; '.join(faults[:_SHOWN])}{more}"
        )
        raise ModelError(Reason.MODEL_DAMAGED, message)
    network.load_state_dict(tensors)


def _shape(tensor: object) -> str:
    return "×".join(map(str, getattr(tensor, "shape", ()))) or "a number"
