"""Cameras whose images are there already: recordings that are looked at again, and tests."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange, CameraHealth, CameraState


class MemoryCameras:
    """Hands out `frames` in their order, with the methods of `Cameras`; nothing is dropped and nothing runs beside it.

    `frames` are in order of `at_s` and may be an iterator: no more than one `wait` takes is held. Each `wait` gives up to
    `at_once` of them. `speed` 1 keeps the time between them as it was, 10 goes ten times as fast; None waits for nothing.
    A camera is connecting until its first frame, live with it, and ended after the last frame of all. `changes` are told
    in place of these as soon as a frame of their time is handed out: a recording tells what became of the cameras.
    `triggered` collects what `trigger` was called with.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        *,
        names: Iterable[str] = (),
        changes: Iterable[CameraChange] | None = None,
        at_once: int = 16,
        speed: float | None = None,
    ) -> None:
        self._frames: Iterator[Frame] = iter(frames)
        self._next: Frame | None = next(self._frames, None)
        self._recorded = None if changes is None else deque(changes)
        self._at_once, self._speed = at_once, speed
        self._first_s = self._now_s = 0.0 if self._next is None else self._next.at_s
        self._started_s: float | None = None
        self._stopped = False
        self._told: list[CameraChange] = []
        self._health: dict[str, CameraHealth] = {}
        self.triggered: list[str] = []
        for name in names:
            self._become(name, "connecting", self._first_s)

    def __enter__(self) -> MemoryCameras:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def wait(self, timeout_s: float) -> list[Frame]:
        """The next frames, oldest first; [] where none is due within `timeout_s` or nothing is left."""
        if self._started_s is None:
            self._started_s = time.monotonic()
        if self._next is not None and (early_s := self._early_s(self._next)) > 0:
            time.sleep(min(early_s, timeout_s))
        taken: list[Frame] = []
        while not self.ended and len(taken) < self._at_once and self._due():
            taken.append(self._take())
        return taken

    def changes(self) -> list[CameraChange]:
        """What became of cameras since the last call, in order of time."""
        told, self._told = self._told, []
        return told

    def health(self) -> dict[str, CameraHealth]:
        """How every camera does that was named or seen so far."""
        return dict(self._health)

    def now_s(self) -> float:
        """The time of the frame that was handed out last: what comes later has not happened yet."""
        return self._now_s

    def trigger(self, name: str) -> None:
        """Noted in `triggered`: recorded frames carry theirs."""
        self.triggered.append(name)

    @property
    def ended(self) -> bool:
        """True when no frame is left."""
        return self._stopped or self._next is None

    def stop(self, timeout_s: float = 5.0) -> None:
        """Hand out nothing more; may be called twice. `timeout_s` is there because `Cameras` has it."""
        self._stopped = True

    def _due(self) -> bool:
        return self._next is not None and self._early_s(self._next) <= 0

    def _early_s(self, frame: Frame) -> float:
        if self._speed is None or self._started_s is None:
            return 0.0
        return (frame.at_s - self._first_s) / self._speed - (time.monotonic() - self._started_s)

    def _take(self) -> Frame:
        assert self._next is not None
        frame, self._next = self._next, next(self._frames, None)
        self._now_s = frame.at_s
        self._tell_recorded(frame.at_s)
        self._count(frame)
        if self._next is None:
            self._tell_recorded(float("inf"))
            self._end()
        return frame

    def _count(self, frame: Frame) -> None:
        known = self._health.get(frame.camera)
        if known is None or known.n_sampled == 0:
            self._become(frame.camera, "live", frame.at_s)
        health = self._health[frame.camera]
        size = None if isinstance(frame.image, bytes) else (frame.image.shape[1], frame.image.shape[0])
        self._health[frame.camera] = dataclasses.replace(
            health,
            last_frame_s=frame.at_s,
            n_captured=health.n_captured + 1,
            n_sampled=health.n_sampled + 1,
            size=size or health.size,
        )

    def _end(self) -> None:
        for name in self._health:
            self._become(name, "ended", self._now_s)

    def _become(self, name: str, state: CameraState, at_s: float) -> None:
        """Its state changes, unless a recording tells of changes itself."""
        known = self._health.get(name, CameraHealth(camera=name, state=state, since_s=at_s))
        was = known.state if name in self._health else None
        if self._recorded is None:
            self._told.append(CameraChange(name, at_s, state, was))
        self._health[name] = dataclasses.replace(known, state=state, since_s=at_s)

    def _tell_recorded(self, until_s: float) -> None:
        while self._recorded and self._recorded[0].at_s <= until_s:
            change = self._recorded.popleft()
            self._told.append(change)
            known = self._health.get(change.camera) or CameraHealth(change.camera, change.state, change.at_s)
            self._health[change.camera] = dataclasses.replace(
                known, state=change.state, since_s=change.at_s, message=change.message
            )


def in_order(*cameras: Iterable[Frame]) -> list[Frame]:
    """Frames of several cameras as one row, by time and name."""
    return sorted(chain(*cameras), key=lambda frame: (frame.at_s, frame.camera, frame.number))
