"""Cameras over HTTP: a stream of JPEG images, a single image asked for again and again, or a video that FFmpeg reads."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

from tellapart.errors import Reason, StreamError
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot
from tellapart.streams.sources.address import quoted, shown, without_credentials
from tellapart.streams.sources.live import read_limit_s
from tellapart.streams.sources.login import opener, ways
from tellapart.streams.sources.mjpeg import MAX_BYTES, Parts, boundary_of
from tellapart.streams.sources.opencv import captured, cv2, live_pictures, network_settings

_PAUSE_S = 0.02
_REFUSED_S = 0.5


class HttpSource:
    """`kind` mjpeg and snapshot are taken by their word; otherwise what the server calls it decides."""

    finite = False
    files = False

    def __init__(self, settings: Any, clock: Clock) -> None:
        self._full: str = settings.source
        self._kind: str = settings.kind
        self._address, user, password = without_credentials(quoted(settings.source))
        self._name = shown(settings.source)
        self._read_s = read_limit_s(settings)
        self._clock = clock
        self._opener = opener(self._address, user, password)
        self._response: http.client.HTTPResponse | None = None

    def frames(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """See `Source`."""
        try:
            yield from self._delivered(wanted)
        except (OSError, ValueError, http.client.HTTPException) as exc:  # a ValueError: what was told cannot be read
            raise StreamError(Reason.SOURCE_LOST, _sentence(self._name, exc)) from exc
        finally:
            self.close()

    def close(self) -> None:
        """Hang up."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _delivered(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        response = self._ask()
        told = response.headers.get_content_type()
        if self._kind == "mjpeg" or (self._kind != "snapshot" and told.startswith("multipart/")):
            yield from self._stream(response, wanted)
        elif self._kind == "snapshot" or told.startswith("image/"):
            yield from self._snapshots(response, wanted)
        else:
            self.close()
            yield from self._video(wanted)
        raise StreamError(Reason.SOURCE_LOST, f"{self._name} ended its stream: it is connected again")

    def _ask(self) -> http.client.HTTPResponse:
        self.close()
        self._response = self._opener.open(self._address, timeout=self._read_s)
        return self._response

    def _stream(self, response: http.client.HTTPResponse, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        for data, refused in Parts(response, boundary_of(response.headers)):
            at_s = self._clock.now_s()
            yield Shot(at_s, data if not refused and wanted(at_s) else None, self._name, refused)

    def _snapshots(self, response: http.client.HTTPResponse, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        while True:
            at_s = self._clock.now_s()
            data = response.read(MAX_BYTES + 1)
            self.close()
            if refused := _refusal(data):
                yield Shot(at_s, None, self._name, refused)
            else:
                yield Shot(at_s, data if wanted(at_s) else None, self._name)
            time.sleep(_REFUSED_S if refused else _PAUSE_S)
            while not wanted(self._clock.now_s()):
                time.sleep(_PAUSE_S)
            response = self._ask()

    def _video(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        cv = cv2("reading a video over HTTP")
        refusal = f"{self._name} answers and delivers neither images nor a video that can be read: check the path"
        with captured(cv, self._full, cv.CAP_FFMPEG, network_settings(cv, self._read_s), refusal) as capture:
            yield from live_pictures(cv, capture, self._clock, wanted, self._name, self._read_s)


def _refusal(data: bytes) -> str:
    if not data:
        return "the answer is empty"
    return f"the answer has more than {MAX_BYTES >> 20} MB" if len(data) > MAX_BYTES else ""


def _sentence(name: str, exc: Exception) -> str:
    if isinstance(exc, urllib.error.HTTPError):
        return _refused(name, exc)
    inner = exc.reason if isinstance(exc, urllib.error.URLError) else exc
    if isinstance(inner, TimeoutError):
        return f"{name} did not answer in time: check cable and power of the camera"
    if isinstance(inner, ssl.SSLCertVerificationError):
        return (
            f"{name} shows a certificate that this machine does not trust ({inner.verify_message}): put the certificate of the"
            " camera, or of who signed it, into a file and name that in the environment variable SSL_CERT_FILE"
        )
    why = getattr(inner, "strerror", None) or shown(str(inner)) or type(inner).__name__
    return f"{name} cannot be reached or broke off ({why}): check address, cable and power of the camera"


def _refused(name: str, exc: urllib.error.HTTPError) -> str:
    exc.close()
    offered = ways(exc.headers) if exc.code == 401 else set()
    if offered and not offered & {"basic", "digest"}:
        return f"{name} asks for a login of kind {' or '.join(sorted(offered))}: Basic and Digest are known"
    hint = "check user and password" if exc.code in (401, 403) else "check the path"
    return f"{name} refuses with HTTP status {exc.code}: {hint}"
