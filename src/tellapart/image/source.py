"""Read one file's bytes under a ceiling, and never hang on what only looks like a file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from tellapart.errors import ImageError, Reason
from tellapart.image.types import DecodeLimits

# A FIFO opened without O_NONBLOCK waits for a writer for ever. Windows has neither flag of the two, POSIX no O_BINARY.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: str | Path, limits: DecodeLimits) -> bytes:
    """The whole content of a regular file (links are followed).

    Raises:
        ImageError: file_not_found (also broken links), not_a_file (folder, FIFO, device, link loop),
            permission_denied, empty_file, file_too_large, read_failed.
    """
    try:
        # Looked at before it is opened: opening a device can act on it.
        _expect_regular(path, os.stat(path))
        with open(os.open(path, _FLAGS), "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            _expect_regular(path, status)
            _expect_size(path, status.st_size, limits)
            data = file.readall()
    except (OSError, ValueError) as exc:
        raise _translated(path, exc) from exc
    _expect_size(path, len(data), limits)
    if not data:
        raise ImageError(Reason.EMPTY_FILE, f"the file is empty (0 bytes): {_shown(path)}")
    return data


def _expect_regular(path: str | Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
        raise ImageError(Reason.NOT_A_FILE, f"expected an image file, got {kind}: {_shown(path)}")


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _expect_size(path: str | Path, size: int, limits: DecodeLimits) -> None:
    if size > limits.max_bytes:
        raise ImageError(
            Reason.FILE_TOO_LARGE,
            f"the file has {size:,} bytes, above the ceiling of {limits.max_bytes:,} (max_bytes): {_shown(path)}",
        )


def _translated(path: str | Path, exc: OSError | ValueError) -> ImageError:
    shown = _shown(path)
    if isinstance(exc, PermissionError):
        return ImageError(Reason.PERMISSION_DENIED, f"no permission to read the file: {shown}")
    if isinstance(exc, OSError) and exc.errno == errno.ELOOP:
        return ImageError(
            Reason.NOT_A_FILE, f"expected an image file, got a symbolic link that leads in a circle: {shown}"
        )
    if isinstance(exc, (FileNotFoundError, NotADirectoryError)) and os.path.islink(path):
        return ImageError(Reason.FILE_NOT_FOUND, f"the symbolic link points to nothing: {shown}")
    # ValueError: a NUL character in the name, which no file system can store.
    missing = (FileNotFoundError, NotADirectoryError, ValueError)
    if isinstance(exc, missing) or exc.errno == errno.ENAMETOOLONG:
        return ImageError(Reason.FILE_NOT_FOUND, f"no such file: {shown}")
    return ImageError(Reason.READ_FAILED, f"the file cannot be read ({exc.strerror or exc}): {shown}")


def _shown(path: str | Path) -> str:
    """The path as one line of text, whatever characters are in it."""
    return ascii(str(path)) if not str(path).isprintable() else f"'{path}'"
