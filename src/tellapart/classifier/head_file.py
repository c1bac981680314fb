"""head.safetensors: the arrays of the head and of its OOD detector in one small file."""

from __future__ import annotations

from tellapart.classifier.card import ModelCard
from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.linear import LinearHead
from tellapart.heads.ood import OodDetector
from tellapart.heads.protocol import Head, RestoreHead, head_kind
from tellapart.heads.rejection import Rejection, restore_rejection
from tellapart.records import Task


def head_to_bytes(head: Head, ood: Rejection) -> bytes:
    """Arrays by the names of their `arrays()`; the same head gives the same bytes."""
    from safetensors.numpy import save

    return save(dict(sorted({**head.arrays(), **ood.arrays()}.items())))


def head_from_bytes(
    data: bytes, task: Task, *, kind: str = LinearHead.kind, rejection: str = OodDetector.kind
) -> tuple[Head, Rejection]:
    """Inverse of `head_to_bytes`; the card knows which kind of head it is, and of rejection.

    Raises:
        ModelError: `model_damaged`, `model_too_new` for a kind that this version does not know.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(data)
    except SafetensorError as exc:
        raise ModelError(
            Reason.MODEL_DAMAGED, f"head.safetensors cannot be read ({exc}); copy the model again"
        ) from exc
    return _restored(kind)(arrays, task=task), restore_rejection(rejection, arrays)


def _restored(kind: str) -> RestoreHead:
    try:
        return head_kind(kind).restore
    except SettingsError as exc:
        raise ModelError(Reason.MODEL_TOO_NEW, f"{exc}; update tellapart") from exc


def kinds_of(card: ModelCard) -> dict[str, str]:
    """`kind` and `rejection` of a card, as `head_from_bytes` takes them; older cards name neither."""
    head = card.head
    return {"kind": head.get("kind", LinearHead.kind), "rejection": head.get("rejection", OodDetector.kind)}
