"""A video file, looked at once from its beginning to its end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot
from tellapart.streams.sources.opencv import UNDECODED, captured, cv2, retrieved

# At the end of a file a thousand attempts take a millisecond.
_MAX_DAMAGED = 1000
_WHOLE_SHARE = 0.9


class VideoSource:
    """Times are those of the file, from the moment at which it was opened.

    With `pace` fast it goes as fast as its images are taken and loses none; with real it goes like a camera.
    """

    files = False

    def __init__(self, settings: Any, clock: Clock) -> None:
        self._path = Path(settings.source)
        self._real: bool = settings.pace == "real"
        self._clock = clock
        self.finite = not self._real

    def frames(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """See `Source`."""
        cv = cv2("reading a video")
        broken = "is no video that can be read, or not whole: play it to see"
        refusal = f"the file {self._path} {broken if self._path.exists() else 'is not there: check the path'}"
        one_thread = [cv.CAP_PROP_N_THREADS, 1]
        with captured(cv, str(self._path), cv.CAP_FFMPEG, one_thread, refusal) as capture:
            started_s = self._clock.now_s()
            for position_s, refused in _positions(cv, capture):
                at_s = started_s + position_s
                if self._real:
                    time.sleep(max(0.0, at_s - self._clock.now_s()))
                uri = f"{self._path}#t={position_s:.3f}"
                if refused:
                    yield Shot(at_s, None, uri, refused)
                    continue
                yield Shot(at_s, *retrieved(cv, capture, uri)) if wanted(at_s) else Shot(at_s, None, uri)

    def close(self) -> None:
        """The end of `frames` lets go of the file."""


def _positions(cv: Any, capture: Any) -> Iterator[tuple[float, str]]:
    """(seconds of each picture from the first, counted where the file does not tell, ""); (where, why) of what is lost."""
    rate = capture.get(cv.CAP_PROP_FPS)
    step_s = 1.0 / rate if math.isfinite(rate) and 0 < rate <= 1000 else 0.04
    position_s, first_s = -step_s, None
    while (n_damaged := _damaged(capture)) is not None:
        told_s = capture.get(cv.CAP_PROP_POS_MSEC) / 1000
        first_s = told_s if first_s is None else first_s
        position_s = told_s - first_s if told_s - first_s > position_s else position_s + step_s
        for _ in range(n_damaged):
            yield max(0.0, position_s), UNDECODED
        yield max(0.0, position_s), ""
    length_s = capture.get(cv.CAP_PROP_FRAME_COUNT) * step_s
    if length_s > 1 and position_s + step_s < _WHOLE_SHARE * length_s:
        yield (
            max(0.0, position_s),
            f"the last picture is at {position_s:.1f} s of {length_s:.1f} s: the file may not be whole",
        )


def _damaged(capture: Any) -> int | None:
    """How many pictures that cannot be decoded stand before the next one, which is grabbed; None at the end."""
    return next((n for n in range(_MAX_DAMAGED) if capture.grab()), None)
