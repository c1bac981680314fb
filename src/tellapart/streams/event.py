"""What a stream tells the world: a decision, or a camera that changed its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.records.roi import Roi
from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange


@dataclass(frozen=True, slots=True)
class Seen:
    """An image behind a decision: the frame as it came, the region of it, and what the model said."""

    frame: Frame
    roi: Roi | None
    observation: Observation


@dataclass(frozen=True, slots=True)
class Event:
    """Exactly one of `decision` and `camera` is there. `stream` is the name of the stream file.

    `evidence()` gives the images behind the decision as far as they are still in memory: called only by sinks that need it.
    """

    stream: str
    at_s: float
    decision: Decision | None = None
    camera: CameraChange | None = None
    evidence: Callable[[], tuple[Seen, ...]] = tuple

    def to_json(self) -> dict[str, Any]:
        """`{"stream": …, "decision": {…}}` or `{"stream": …, "camera": {…}}`."""
        value: dict[str, Any] = {"stream": self.stream}
        if self.decision is not None:
            return value | {"decision": self.decision.to_json()}
        return value | {"camera": self.camera.to_json() if self.camera else None}
