"""What a rule sees at one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tellapart.records.observation import Observation


@dataclass(slots=True)
class View:
    """The images of the window by input, oldest first, the time, and when each input was last heard (`began_s` where it
    never was)."""

    images: Mapping[str, Sequence[Observation]]
    now_s: float
    heard_s: Mapping[str, float]
    began_s: float

    def of(self, name: str | None) -> Sequence[Observation]:
        """The images of an input; None means the only one."""
        return self.images.get(name or self._only(), ())

    def heard(self, name: str | None) -> float:
        """When an input was last heard."""
        return self.heard_s.get(name or self._only(), self.began_s)

    def _only(self) -> str:
        return next(iter(self.images), "")
