"""Writes a recording from a thread of its own: what comes faster than the disk takes it is dropped and counted."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.streams.event import Seen
from tellapart.streams.frame import Frame
from tellapart.streams.kept import KeptFiles

MOST_LINES = 100_000
_TICK_S = 30.0


@dataclass(frozen=True, slots=True)
class _Work:
    do: Callable[[KeptFiles], None]
    n_images: int = 0
    n_lines: int = 0
    n_bytes: int = 0

    @property
    def n(self) -> int:
        """What is lost without it."""
        return self.n_images + self.n_lines


class Writer:
    """Work is done in the order in which it came. `max_bytes` of images may wait, and 100,000 lines."""

    def __init__(self, recording: Path, settings: Any, max_bytes: int, run: str) -> None:
        self._files = KeptFiles(recording, settings, run)
        self._max_bytes, self._n_bytes, self._n_lines, self._n_dropped = max_bytes, 0, 0, 0
        self._work: deque[_Work] = deque()
        self._changed = threading.Condition()
        self._closing = self._given_up = False
        self._next_tick_s = float("-inf")
        self._has_begun = False
        self._thread = threading.Thread(target=self._run, name="tellapart-recorder", daemon=True)
        self._thread.start()

    def observed(self, frame: Frame, seen: Sequence[Seen]) -> None:
        """Write the answers to a frame."""
        camera, number, at_s = frame.camera, frame.number, frame.at_s
        if not self._has_begun:
            self._has_begun = True
            self._add(_Work(lambda files: files.begin(at_s)))
        # What waits must not hold the pixels.
        rows = tuple((one.roi, one.observation) for one in seen)
        if rows:
            self._add(_Work(lambda files: files.add_answers(camera, number, rows), n_lines=len(rows)))

    def keep(self, frame: Frame, uri: str) -> None:
        """Write an image; `uri` names it there."""
        self._add(_Work(lambda files: files.add_frame(frame, uri), n_images=1, n_bytes=frame.n_bytes))

    def tick(self, now_s: float) -> None:
        """See to it, now and then, that nothing is kept for too long."""
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + _TICK_S
            self._add(_Work(lambda files: files.tick(now_s)))

    def ended(self, at_s: float) -> None:
        """Write when the run was over."""
        if self._has_begun and math.isfinite(at_s):
            self._add(_Work(lambda files: files.end(at_s)))

    def counts(self) -> dict[str, Any]:
        """As `RecorderCounts`."""
        return {**self._files.counts, "n_dropped": self._n_dropped}

    def close(self, timeout_s: float) -> None:
        """Write what waits; give up on the rest after `timeout_s`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            self._given_up = True
            self._n_dropped += sum(one.n for one in self._work)
            self._work.clear()

    def _add(self, work: _Work) -> None:
        with self._changed:
            full = work.n_bytes and self._n_bytes and self._n_bytes + work.n_bytes > self._max_bytes
            if self._closing or full or self._n_lines + work.n_lines > MOST_LINES:
                self._n_dropped += work.n
                return
            self._waits(work, 1)
            self._work.append(work)
            self._changed.notify()

    def _waits(self, work: _Work, sign: int) -> None:
        self._n_bytes += sign * work.n_bytes
        self._n_lines += sign * work.n_lines

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                work.do(self._files)
            except Exception as exc:  # noqa: BLE001  whatever one image is, the next one is kept
                self._files.failed(work.n, f"{type(exc).__name__}: {exc}")
            finally:
                with self._changed:
                    self._waits(work, -1)
            del work
        self._files.close()

    def _next(self) -> _Work | None:
        with self._changed:
            while not self._work and not self._closing:
                # Lines are gathered for a moment and then written together.
                if not self._changed.wait(self._files.idle_s):
                    self._changed.release()
                    try:
                        self._files.flush()
                    finally:
                        self._changed.acquire()
            return None if self._given_up or not self._work else self._work.popleft()
