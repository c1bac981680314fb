"""What a stream has seen, kept for replays and for `why`: everything that was answered in figures, images around changes.

Who calls what: `workflows/watch` opens one `Recorder`, calls `saw` for each frame once it was answered or refused, then
`decided` for each decision (in the order of the decisions, after the `saw` of what they rest on), `tick` every second or so,
and `close` at the end. `evidence` is what sinks are given, `behind` what the journal is given. All of it from one thread.
None of it waits for a disk: another thread encodes and writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tellapart.records.decision import Decision
from tellapart.streams.event import Seen
from tellapart.streams.frame import Frame
from tellapart.streams.journal import Behind
from tellapart.streams.layout import RECORDING, new_run
from tellapart.streams.ring import Held, Ring
from tellapart.streams.writer import Writer

MEMORY_MB = 512.0
LEAST_MEMORY_S = 10.0


@dataclass(frozen=True, slots=True)
class RecorderCounts:
    """Since the start. `n_dropped` images or lines were not written because the disk was too slow, `n_failed` because it
    refused them (`message` says why, `is_failing` whether it still does); `n_deleted` files went by retention. `n_bytes`
    is what the recording takes."""

    n_observations: int = 0
    n_frames: int = 0
    n_dropped: int = 0
    n_failed: int = 0
    n_deleted: int = 0
    n_bytes: int = 0
    message: str = ""
    is_failing: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values in camel case."""
        return {
            "observations": self.n_observations,
            "frames": self.n_frames,
            "dropped": self.n_dropped,
            "failed": self.n_failed,
            "deleted": self.n_deleted,
            "bytes": self.n_bytes,
            "message": self.message,
        }


class Recorder:
    """Memory bounded by `buffer_mb`, half of it for images that a change may need, half for those that wait to be written."""

    def __init__(
        self,
        folder: Path,
        settings: Any,
        *,
        cameras: Mapping[str, Sequence[str]] | None = None,
        reach_s: float = 0.0,
        run: str | None = None,
    ) -> None:
        """`settings` is `Stream.record`; None writes nothing and remembers for `evidence` and `behind` alone.

        `folder` is the stream's. `cameras` names the cameras of a decision's subject where these are several (without an entry:
        what stands before "/"). `reach_s` is the longest window of any policy in seconds, as far as it has one: images are
        held in memory for as long. `run` names the run; the journal says the same.
        """
        self._settings, self._cameras = settings, dict(cameras or {})
        half = (settings.buffer_mb if settings else MEMORY_MB) * 1e6 / 2
        before_s = settings.before_s if settings else 0.0
        self._ring = Ring(max(before_s, reach_s, LEAST_MEMORY_S), int(half))
        self._writer = Writer(folder / RECORDING, settings, int(half), run or new_run()) if settings else None
        self._keep_until_s: dict[str, float] = {}

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def saw(self, frame: Frame, seen: Sequence[Seen] = ()) -> None:
        """A frame was answered: once for each of its regions in `seen`; refused where that is empty."""
        held = self._ring.add(frame, seen)
        if self._writer is None:
            return
        self._writer.observed(frame, seen)
        if self._settings.all or frame.at_s <= self._keep_until_s.get(frame.camera, float("-inf")):
            self._keep(held)

    def decided(self, decision: Decision) -> None:
        """Keep the images around a change of state or the end of an episode, and those that it rests on."""
        if self._writer is None or not (decision.changed or decision.final):
            return
        first_s, last_s = decision.at_s - self._settings.before_s, decision.at_s + self._settings.after_s
        cameras = self._cameras_of(decision)
        for camera in cameras:
            self._keep_until_s[camera] = max(last_s, self._keep_until_s.get(camera, last_s))
        for held in self._ring.between(cameras, first_s, last_s):
            self._keep(held)
        for held in self._ring.of_ids(decision.evidence):
            self._keep(held)

    def evidence(self, decision: Decision) -> tuple[Seen, ...]:
        """The images behind a decision as far as they are still in memory, in order of time."""
        return self._ring.seen(decision.evidence)

    def behind(self, decision: Decision) -> tuple[Behind, ...]:
        """The same without pixels, which memory reaches back further for."""
        return self._ring.behind(decision.evidence)

    def tick(self, now_s: float) -> None:
        """Time goes by although nothing may be seen; `now_s` of the stream's clock."""
        self._ring.forget(now_s)
        if self._writer is not None:
            self._writer.tick(now_s)

    def ended(self, at_s: float) -> None:
        """The run is over, and time had come to `at_s` when it was: a replay hears silence up to there, and not longer.

        Called once, before `close`; a run without it counts as killed.
        """
        if self._writer is not None:
            self._writer.ended(at_s)

    @property
    def counts(self) -> RecorderCounts:
        """What became of it so far."""
        return RecorderCounts() if self._writer is None else RecorderCounts(**self._writer.counts())

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, within `timeout_s`; what is left then is counted as dropped. May be called twice."""
        if self._writer is not None:
            self._writer.close(timeout_s)

    def _keep(self, held: Held) -> None:
        if not held.kept and self._writer is not None:
            held.kept = True
            self._writer.keep(held.frame, _uri(held))

    def _cameras_of(self, decision: Decision) -> Sequence[str]:
        named = self._cameras.get(decision.subject)
        if named is not None:
            return named
        before = decision.subject.partition("/")[0]
        known = self._ring.cameras
        return (before,) if before in known else tuple(known)


def _uri(held: Held) -> str:
    """As observations name it: the address of a camera may hold a password, which these do not."""
    if held.seen:
        return held.seen[0].observation.uri
    return "" if "://" in held.frame.uri else held.frame.uri
