"""JPEG images one after the other in one HTTP answer (multipart/x-mixed-replace), byte for byte as the camera sent them."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from http.client import HTTPResponse

from tellapart.errors import Reason, StreamError

MAX_BYTES = 64 * 2**20
"""Largest image that is taken over the network."""
_MAX_LINE = 8192
_MAX_LINES = 64
_MAX_DIGITS = 12
_START, _END = b"\xff\xd8", b"\xff\xd9"


def boundary_of(headers: Message) -> bytes:
    """What stands between two images. Cameras write it with and without the dashes that belong to it, and some not at all:
    then it is empty, and the first line that begins with two dashes is one.

    Raises:
        StreamError: `source_lost`, the answer is no stream of images.
    """
    boundary = headers.get_param("boundary")
    if not isinstance(boundary, str) or not boundary.strip(' "-'):
        if headers.get_content_maintype() == "multipart":
            return b""
        told = headers.get_content_type()
        message = f"expected a stream of images (multipart/x-mixed-replace), got {told}: check the path, or the kind"
        raise StreamError(Reason.SOURCE_LOST, message)
    return boundary.strip(' "').lstrip("-").encode("latin-1")


class Parts:
    """The images of one answer, in order."""

    def __init__(self, response: HTTPResponse, boundary: bytes) -> None:
        self._response = response
        self._boundary = boundary
        self._passed_mark = False

    def __iter__(self) -> Iterator[tuple[bytes, str]]:
        """(JPEG, "") of each image as soon as it is whole, (b"", why not) for what is none; ends with the answer.

        Raises:
            StreamError: `source_lost`, nothing like a boundary came within the bytes of the largest image.
            OSError: the connection broke off or was silent for too long.
        """
        while self._at_part() and (length := self._headers()) is not None:
            if length > MAX_BYTES:
                message = f"an image of {length >> 20} MB was announced; at most {MAX_BYTES >> 20} MB are taken: check the path"
                raise StreamError(Reason.SOURCE_LOST, message)
            data = self._response.read(length) if length > 0 else self._until_end()
            if len(data) < length:
                return
            yield _judged(data)

    def _at_part(self) -> bool:
        """Read on to the end of the next boundary; False where there is none any more."""
        n_bytes = 0
        while not self._passed_mark:
            line = self._response.readline(_MAX_LINE)
            if not line:
                return False
            mark = line.strip()
            if not self._boundary and mark.startswith(b"--"):
                self._boundary = mark.lstrip(b"-")
            # Bytes of an image that broke off may stand before it.
            self._passed_mark = bool(self._boundary) and (
                mark.lstrip(b"-") == self._boundary or mark.endswith(b"--" + self._boundary)
            )
            _expect_room(n_bytes := n_bytes + len(line))
        self._passed_mark = False
        return True

    def _headers(self) -> int | None:
        """Content-Length of the part that begins, 0 where it names none; None at the end."""
        length = 0
        for _ in range(_MAX_LINES):
            line = self._response.readline(_MAX_LINE)
            if not line:
                return None
            if not line.strip():
                break
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value.strip()[:_MAX_DIGITS])
        return length  # after so much that is no header, the image is looked for all the same

    def _until_end(self) -> bytes:
        """An image of which the camera does not say how long it is: it ends as a JPEG does, or before the next boundary.

        That boundary is not waited for: many cameras send it with the next image only.
        """
        data = bytearray()
        while line := self._response.readline(_MAX_LINE):
            self._passed_mark = line.strip().endswith(b"--" + self._boundary)
            if self._passed_mark:
                data += line[: line.rindex(b"--" + self._boundary)]
                break
            data += line
            if line.endswith(_END + b"\r\n"):
                break
            _expect_room(len(data))
        return bytes(data)


def _judged(data: bytes) -> tuple[bytes, str]:
    """Only what begins and ends as a JPEG: half an image would be answered like a whole one."""
    if not data.startswith(_START):
        return b"", "a part of the stream is no JPEG"
    whole = data.rstrip(b"\r\n\x00").endswith(_END)
    return (data, "") if whole else (b"", "a JPEG of the stream is not whole")


def _expect_room(n_bytes: int) -> None:
    if n_bytes > MAX_BYTES:
        message = f"no end of an image within {MAX_BYTES >> 20} MB: this is no stream of JPEG images"
        raise StreamError(Reason.SOURCE_LOST, message)
