"""How a camera does: a state of its own, told apart from what its pictures show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

CameraState = Literal["connecting", "live", "stale", "frozen", "black", "gone", "ended"]
"""`connecting`: no image yet, or connecting again. `live`: images come (a folder: it can be listed). `stale`: connected, and no
image for `stale_after_s`. `frozen`: the same picture, pixel for pixel. `black`: too dark to show anything. `gone`: lost and not
found again for longer than `stale_after_s`; it is tried again all the same. `ended`: a recording has come to its end.

Images of `frozen` and `black` are withheld: what shows nothing is no evidence, and policies hear silence instead."""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """`fps` are images looked at per second over the last ten seconds. Counts are since the start: `n_sampled` = delivered +
    `n_dropped` (the queue was full, or its process died) + `n_withheld` (frozen or black) + waiting. `n_refused` were
    no images, `n_reconnects` attempts to connect again. `size` is (width, height) of the image that was handed out last."""

    camera: str
    state: CameraState
    since_s: float
    fps: float = 0.0
    last_frame_s: float | None = None
    n_captured: int = 0
    n_sampled: int = 0
    n_dropped: int = 0
    n_withheld: int = 0
    n_refused: int = 0
    n_reconnects: int = 0
    size: tuple[int, int] | None = None
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values in camel case."""
        return {
            "camera": self.camera,
            "state": self.state,
            "since": round(self.since_s, 3),
            "fps": round(self.fps, 2),
            "lastFrame": None if self.last_frame_s is None else round(self.last_frame_s, 3),
            "captured": self.n_captured,
            "sampled": self.n_sampled,
            "dropped": self.n_dropped,
            "withheld": self.n_withheld,
            "refused": self.n_refused,
            "reconnects": self.n_reconnects,
            "size": list(self.size) if self.size else None,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class CameraChange:
    """A camera's state changed at `at_s`; `was` is None for the first."""

    camera: str
    at_s: float
    state: CameraState
    was: CameraState | None
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "camera": self.camera,
            "at": round(self.at_s, 6),
            "state": self.state,
            "was": self.was,
            "message": self.message,
        }
