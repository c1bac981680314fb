"""What more images would buy, as numbers: what the check `enough` looks at and the report draws."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Range:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected of the score with `more` images than there are, and by how much it rises."""

    more: int
    score: Range
    gain: Range


@dataclass(frozen=True, slots=True)
class Prospect:
    """How the score of one class, or of all together (`label` ""), grows with images.

    `scores` were measured on `sizes` images, ascending, with standard `deviations`. `n_now` images are at hand. `ahead`
    begins with those, about doubles them in `twice`, and ends at four times; it is empty where `cannot_tell` says why.
    """

    label: str
    n_now: int
    sizes: tuple[float, ...]
    scores: tuple[float, ...]
    deviations: tuple[float, ...]
    ahead: tuple[Ahead, ...] = ()
    twice: Ahead | None = None
    cannot_tell: str = ""

    @property
    def now(self) -> Range | None:
        """The score with the images at hand."""
        return self.ahead[0].score if self.ahead else None


@dataclass(frozen=True, slots=True)
class Prospects:
    """Of one data set: `overall`, the mean over the `judged` labels, and each class. `score` names what grows.

    `n_measured` images took part in the measurement.
    """

    score: str
    overall: Prospect
    classes: tuple[Prospect, ...]
    judged: tuple[str, ...]
    n_measured: int

    def to_json(self) -> dict[str, Any]:
        """Plain values; no nan."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
