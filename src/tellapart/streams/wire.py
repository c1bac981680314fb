"""How a capturing process talks to the one that started it: a JSON head and the bytes of an image, each with its length.

Through a pipe, and not by shared memory: with a pipe of a megabyte it costs 0.4 ms a picture of 640 x 360 on either side
and 2.3 ms of 1920 x 1080, and nothing is left over however a process ends.
"""

from __future__ import annotations

import contextlib
import json
import struct
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_LENGTHS = struct.Struct("<II")
_PIPE_BYTES = 2**20
_MAX_HEAD = 2**20


def widen(file: BinaryIO) -> None:
    """Ask the system for a pipe in which a picture fits: each refill of a small one wakes both processes."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def send(file: BinaryIO, head: Mapping[str, Any], image: NDArray[np.uint8] | bytes | None = None) -> None:
    """Write one message to an unbuffered file. `head` tells `shape` where the image is pixels.

    Raises:
        OSError: nobody reads any more.
    """
    data = b"" if image is None else image if isinstance(image, bytes) else np.ascontiguousarray(image).data.cast("B")
    text = json.dumps(head, separators=(",", ":")).encode()
    for piece in (_LENGTHS.pack(len(text), len(data)) + text, data):
        rest = memoryview(piece)
        while rest:
            rest = rest[file.write(rest) :]


def receive(file: BinaryIO) -> tuple[dict[str, Any], NDArray[np.uint8] | None] | None:
    """(head, bytes of the image as uint8 (n,)) of the next message; None at the end, also within one, and where there is no
    memory for it."""
    if (lengths := _exactly(file, _LENGTHS.size)) is None:
        return None
    n_head, n_image = _LENGTHS.unpack(lengths.tobytes())
    if n_head > _MAX_HEAD or (text := _exactly(file, n_head)) is None:
        return None
    image = _exactly(file, n_image) if n_image else None
    if n_image and image is None:
        return None
    try:
        return json.loads(text.tobytes()), image
    except ValueError:  # something else wrote into the pipe
        return None


def _exactly(file: BinaryIO, n_bytes: int) -> NDArray[np.uint8] | None:
    try:
        data = np.empty(n_bytes, np.uint8)
    except MemoryError:
        return None
    rest = data.data
    while rest:
        n_read = file.readinto(rest)  # type: ignore[attr-defined]
        if not n_read:
            return None
        rest = rest[n_read:]
    return data
