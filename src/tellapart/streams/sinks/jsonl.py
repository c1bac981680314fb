"""JSON Lines: one event a line."""

from __future__ import annotations

from pathlib import Path

from tellapart.streams.event import Event
from tellapart.streams.journal import as_line
from tellapart.streams.sinks import wanted
from tellapart.streams.sinks.outlet import Outlet


class JsonLines:
    """As `Event.to_json` has it."""

    def __init__(self, place: str, emit: str, folder: Path) -> None:
        self._outlet, self._emit = Outlet(place, folder), emit
        self.name = f"jsonl {self._outlet.told}"

    def emit(self, event: Event) -> None:
        """Add a line.

        Raises:
            StreamError: `sink_failed`.
        """
        if wanted(event, self._emit):
            self._outlet.add(as_line(event.to_json()))

    def close(self) -> None:
        """Let go of the file."""
        self._outlet.close()
