"""Writes a recording from a thread of its own: what comes faster than the disk takes it is dropped and counted."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tellapart.streams.event import Seen
from tellapart.streams.frame import Frame
from tellapart.streams.kept import KeptFiles

_LINE_BYTES = 1024
_TICK_S = 30.0
Work = Callable[[KeptFiles], None]


class Writer:
    """Work is done in the order in which it came. `max_bytes` of images and lines may wait."""

    def __init__(self, recording: Path, settings: Any, max_bytes: int) -> None:
        self._files = KeptFiles(recording, settings)
        self._max_bytes, self._waiting_bytes, self._n_dropped = max_bytes, 0, 0
        self._work: deque[tuple[int, int, Work]] = deque()
        self._changed = threading.Condition()
        self._closing = self._given_up = False
        self._next_tick_s = float("-inf")
        self._has_begun, self._last_s = False, -math.inf
        self._thread = threading.Thread(target=self._run, name="tellapart-recorder", daemon=True)
        self._thread.start()

    def observed(self, frame: Frame, seen: Sequence[Seen]) -> None:
        """Write the answers to a frame."""
        if not self._has_begun:
            self._has_begun = True
            self._add(0, 0, lambda files: files.begin(frame.at_s))
        self._reached(frame.at_s)
        answers = tuple(seen)
        n = max(1, len(answers))
        self._add(n * _LINE_BYTES, n, lambda files: files.add_answers(frame.camera, frame.number, answers))

    def keep(self, frame: Frame) -> None:
        """Write an image."""
        self._add(frame.n_bytes, 1, lambda files: files.add_frame(frame))

    def tick(self, now_s: float) -> None:
        """See to it, now and then, that nothing is kept for too long."""
        self._reached(now_s)
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + _TICK_S
            self._add(0, 0, lambda files: files.tick(now_s))

    def counts(self) -> dict[str, Any]:
        """As `RecorderCounts`."""
        return {**self._files.counts, "n_dropped": self._n_dropped}

    def close(self, timeout_s: float) -> None:
        """Write what waits; give up on the rest after `timeout_s`."""
        with self._changed:
            if not self._closing and self._has_begun:
                last_s = self._last_s
                self._work.append((0, 0, lambda files: files.end(last_s)))
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            self._given_up = True
            self._n_dropped += sum(n for _, n, _ in self._work)
            self._work.clear()

    def _reached(self, at_s: float) -> None:
        if math.isfinite(at_s):
            self._last_s = max(self._last_s, at_s)

    def _add(self, n_bytes: int, n: int, work: Work) -> None:
        with self._changed:
            if self._closing or (n and self._waiting_bytes and self._waiting_bytes + n_bytes > self._max_bytes):
                self._n_dropped += n
                return
            self._waiting_bytes += n_bytes
            self._work.append((n_bytes, n, work))
            self._changed.notify()

    def _run(self) -> None:
        while (next_work := self._next()) is not None:
            n_bytes, work = next_work
            try:
                work(self._files)
            finally:
                with self._changed:
                    self._waiting_bytes -= n_bytes
        self._files.close()

    def _next(self) -> tuple[int, Work] | None:
        with self._changed:
            while not self._work and not self._closing:
                # Lines are gathered for a moment and then written together.
                if not self._changed.wait(self._files.idle_s):
                    self._changed.release()
                    try:
                        self._files.flush()
                    finally:
                        self._changed.acquire()
            if self._given_up or not self._work:
                return None
            n_bytes, _, work = self._work.popleft()
            return n_bytes, work
