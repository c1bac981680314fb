"""CSV by RFC 4180: one row a decision."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from tellapart.records.decision import Decision
from tellapart.streams.event import Event
from tellapart.streams.layout import instant
from tellapart.streams.sinks import wanted
from tellapart.streams.sinks.outlet import Outlet

COLUMNS = (
    *("at", "stream", "subject", "track", "state", "since", "changed", "rule", "because", "episode", "final"),
    *("policy", "models", "images", "decision_id"),
)
# What spreadsheets take for a formula; names and reasons come from anywhere (OWASP, CSV injection).
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


class CsvRows:
    """Changes of cameras are no rows. Line breaks inside a field are written as \\n: a row is a line."""

    def __init__(self, place: str, emit: str, folder: Path) -> None:
        self._outlet, self._emit = Outlet(place, folder, head=_row(COLUMNS)), emit
        self.name = f"csv {self._outlet.told}"

    def emit(self, event: Event) -> None:
        """Add a row.

        Raises:
            StreamError: `sink_failed`.
        """
        if event.decision is not None and wanted(event, self._emit):
            self._outlet.add(_row(_cells(event.stream, event.decision)))

    def close(self) -> None:
        """Let go of the file."""
        self._outlet.close()


def _cells(stream: str, decision: Decision) -> list[str]:
    episode = "" if decision.episode is None else str(decision.episode)
    values = [
        *(instant(decision.at_s), stream, decision.subject, decision.track, decision.state, instant(decision.since_s)),
        *("true" if decision.changed else "false", decision.rule, decision.because, episode),
        *("true" if decision.final else "false", decision.policy, "|".join(decision.models)),
        *(str(len(decision.evidence)), decision.id),
    ]
    return [_guarded(value) for value in values]


def _guarded(text: str) -> str:
    """As one line; what a spreadsheet would compute gets an apostrophe before it."""
    line = text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{line}" if _FORMULA.match(text) else line


def _row(cells: Sequence[str]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return stream.getvalue().encode("utf-8", "backslashreplace")
