"""What tells a model that an image is unlike anything it knows, and which ways there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason
from tellapart.heads.objectives import Floats
from tellapart.heads.ood import OodDetector


class Rejection(Protocol):
    """A fitted score of strangeness: nothing but arrays inside, scaled so that 1.0 is the threshold."""

    kind: ClassVar[str]
    """Its name in the model's card."""
    rejects: ClassVar[bool]
    """Whether a score of 1 or more turns the answer into "unknown"."""

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads."""
        ...

    def score(self, embeddings: Floats) -> Floats:
        """Scores float32 (n,) of embeddings (n, d); 1 or more means "unlike the training images"."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything it is, by name: what `head.safetensors` holds beside the head's own arrays."""
        ...


RestoreRejection = Callable[[Mapping[str, NDArray[Any]]], Rejection]
"""Builds one from the arrays of a head file, those of the head among them: some read its weights."""

REJECTIONS: Mapping[str, RestoreRejection] = MappingProxyType({"mahalanobis": OodDetector.from_arrays})
"""By the name on the card."""


def restore_rejection(kind: str, arrays: Mapping[str, NDArray[Any]]) -> Rejection:
    """Inverse of `Rejection.arrays`.

    Raises:
        ModelError: `model_too_new` for a kind that this version does not know, `model_damaged` for arrays that are none.
    """
    if kind not in REJECTIONS:
        known = ", ".join(sorted(REJECTIONS))
        raise ModelError(
            Reason.MODEL_TOO_NEW,
            f"the model tells unknown images by {kind!r}, this tellapart knows {known}: update tellapart",
        )
    return REJECTIONS[kind](arrays)
