"""What a capturing process has to say, and the thread that says it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.streams.wire import send

REPORT_EVERY_S = 0.25
Phase = Literal["opening", "reading", "full", "waiting", "ended"]
"""`full`: a file that waits until its images are taken. `waiting`: lost, before the next attempt."""


@dataclass(slots=True)
class Report:
    """How a source does, as the capturing process sees it.

    `alive_s` is when an image (or word that there is none) came last, `busy_s` when anything at all happened.
    """

    phase: Phase = "opening"
    sign: Literal["live", "frozen", "black"] = "live"
    alive_s: float = 0.0
    busy_s: float = 0.0
    message: str = ""
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("captured", "sampled", "dropped", "withheld", "refused", "reconnects"), 0
        )
    )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "phase": self.phase,
            "sign": self.sign,
            "alive": self.alive_s,
            "busy": self.busy_s,
            "message": self.message,
            "counts": dict(self.counts),
        }


Waiting = tuple[dict[str, Any], NDArray[np.uint8] | bytes]


class Outbox:
    """Sends images and, four times a second, the report. Of a camera the oldest image makes room for the newest; images of
    files (`lossless`) wait until others were taken."""

    def __init__(self, file: BinaryIO, report: Report, size: int, now_s: Callable[[], float]) -> None:
        self._file, self._report, self._size, self._now_s = file, report, size, now_s
        self.lossless = False
        self._waiting: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._room = size
        self._closed = self._abandoned = False
        self._last_phase: Phase = "ended"
        self._thread = threading.Thread(target=self._send_all, name="outbox", daemon=True)
        self._thread.start()

    def put(self, head: dict[str, Any], image: NDArray[np.uint8] | bytes) -> None:
        """Send it soon; waits for room where nothing may be lost."""
        with self._changed:
            if self.lossless:
                self._wait_for_room()
            elif len(self._waiting) == self._size:
                self._waiting.popleft()
                self._report.counts["dropped"] += 1
            self._waiting.append((head, image))
            self._changed.notify_all()

    def taken(self, n: int) -> None:
        """The other side handed out so many images."""
        with self._changed:
            self._room += n
            self._changed.notify_all()

    def hurry(self) -> None:
        """Something changed that the other side should know now."""
        with self._changed:
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nothing waits for room any more: the process is about to end."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def close(self, phase: Phase) -> None:
        """Send what waits, and then the last report: with this phase, which none of the images before carries."""
        with self._changed:
            self._closed, self._last_phase = True, phase
            self._changed.notify_all()
        self._thread.join()

    def _wait_for_room(self) -> None:
        if self._room == 0:
            self._report.phase = "full"
            while self._room == 0 and not self._abandoned:
                self._changed.wait(1.0)
            self._report.phase = "reading"
            self._report.alive_s = self._report.busy_s = self._now_s()
        self._room -= 1

    def _send_all(self) -> None:
        while True:
            with self._changed:
                if not self._waiting and not self._closed:
                    self._changed.wait(REPORT_EVERY_S)
                head, image = self._waiting.popleft() if self._waiting else ({}, None)
                last = self._closed and not self._waiting and image is None
                if last:
                    self._report.phase = self._last_phase
                if self._report.phase == "full":
                    self._report.alive_s = self._report.busy_s = self._now_s()
                message = {"report": self._report.to_json(), **({"frame": head} if image is not None else {})}
            try:
                send(self._file, message, image)
            except OSError:  # nobody reads any more: the process is about to end
                return
            if last:
                return
