"""CloudEvents 1.0 in JSON (github.com/cloudevents/spec, spec.md and formats/json-format.md): one event a line."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tellapart.errors import Reason, SpecError
from tellapart.records.decision import Decision
from tellapart.streams.event import Event
from tellapart.streams.health import CameraChange
from tellapart.streams.journal import as_line
from tellapart.streams.layout import instant
from tellapart.streams.sinks import wanted
from tellapart.streams.sinks.outlet import Outlet

PREFIX = "io.tellapart"
# RFC 3986, section 2: the characters of a URI reference, percent signs with two hex digits.
_URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


class CloudEvents:
    """Types: `io.tellapart.decision.changed`, `….decision.final` (an episode ended with the state that held already),
    `….decision.confirmed` (where all decisions are asked for), `io.tellapart.camera.changed`."""

    def __init__(self, place: str, emit: str, source: str | None, stream_name: str, folder: Path) -> None:
        """`source` is a URI reference, tellapart/NAME where none is named.

        Raises:
            SpecError: `bad_stream` for one that is none.
        """
        self._source = f"tellapart/{quote(stream_name, safe='')}" if source is None else source
        if not _URI_REFERENCE.fullmatch(self._source):
            raise SpecError(
                Reason.BAD_STREAM,
                f"the source of CloudEvents must be a URI or a part of one, such as https://plant.example/line-1, "
                f"got {self._source!r}; write other characters as %20",
            )
        self._outlet, self._emit = Outlet(place, folder), emit
        self.name = f"cloudevents {self._outlet.told}"

    def emit(self, event: Event) -> None:
        """Add a line.

        Raises:
            StreamError: `sink_failed`.
        """
        if wanted(event, self._emit):
            self._outlet.add(as_line(envelope(event, self._source)))

    def close(self) -> None:
        """Let go of the file."""
        self._outlet.close()


def envelope(event: Event, source: str) -> dict[str, Any]:
    """The event as a CloudEvent. `source` and `id` together name it alone; the same event again has the same id."""
    what, identity, subject, data = _facts(event)
    value: dict[str, Any] = {"specversion": "1.0", "id": identity, "source": source, "type": f"{PREFIX}.{what}"}
    if subject:  # an attribute is not empty
        value["subject"] = subject
    return value | {"time": instant(event.at_s), "datacontenttype": "application/json", "data": data}


def _facts(event: Event) -> tuple[str, str, str, dict[str, Any]]:
    if event.decision is not None:
        return *_of_decision(event.decision), {"stream": event.stream, **event.decision.to_json()}
    assert event.camera is not None
    return (
        "camera.changed",
        _id_of(event.camera),
        event.camera.camera,
        {"stream": event.stream, **event.camera.to_json()},
    )


def _of_decision(decision: Decision) -> tuple[str, str, str]:
    subject = decision.subject
    if decision.changed:
        return "decision.changed", decision.id, subject
    if decision.final:
        return "decision.final", decision.id, subject
    # At the instant at which time alone changed the state, an image may confirm it from the very same evidence.
    return "decision.confirmed", f"{decision.id}-confirmed", subject


def _id_of(change: CameraChange) -> str:
    text = "\0".join([change.camera, repr(change.at_s), change.state, change.was or "", change.message])
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
