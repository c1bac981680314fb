"""OpenCV's capture, opened with time-outs and read as sRGB pixels."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, StreamError
from tellapart.extras import require
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot

OPEN_S = 10.0
"""Longest time to open a network source."""
UNDECODED = "a picture could not be decoded"
_MAX_DAMAGED = 50


def cv2(feature: str) -> Any:
    """OpenCV, with one thread: there are as many processes as cameras.

    Raises:
        MissingExtra: it is not installed.
    """
    module = require("cv2", extra="watch", feature=feature)
    module.setNumThreads(1)
    return module


@contextmanager
def _ffmpeg_options(options: str) -> Iterator[None]:
    """What the FFmpeg in OpenCV is told as it opens an address: it reads its options from the environment alone."""
    if not options:
        yield
        return
    name = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    before = os.environ.get(name)
    os.environ[name] = options if before is None else f"{before}|{options}"
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def network_settings(cv: Any, read_s: float) -> list[int]:
    """Time-outs of FFmpeg. One thread: several would each hold a picture back, and memory."""
    pairs = {
        cv.CAP_PROP_OPEN_TIMEOUT_MSEC: int(1000 * OPEN_S),
        cv.CAP_PROP_READ_TIMEOUT_MSEC: int(1000 * read_s),
        cv.CAP_PROP_N_THREADS: 1,
    }
    return [value for pair in pairs.items() for value in pair]


@contextmanager
def captured(
    cv: Any, address: str | int, api: int, settings: list[int], refusal: str, *, options: str = ""
) -> Iterator[Any]:
    """An open `VideoCapture`, released at the end; `options` are FFmpeg's.

    Raises:
        StreamError: `source_lost` with `refusal`, it could not be opened.
    """
    capture = cv.VideoCapture()
    try:
        with contextlib.suppress(cv.error), _ffmpeg_options(options):
            capture.open(address, api, settings)
        if not capture.isOpened():
            raise StreamError(Reason.SOURCE_LOST, refusal)
        yield capture
    finally:
        capture.release()


def live_pictures(
    cv: Any, capture: Any, clock: Clock, wanted: Callable[[float], bool], uri: str, read_s: float
) -> Iterator[Shot]:
    """Pictures of a camera as they come, until there is none for `read_s`.

    A picture that comes after so long was left in the decoder: it is an old one, and none follows. Damaged ones are refused:
    a bad packet is no lost camera. A camera that is lost fails as often at once.
    """
    n_damaged, asked_s = 0, clock.now_s()
    while n_damaged < _MAX_DAMAGED:
        grabbed = capture.grab()
        if (at_s := clock.now_s()) - asked_s >= read_s:
            return
        if not grabbed:
            n_damaged += 1
            continue
        for _ in range(n_damaged):
            yield Shot(at_s, None, uri, UNDECODED)
        n_damaged = 0
        yield Shot(at_s, *retrieved(cv, capture, uri)) if wanted(at_s) else Shot(at_s, None, uri)
        asked_s = clock.now_s()


def retrieved(cv: Any, capture: Any, uri: str) -> tuple[NDArray[np.uint8] | None, str, str]:
    """(pixels uint8 (height, width, 3) sRGB, uri, refusal) of the picture that was grabbed."""
    taken, picture = capture.retrieve()
    if not taken or picture is None or picture.size == 0:
        return None, uri, UNDECODED
    return _rgb(cv, picture), uri, ""


def _rgb(cv: Any, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = picture.ndim == 2 or picture.shape[2] == 1
    rgb: NDArray[np.uint8] = cv.cvtColor(picture, cv.COLOR_GRAY2RGB if grey else cv.COLOR_BGR2RGB)
    return rgb
