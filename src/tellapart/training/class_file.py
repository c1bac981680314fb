"""classes.safetensors: what a dynamic model knows of its classes, so that they can change without their images."""

from __future__ import annotations

from tellapart.errors import ModelError, Reason
from tellapart.heads.class_statistics import ClassStatistics

CLASSES = "classes.safetensors"
"""Its name in the model folder."""
FORMAT = 1
"""Version of its contents."""


def to_bytes(statistics: ClassStatistics) -> bytes:
    """Arrays by the names of `ClassStatistics.arrays`; the same statistics give the same bytes."""
    from safetensors.numpy import save

    return save(dict(sorted(statistics.arrays().items())), metadata={"format": str(FORMAT)})


def from_bytes(data: bytes) -> ClassStatistics:
    """Inverse of `to_bytes`.

    Raises:
        ModelError: `model_damaged`; `model_too_new` for a format that came later.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        written_by = _format(data)
        arrays = load(data)
    except (SafetensorError, ValueError) as exc:
        raise ModelError(Reason.MODEL_DAMAGED, f"{CLASSES} cannot be read ({exc}); copy the model again") from exc
    if written_by > FORMAT:
        raise ModelError(
            Reason.MODEL_TOO_NEW,
            f"{CLASSES} has format {written_by}, this tellapart reads up to {FORMAT}: update tellapart",
        )
    return ClassStatistics.from_arrays(arrays)


def _format(data: bytes) -> int:
    """By the header: 8 bytes of its length, then JSON (safetensors' numpy reader does not hand metadata out)."""
    import json

    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    written_by = header.get("__metadata__", {}).get("format", "") if isinstance(header, dict) else ""
    return int(written_by)
