"""Cameras that OpenCV reads: RTSP, and USB."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from tellapart.errors import Reason, StreamError
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot
from tellapart.streams.sources.address import shown, usb_device
from tellapart.streams.sources.opencv import OPEN_S, captured, cv2, live_pictures, network_settings

# Without these FFmpeg collects seconds of pictures before it hands out the first, and that one is as old by then.
_AT_ONCE = "fflags;nobuffer|analyzeduration;0|probesize;32"


class RtspSource:
    """An IP camera over RTSP; `transport` is tcp or udp."""

    finite = False
    files = False

    def __init__(self, settings: Any, clock: Clock) -> None:
        self._address: str = settings.source
        self._options = f"rtsp_transport;{settings.transport}|{_AT_ONCE}"
        self._read_s = read_limit_s(settings)
        self._clock = clock

    def frames(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """See `Source`."""
        cv = cv2("reading an RTSP camera")
        name = shown(self._address)
        _expect_answer(self._address)
        refusal = (
            f"{name} answers and delivers no video: check path, user and password, and whether the camera still serves"
            f" another viewer"
        )
        limits = network_settings(cv, self._read_s)
        with captured(cv, self._address, cv.CAP_FFMPEG, limits, refusal, options=self._options) as capture:
            yield from live_pictures(cv, capture, self._clock, wanted, name, self._read_s)
        raise StreamError(Reason.SOURCE_LOST, f"{name} stopped to deliver images: it is connected again")

    def close(self) -> None:
        """The end of `frames` lets go of the connection."""


class UsbSource:
    """A camera at this machine: usb:0, or /dev/video0."""

    finite = False
    files = False

    def __init__(self, settings: Any, clock: Clock) -> None:
        self._device = usb_device(settings.source)
        self._read_s = read_limit_s(settings)
        self._clock = clock

    def frames(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """See `Source`."""
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(max(1, round(self._read_s))))
        cv = cv2("reading a USB camera")
        name = f"usb:{self._device}"
        refusal = f"there is no camera {name}, or another program has it: check the cable, and the number"
        api = cv.CAP_V4L2 if sys.platform == "linux" else cv.CAP_ANY
        with captured(cv, self._device, api, [], refusal) as capture:
            yield from live_pictures(cv, capture, self._clock, wanted, name, self._read_s)
        raise StreamError(Reason.SOURCE_LOST, f"the camera {name} stopped to deliver images: it is opened again")

    def close(self) -> None:
        """The end of `frames` lets go of the device."""


def read_limit_s(settings: Any) -> float:
    """A camera that delivers nothing for so long is connected anew."""
    return max(5.0, float(settings.stale_after_s))


def _expect_answer(address: str) -> None:
    """FFmpeg says of no address why it cannot be opened; the commonest reasons are told here."""
    parts = urlsplit(address)
    port = parts.port or {"rtsp": 554, "rtsps": 322}[parts.scheme.lower()]
    try:
        socket.create_connection((parts.hostname or "", port), timeout=OPEN_S).close()
    except OSError as exc:
        why = "no answer in time" if isinstance(exc, TimeoutError) else exc.strerror or str(exc)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        message = f"nothing answers at {host}:{port} ({why}): check address, cable and power of the camera"
        raise StreamError(Reason.SOURCE_LOST, message) from exc
