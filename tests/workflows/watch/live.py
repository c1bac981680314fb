"""`watch` at work in a thread, on cameras that are there: what it says of them, and what it takes of the machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.streams.processes import Taken, taken

from tellapart.settings.stream import Stream
from tellapart.streams.event import Event
from tellapart.streams.health import CameraChange
from tellapart.workflows.watch.health import StreamHealth
from tellapart.workflows.watch.result import WatchResult
from tellapart.workflows.watch.watch import watch

DEADLINE_S = 60.0
"""Generous: a busy machine is no failure."""


class Watching:
    """Runs from `with` on; `result` is there after it."""

    def __init__(self, stream: Stream, **options: Any) -> None:
        self._stream, self._options = stream, options
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.changes: list[CameraChange] = []
        self.decided: list[tuple[str, float]] = []
        """Camera and time of each image that was decided on."""
        self.health: StreamHealth | None = None
        self.error: BaseException | None = None
        self.result: WatchResult | None = None

    def __enter__(self) -> Watching:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "watch does not end"
        if self.error is not None:
            raise self.error

    def state(self, camera: str) -> str:
        """As the events told it last."""
        told = [change.state for change in self.changes if change.camera == camera]
        return told[-1] if told else "unknown"

    def becomes(self, camera: str, state: str) -> float:
        """Wait until a camera is in a state; the time at which it changed to it, in seconds since 1970."""
        self.until(lambda: self.state(camera) == state, f"{camera} is {self.state(camera)} and does not become {state}")
        return next(one.at_s for one in reversed(self.changes) if one.camera == camera and one.state == state)

    def decides(self, camera: str, n: int = 1) -> None:
        """Wait until so many more images of a camera are decided on."""
        before = self._n(camera)
        self.until(lambda: self._n(camera) >= before + n, f"nothing more is decided on {camera}")

    def until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Wait for a condition."""
        until_s = time.monotonic() + DEADLINE_S
        while not holds():
            assert self._thread.is_alive(), f"watch ended: {self.error}"
            assert time.monotonic() < until_s, f"{otherwise}; {self.changes[-5:]}"
            time.sleep(0.02)

    def taken(self) -> Taken:
        """By this process and the capturing ones, once they are as many as cameras."""
        return taken(os.getpid())

    def _n(self, camera: str) -> int:
        return sum(name == camera for name, _ in self.decided)

    def _run(self) -> None:
        try:
            self.result = watch(
                self._stream, until=self._stop.is_set, on_event=self._hear, view=self._see, workers=1, **self._options
            )
        except BaseException as error:  # noqa: BLE001  told by the thread of the test
            self.error = error

    def _hear(self, event: Event) -> None:
        if event.camera is not None:
            self.changes.append(event.camera)
        if event.decision is not None:
            self.decided.append((event.decision.subject, event.decision.at_s))

    def _see(self, health: StreamHealth) -> None:
        self.health = health
