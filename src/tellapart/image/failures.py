"""Pillow raises some fifteen kinds of exception on damaged files, and warns; here they become one `ImageError`."""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from tellapart.errors import ImageError, Reason

_FOREIGN = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, EOFError,
    BufferError, RuntimeError, MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


@contextmanager
def translated(name: str, data: bytes) -> Iterator[None]:
    """Turn whatever Pillow raises while reading `data`, a file of format `name`, into `ImageError`; no warnings."""
    _install_filter()
    depth = getattr(_THREAD, "depth", 0)
    _THREAD.depth = depth + 1
    try:
        yield
    except _FOREIGN as exc:
        raise _image_error(name, data, exc) from exc
    finally:
        _THREAD.depth = depth


def _image_error(name: str, data: bytes, exc: BaseException) -> ImageError:
    if isinstance(exc, Image.DecompressionBombError):
        return ImageError(
            Reason.TOO_MANY_PIXELS, f"the {name} file declares more pixels than its decoder accepts: {exc}"
        )
    if isinstance(exc, MemoryError):
        return ImageError(Reason.TOO_MANY_PIXELS, f"there is not enough memory to decode this {name} file")
    if "truncated" in str(exc).lower() or _is_cut_off(name, data):
        return ImageError(Reason.TRUNCATED, f"the {name} file ends too early: it is cut off after {len(data):,} bytes")
    return ImageError(Reason.CORRUPT, f"the {name} file is damaged and cannot be decoded ({_one_line(exc)})")


def _one_line(exc: BaseException) -> str:
    text = " ".join(str(exc).split()).replace("not identified by this driver", "its header is incomplete")
    return text[:160] if text and text.isprintable() else type(exc).__name__


def _is_cut_off(name: str, data: bytes) -> bool:
    """True when the end that every whole file of this format has is missing; asked only after decoding failed."""
    if name == "JPEG":
        return b"\xff\xd9" not in data[-4096:]
    if name == "PNG":
        return b"IEND" not in data[-4096:]
    if name == "GIF":
        return b"\x3b" not in data[-16:]
    if name == "WebP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if name == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    if name == "TIFF":
        first = int.from_bytes(data[4:8], "little" if data[:2] == b"II" else "big")
        return len(data) < 8 or (data[2:4] in (b"*\0", b"\0*") and first + 2 > len(data))
    return name == "AVIF" and _last_box_end(data) > len(data)


def _last_box_end(data: bytes) -> int:
    """Where the top-level boxes of an ISO media file say that it ends (ISO/IEC 14496-12, 4.2)."""
    position = 0
    while 0 <= position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:
            break  # 0: to the end of the file, whatever that is
        position += size
    return position


class _WhileReading:
    """The module pattern of a warning filter: matches in threads that are inside `translated`, nowhere else.

    `warnings.catch_warnings` swaps the filters of the whole process, so two decoding threads would undo each other and
    silence the program around them. A filter only needs an object with `match`; this one asks its own thread.
    """

    # Libraries that hand filters on to threads of their own (scikit-learn) copy the text of the pattern: this matches nothing.
    pattern = r"(?!)"

    def match(self, _module: str, _position: int = 0) -> bool:
        return getattr(_THREAD, "depth", 0) > 0


_THREAD = threading.local()
_FILTER: Any = ("ignore", None, Warning, _WhileReading(), 0)


def _install_filter() -> None:
    # Looked up every time: test runners and others replace the list of filters, or put theirs in front.
    if not warnings.filters or warnings.filters[0] is not _FILTER:
        if _FILTER in warnings.filters:
            warnings.filters.remove(_FILTER)  # type: ignore[attr-defined]
        warnings.filters.insert(0, _FILTER)  # type: ignore[attr-defined]
