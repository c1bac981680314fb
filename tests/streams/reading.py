"""Sources read in a thread of their own: a test never waits for a camera longer than it says."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tests.builders import Pixels

from tellapart.errors import StreamError
from tellapart.settings.stream import CameraSettings
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot, Source
from tellapart.streams.sources import open_source

DEADLINE_S = 60.0
"""Generous: a busy machine is no failure."""


class Reading:
    """One call of `frames`: what it delivered, and what it ended with."""

    def __init__(self, source: Source) -> None:
        self._delivered: queue.SimpleQueue[Shot | Exception | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._thread.start()

    def shots(self, n: int) -> list[Shot]:
        """The next ones, refused ones included.

        Raises:
            StreamError: the source ended with it before.
        """
        return [self._next() for _ in range(n)]

    def until(self, found: Callable[[Shot], bool]) -> Shot:
        """The first one that is it."""
        until_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < until_s:
            if found(shot := self._next()):
                return shot
        raise AssertionError("no such image came")

    def error(self) -> StreamError:
        """What it ends with; images before it are passed over."""
        until_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < until_s:
            try:
                self._next()
            except StreamError as error:
                return error
        raise AssertionError("images came without end")

    def stop(self) -> None:
        """Take no more; a source that delivers nothing is left to its thread."""
        self._stopping.set()
        self._thread.join(0.5)

    def _next(self) -> Shot:
        one = self._delivered.get(timeout=DEADLINE_S)
        if isinstance(one, Exception):
            raise one
        assert one is not None, "the source ended as a recording does"
        return one

    def _read(self, source: Source) -> None:
        try:
            for shot in source.frames(lambda _: True):
                if self._stopping.is_set():
                    return
                if shot is not None:
                    self._delivered.put(shot)
        except Exception as exc:  # noqa: BLE001  handed to the test
            self._delivered.put(exc)
        else:
            self._delivered.put(None)
        finally:
            source.close()


def opened(address: str, **more: Any) -> Source:
    """The source of an address, as a stream file names it."""
    return open_source(CameraSettings(source=address, **more), Clock.started_now())


def pixels(shot: Shot) -> Pixels:
    """uint8 (height, width, 3) of an image, decoded where it is a file."""
    assert shot.image is not None, shot.refused
    if isinstance(shot.image, bytes):
        from io import BytesIO

        from PIL import Image

        return np.asarray(Image.open(BytesIO(shot.image)).convert("RGB"))
    return shot.image


def until_it_is_back(source: Source) -> Iterator[Reading]:
    """Call `frames` again and again, as capture does; each is stopped when the next is asked for."""
    until_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < until_s:
        reading = Reading(source)
        yield reading
        reading.stop()
    raise AssertionError("it never came back")
