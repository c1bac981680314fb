"""head.safetensors: the arrays of the head and of its OOD detector in one small file."""

from __future__ import annotations

from tellapart.errors import ModelError, Reason
from tellapart.heads.linear import LinearHead
from tellapart.heads.ood import OodDetector
from tellapart.records import Task


def head_to_bytes(head: LinearHead, ood: OodDetector) -> bytes:
    """Arrays by the names of their `arrays()`; the same head gives the same bytes."""
    from safetensors.numpy import save

    return save(dict(sorted({**head.arrays(), **ood.arrays()}.items())))


def head_from_bytes(data: bytes, task: Task) -> tuple[LinearHead, OodDetector]:
    """Inverse of `head_to_bytes`.

    Raises:
        ModelError: `model_damaged`.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(data)
    except SafetensorError as exc:
        raise ModelError(
            Reason.MODEL_DAMAGED, f"head.safetensors cannot be read ({exc}); copy the model again"
        ) from exc
    return LinearHead.from_arrays(arrays, task=task), OodDetector.from_arrays(arrays)
