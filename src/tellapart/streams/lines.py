"""Text files that grow by whole lines: a line is there or it is not, whatever ended the process or filled the disk."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_LOOK_BACK = 65536


class LineFile:
    """A file that lines are added to; opened with the first one, its folder made where it is missing.

    What a kill left of a line is cut off when the file is opened: nothing before it is lost. A line that could not be
    written to its end (a full disk) is taken back, and the next one is tried again. A file that was moved away (rotated)
    is begun anew. `head` stands before the first line. A pipe or device is written to as it is.
    """

    def __init__(self, path: Path, *, head: bytes = b"") -> None:
        self.path, self._head = path, head
        self._file: int | None = None
        self._torn_at: int | None = None

    def add(self, lines: bytes) -> None:
        """Write whole lines, all of them or none; each ends with a line break.

        Raises:
            OSError: they are not in the file.
        """
        file = self._opened()
        self._mend(file)
        if self._head and _size(file) == 0:
            lines = self._head + lines
        whole = _size(file)
        try:
            _write(file, lines)
        except BaseException:
            self._torn_at = whole
            with contextlib.suppress(OSError):
                self._mend(file)
            raise

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def _opened(self) -> int:
        if self._file is not None and not self._is_there(self._file):
            self.close()
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Reading is what finds a torn line; pipes are opened for writing alone.
            regular = not self.path.exists() or self.path.is_file()
            how = os.O_RDWR if regular else os.O_WRONLY
            self._file = os.open(self.path, how | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._torn_at = _end_of_whole_lines(self._file) if regular else None
        return self._file

    def _is_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
        except FileNotFoundError:
            return False

    def _mend(self, file: int) -> None:
        if self._torn_at is not None:
            if stat.S_ISREG(os.fstat(file).st_mode) and _size(file) > self._torn_at:
                os.ftruncate(file, self._torn_at)
            self._torn_at = None


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _size(file: int) -> int:
    return os.fstat(file).st_size


def _end_of_whole_lines(file: int) -> int | None:
    """Where the last line break ends; None where that is the end of the file."""
    end = _size(file)
    if end == 0 or os.pread(file, 1, end - 1) == b"\n":
        return None
    while end > 0:
        start = max(0, end - _LOOK_BACK)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
