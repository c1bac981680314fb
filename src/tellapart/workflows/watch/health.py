"""How a stream does: one value for the health file, the live view and the summary."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tellapart.records.decision import Decision
from tellapart.streams.health import CameraHealth

State = Literal["starting", "running", "stopping", "stopped", "failed"]


class Lags:
    """Seconds from the capture of an image to the decision on it, of the last thousand images."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=1000)

    def add(self, lag_s: float) -> None:
        """Of one image."""
        self._lags.append(lag_s)

    def at(self, share: float) -> float | None:
        """The lag that this share of images did not exceed; None before the first."""
        ordered = sorted(self._lags)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


@dataclass(slots=True)
class ModelHealth:
    """A model at work: images answered, and those on which it failed."""

    name: str
    model_id: str
    n_answered: int = 0
    n_failed: int = 0
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "modelId": self.model_id,
            "answered": self.n_answered,
            "failed": self.n_failed,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """`at_s` and `started_s` are of the wall clock, what belongs to images is of theirs (`now_s`)."""

    stream: str
    state: State
    pid: int
    version: str
    at_s: float
    started_s: float
    now_s: float
    cameras: Mapping[str, CameraHealth]
    models: Sequence[ModelHealth]
    decisions: Sequence[Decision]
    """The last decision of every track, in the order of the stream file."""
    channels: Sequence[Mapping[str, Any]]
    n_frames: int = 0
    n_refused: int = 0
    n_late: int = 0
    lag_p50_s: float | None = None
    lag_p99_s: float | None = None
    memory_bytes: int | None = None
    recording: Mapping[str, Any] | None = None
    message: str = ""
    last_refusal: str = ""
    waiting: int = 0

    @property
    def uptime_s(self) -> float:
        """Seconds since the start."""
        return self.at_s - self.started_s

    def to_json(self) -> dict[str, Any]:
        """What the health file says."""
        return {
            "stream": self.stream,
            "state": self.state,
            "message": self.message,
            "at": round(self.at_s, 3),
            "startedAt": round(self.started_s, 3),
            "uptime": round(self.uptime_s, 1),
            "pid": self.pid,
            "version": self.version,
            "memoryBytes": self.memory_bytes,
            "frames": {
                "answered": self.n_frames - self.n_refused,
                "refused": self.n_refused,
                "late": self.n_late,
                "waiting": self.waiting,
                "lastRefusal": self.last_refusal,
            },
            "lag": {"p50": _rounded(self.lag_p50_s), "p99": _rounded(self.lag_p99_s)},
            "cameras": [one.to_json() for one in self.cameras.values()],
            "models": [one.to_json() for one in self.models],
            "decisions": [_state(one) for one in self.decisions],
            "outputs": [dict(one) for one in self.channels],
            "recording": None if self.recording is None else dict(self.recording),
        }


def memory_bytes() -> int | None:
    """Memory of this process and of those it started; None where the system does not tell."""
    try:
        children = [
            pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
        ]
        page = os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
    return sum(_resident(pid) for pid in ("self", *children)) * page


def _resident(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):  # it has ended meanwhile
        return 0


def _state(decision: Decision) -> dict[str, Any]:
    whole = decision.to_json()
    names = ("subject", "track", "state", "since", "at", "rule", "because", "decisionId", "policy")
    return {name: whole[name] for name in names}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
