"""Reads sources in a thread of its own, so that a test can wait for what they deliver."""

from __future__ import annotations

import queue
import threading
import time
from types import SimpleNamespace
from typing import Any

from tellapart.settings.stream import CameraSettings
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot, Source
from tellapart.streams.sources import open_source

DEADLINE_S = 60.0


def settings_of(source: Any, **more: Any) -> Any:
    """The fields of a camera's settings, as the capturing process has them."""
    return SimpleNamespace(**dict(CameraSettings(source=str(source), **more)))


def source_of(source: Any, **more: Any) -> Source:
    """What `open_source` makes of an address."""
    return open_source(settings_of(source, **more), Clock.started_now())


class Read:
    """What `source` delivers, and how it ended. `alive` counts its words that nothing is new."""

    def __init__(self, source: Source, *, wanted: bool = True) -> None:
        self._source, self._wanted = source, wanted
        self._shots: queue.Queue[Shot] = queue.Queue()
        self.fault: Exception | None = None
        self.ended = threading.Event()
        self.n_alive = 0
        self._stopped = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Read:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped = True
        self._thread.join(DEADLINE_S)

    def next(self) -> Shot:
        """The next image."""
        return self._shots.get(timeout=DEADLINE_S)

    def some(self, n: int) -> list[Shot]:
        """The next images."""
        return [self.next() for _ in range(n)]

    def nothing(self) -> bool:
        """Whether nothing waits after the source looked five times more."""
        before, end_s = self.n_alive, time.monotonic() + DEADLINE_S
        while self.n_alive < before + 5 and time.monotonic() < end_s:
            time.sleep(0.01)
        return self._shots.empty()

    def rest(self) -> list[Shot]:
        """All images up to the end."""
        assert self.ended.wait(DEADLINE_S)
        return [self._shots.get() for _ in range(self._shots.qsize())]

    def _read(self) -> None:
        try:
            for shot in self._source.frames(lambda _: self._wanted or self._stopped):
                if shot is None:
                    self.n_alive += 1
                else:
                    self._shots.put(shot)
                if self._stopped:
                    break
        except Exception as exc:  # noqa: BLE001 - what it is, the test looks at
            self.fault = exc
        finally:
            self._source.close()
            self.ended.set()
