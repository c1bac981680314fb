"""What tells a model that an image is unlike anything it knows, and which ways there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.anomaly import AnomalyScore
from tellapart.heads.class_distance import ClassDistance
from tellapart.heads.energy import Energy
from tellapart.heads.familiar import Familiar
from tellapart.heads.objectives import Floats
from tellapart.heads.ood import OodDetector
from tellapart.heads.relative_distance import RelativeDistance


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

REJECTIONS: Mapping[str, RestoreRejection] = MappingProxyType(
    {
        "mahalanobis": OodDetector.from_arrays,
        "class_distance": ClassDistance.from_arrays,
        "relative_distance": RelativeDistance.from_arrays,
        "energy": Energy.from_arrays,
        "anomaly": AnomalyScore.from_arrays,
    }
)
"""By the name on the card."""

FitRejection = Callable[[Familiar], Rejection]
"""Fits one on the images that a model knows."""

REJECTION_FITS: Mapping[str, FitRejection] = MappingProxyType(
    {
        "mahalanobis": lambda known: OodDetector.fit(known.embeddings, folds=known.folds, share=known.share),
        "class_distance": ClassDistance.fit,
        "relative_distance": RelativeDistance.fit,
        "energy": Energy.fit,
    }
)
"""Those that a person may ask for, the simplest first."""


def fit_rejection(kind: str, known: Familiar) -> Rejection:
    """One of `REJECTION_FITS` by its name.

    Raises:
        SettingsError: `unknown_name` for another name, `bad_setting` for a kind that does not suit the task or head.
    """
    if kind not in REJECTION_FITS:
        raise SettingsError(
            Reason.UNKNOWN_NAME, f"unknown rejection {kind!r}, known are: auto, {', '.join(REJECTION_FITS)}"
        )
    return REJECTION_FITS[kind](known)


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
