"""What sinks of lines write to: a file that grows by whole lines, or the standard output."""

from __future__ import annotations

import sys
from pathlib import Path

from tellapart.errors import Reason, StreamError
from tellapart.streams.lines import LineFile

STDOUT = "-"


class Outlet:
    """Takes whole lines; `told` names it in sentences and in counts of failures."""

    def __init__(self, place: str, folder: Path, *, head: bytes = b"") -> None:
        self.told = "standard output" if place == STDOUT else str(folder / place)
        self._file = None if place == STDOUT else LineFile(folder / place, head=head)
        self._head = head

    def add(self, lines: bytes) -> None:
        """Write them, all or none.

        Raises:
            StreamError: `sink_failed`.
        """
        try:
            if self._file is not None:
                self._file.add(lines)
            else:
                self._print(lines)
        except (OSError, ValueError) as exc:  # ValueError: the standard output is closed
            said = getattr(exc, "strerror", None) or exc
            raise StreamError(Reason.SINK_FAILED, f"{self.told} could not be written: {said}") from exc

    def close(self) -> None:
        """May be called twice."""
        if self._file is not None:
            self._file.close()

    def _print(self, lines: bytes) -> None:
        head, self._head = self._head, b""
        sys.stdout.write((head + lines).decode())
        sys.stdout.flush()
