"""Lines of journals and recordings as they are read back, and the run that wrote them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason

_YEAR_10000_S = 253_402_300_800.0


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """From one start of `watch` to its end: policies began with an empty memory. `ended_s` is None after a kill."""

    id: str
    began_s: float
    ended_s: float | None
    next_s: float = math.inf

    @property
    def last_s(self) -> float:
        """The last instant that may belong to it: of a killed run, the one before the next run began, inf without one."""
        if self.ended_s is not None:
            return self.ended_s
        return math.nextafter(self.next_s, -math.inf) if math.isfinite(self.next_s) else math.inf


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """Each line as JSON; what a kill tore at the end of the file is left out.

    Raises:
        DataError: `recording_damaged`.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise DataError(Reason.RECORDING_DAMAGED, f"{path} cannot be read: {exc.strerror or exc}") from exc
    *lines, _torn = data.split(b"\n")
    del data
    for number, line in enumerate(lines, 1):
        yield _value(line, path, number)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever the block misses in the lines of a file is told with the file's name.

    Raises:
        DataError: `recording_damaged`.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise DataError(
            Reason.RECORDING_DAMAGED, f"{path} holds a line that lacks something or says it wrongly: {exc!r}"
        ) from exc


def instant_in(value: Any) -> float:
    """A time as lines tell it, in seconds since 1970.

    Raises:
        TypeError, ValueError: it is none.
    """
    at_s = float(value)
    if not 0 <= at_s < _YEAR_10000_S:
        raise ValueError(f"{at_s:g} is no time in seconds since 1970")
    return at_s


def _value(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise DataError(
            Reason.RECORDING_DAMAGED,
            f"{path}, line {number}: this is no line of a recording; remove the line, and what it told is left out",
        )
    return value
