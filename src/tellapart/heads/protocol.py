"""What a head is, and which ones there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.anomaly import AnomalyHead
from tellapart.heads.calibration import Calibration
from tellapart.heads.linear import ClassWeight, LinearHead, fit_linear
from tellapart.heads.objectives import Floats
from tellapart.records import Task


class Head(Protocol):
    """A fitted head: embeddings in, answers out, nothing but arrays inside."""

    kind: ClassVar[str]
    """Its name in the model's card."""

    @property
    def task(self) -> Task:
        """What its answers may look like."""
        ...

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads."""
        ...

    @property
    def n_classes(self) -> int:
        """Number of columns of its answers."""
        ...

    @property
    def calibration(self) -> Calibration:
        """What turns logits into probabilities."""
        ...

    def logits(self, embeddings: Floats) -> Floats:
        """Uncalibrated scores float32 (n, k) of embeddings (n, d)."""
        ...

    def probabilities(self, embeddings: Floats) -> Floats:
        """Calibrated probabilities float32 (n, k); rows sum to 1 except for multi-label tasks."""
        ...

    def calibrated(self, calibration: Calibration) -> Head:
        """The same head with another calibration."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything it is, by name: what `head.safetensors` holds."""
        ...


class FitHead(Protocol):
    """Fits a head; the arguments are those of `fit_linear`."""

    def __call__(
        self,
        embeddings: Floats,
        targets: NDArray[np.integer[Any]],
        *,
        task: Task,
        n_classes: int | None = None,
        C: float = 1.0,
        class_weight: ClassWeight = None,
        sample_weight: NDArray[np.floating[Any]] | None = None,
    ) -> Head:
        """A head for embeddings float32 (n, d) and targets (n,) or (n, k)."""
        ...


class RestoreHead(Protocol):
    """Builds a head from its arrays."""

    def __call__(self, arrays: Mapping[str, NDArray[Any]], *, task: Task) -> Head:
        """Inverse of `Head.arrays`."""
        ...


@dataclass(frozen=True, slots=True)
class HeadKind:
    """A kind of head by its name in the model's card. `fit` is None for one that is not made from examples of all classes."""

    name: str
    fit: FitHead | None
    restore: RestoreHead


_HEADS: dict[str, HeadKind] = {
    "linear": HeadKind("linear", fit_linear, LinearHead.from_arrays),
    "anomaly": HeadKind("anomaly", None, AnomalyHead.from_arrays),
}


def heads() -> dict[str, HeadKind]:
    """All kinds of heads by name (a copy)."""
    return dict(_HEADS)


def register_head(kind: HeadKind) -> None:
    """Add a kind of head.

    Raises:
        SettingsError: `bad_setting` when the name is taken.
    """
    if kind.name in _HEADS:
        raise SettingsError(
            Reason.BAD_SETTING, f"a head named {kind.name!r} is registered already: choose another name"
        )
    _HEADS[kind.name] = kind


def head_kind(name: str) -> HeadKind:
    """The kind of head of that name.

    Raises:
        SettingsError: `unknown_name`, with the known names and the nearest.
    """
    if name in _HEADS:
        return _HEADS[name]
    # Only on the way to an error: difflib is not needed to predict.
    from difflib import get_close_matches

    near = get_close_matches(name, _HEADS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(_HEADS))
    raise SettingsError(Reason.UNKNOWN_NAME, f"unknown head {name!r}, known are: {known}{hint}")
