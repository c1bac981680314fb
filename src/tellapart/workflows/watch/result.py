"""What came of watching, when it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.streams.health import CameraHealth


@dataclass(frozen=True, slots=True)
class WatchResult:
    """`decisions` counts, by subject, track and state, how often a state was entered or an episode ended in it.

    `n_frames` images were answered or refused, `n_refused` of them cannot be used, `n_failed` answers a model owed,
    `n_late` images came after their instant was decided. `failures` counts what could not be written, by place.
    """

    stream: str
    seconds: float
    n_frames: int
    n_refused: int
    n_failed: int
    n_late: int
    cameras: Mapping[str, CameraHealth]
    decisions: Mapping[tuple[str, str, str], int]
    failures: Mapping[str, int]
    messages: Sequence[str] = ()
    lag_p50_s: float | None = None
    lag_p99_s: float | None = None

    @property
    def n_dropped(self) -> int:
        """Images that no model saw because their camera's queue was full."""
        return sum(one.n_dropped for one in self.cameras.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        counted = [
            {"subject": subject, "track": track, "state": state, "times": n}
            for (subject, track, state), n in sorted(self.decisions.items())
        ]
        return {
            "stream": self.stream,
            "seconds": round(self.seconds, 3),
            "frames": {
                "answered": self.n_frames - self.n_refused,
                "refused": self.n_refused,
                "dropped": self.n_dropped,
                "late": self.n_late,
                "failed": self.n_failed,
            },
            "lag": {"p50": self.lag_p50_s, "p99": self.lag_p99_s},
            "cameras": [one.to_json() for one in self.cameras.values()],
            "decisions": counted,
            "failures": dict(self.failures),
            "messages": list(self.messages),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        facts = [f"{self.n_frames:,} image{'s' * (self.n_frames != 1)} in {self.seconds:,.1f} s"]
        counts = (
            (self.n_refused, "refused"),
            (self.n_dropped, "dropped"),
            (self.n_late, "too late"),
            (self.n_failed, "failed in a model"),
        )
        facts += [f"{n:,} {what}" for n, what in counts if n]
        lines = [f"{self.stream}: {', '.join(facts)}"]
        for (subject, track, state), n in sorted(self.decisions.items()):
            of = subject if track == "state" else f"{subject}, {track}"
            lines.append(f"  {of}: {state}, {n:,} time{'' if n == 1 else 's'}")
        lines += [f"  {name}: {n:,} could not be written" for name, n in self.failures.items()]
        return [*lines, *(f"  {message}" for message in self.messages)]
