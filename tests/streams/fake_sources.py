"""Sources that do on purpose what cameras do by accident. The address says what: `steady`, `still`, `black` and so on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, StreamError
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot

OPENER = "tests.streams.fake_sources:open_fake"
STEP_S = 0.02


def picture(number: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A grey picture (48, 64, 3) whose first pixel tells its number."""
    pixels = np.full((size[1], size[0], 3), 60 + number % 100, np.uint8)
    pixels[0, 0] = number % 256, number // 256 % 256, 7
    return pixels


class FakeSource:
    """A camera of fifty images a second."""

    finite = False
    files = False

    def __init__(self, what: str, argument: str, clock: Clock) -> None:
        self._what, self._argument, self._clock = what, argument, clock
        self.finite = what in ("recording", "crash", "alike")
        self._n = self._n_opened = 0

    def frames(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        self._n_opened += 1
        yield from getattr(self, f"_{self._what}")(wanted)

    def close(self) -> None:
        pass

    def _shot(self, pixels: NDArray[np.uint8] | bytes | None, wanted: Callable[[float], bool]) -> Shot:
        time.sleep(STEP_S)
        at_s = self._clock.now_s()
        self._n += 1
        return Shot(at_s, pixels if wanted(at_s) else None, f"fake:{self._n - 1}")

    def _steady(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        while True:
            yield self._shot(picture(self._n), wanted)

    def _still(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        while True:
            yield self._shot(picture(5), wanted)

    def _thaws(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """The same picture until the file `argument` is there."""
        while True:
            yield self._shot(picture(self._n if Path(self._argument).exists() else 5), wanted)

    def _black(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """Black but for the time in a corner, which changes."""
        while True:
            pixels = np.zeros((100, 100, 3), np.uint8)
            pixels[2:8, 5:45] = 200 + self._n % 50
            yield self._shot(pixels, wanted)

    def _silent(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """Ten images, and then none any more, without an end."""
        for _ in range(10):
            yield self._shot(picture(self._n), wanted)
        time.sleep(3600)

    def _lost(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """Lost after ten images each time."""
        for _ in range(10):
            yield self._shot(picture(self._n), wanted)
        raise StreamError(Reason.SOURCE_LOST, "rtsp://user:secret@camera/1 stopped to deliver images")

    def _aborts(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        time.sleep(0.2)
        os.abort()
        yield None

    def _absent(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        raise StreamError(Reason.SOURCE_LOST, "nothing answers at camera:554")
        yield None

    def _recording(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """So many images as fast as they are taken, half a second apart."""
        started_s = self._clock.now_s()
        for number in range(int(self._argument)):
            at_s = started_s + number / 2
            yield Shot(at_s, picture(number) if wanted(at_s) else None, f"fake:{number}")

    def _alike(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """So many images of one instant, and of a time that no journal can write."""
        at_s = self._clock.now_s() + 1e-7
        for number in range(int(self._argument)):
            yield Shot(at_s, picture(number), f"fake:{number}")

    def _crash(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """The process dies the first time; the file `argument` remembers."""
        memory = Path(self._argument)
        for number in range(5):
            yield Shot(self._clock.now_s(), picture(number))
        if not memory.exists():
            memory.touch()
            time.sleep(0.3)
            os.abort()

    def _resized(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        while True:
            yield self._shot(picture(self._n, (64, 48) if self._n < 10 else (32, 24)), wanted)

    def _garbage(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """Every second image is none."""
        while True:
            yield self._shot(b"no image at all" if self._n % 2 else Path(self._argument).read_bytes(), wanted)

    def _fault(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        raise ZeroDivisionError("a fault in the source itself")
        yield None


def open_fake(settings: Any, clock: Clock) -> FakeSource:
    """A source of the address `what?argument`."""
    what, _, argument = settings.source.partition("?")
    return FakeSource(what, argument, clock)
