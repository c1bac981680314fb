"""Where events go. To add a kind: a class with the methods of `streams.protocol.Sink`, an entry in `_KINDS`, the settings
in `settings.stream`, and `tests/contracts/test_sinks.py` runs over it.

What is fit for a webhook, a queue (MQTT) or a database as well: `emit` is called from a thread of the sink's own, one event
after the other, may take its time, and says by `StreamError` that it could not pass an event on; the stream goes on. What
comes faster than it takes waits in a bounded queue, is dropped and counted (`workflows.watch.sending`); at the end all
sinks together have five seconds for what is left. `cloudevents.envelope` makes what such a sink sends; its `id` and `source`
let a receiver drop what came twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tellapart.streams.event import Event
from tellapart.streams.protocol import Sink


def open_sinks(settings: Iterable[Any], stream_name: str, folder: Path) -> tuple[Sink, ...]:
    """One sink for each of `Stream.sinks`, in their order. Relative paths are taken from `folder`.

    `workflows/watch` calls this once, then `emit` of each for every event: for every decision (each sink leaves out what its
    `emit` setting does not ask for) and every change of a camera; and `close` at the end.

    Raises:
        SpecError: `bad_stream` for a setting that cannot be used.
    """
    return tuple(_opened(one, stream_name, folder) for one in settings)


def wanted(event: Event, emit: str) -> bool:
    """Whether a sink set to `changes` or `all` takes an event: ends of episodes and cameras always count as changes."""
    decision = event.decision
    return emit == "all" or decision is None or decision.changed or decision.final


def _opened(settings: Any, stream_name: str, folder: Path) -> Sink:
    kind = next(name for name in _KINDS if hasattr(settings, name))
    return _KINDS[kind](settings, stream_name, folder)


def _jsonl(settings: Any, _stream_name: str, folder: Path) -> Sink:
    from tellapart.streams.sinks.jsonl import JsonLines

    return JsonLines(settings.jsonl, settings.emit, folder)


def _csv(settings: Any, _stream_name: str, folder: Path) -> Sink:
    from tellapart.streams.sinks.rows import CsvRows

    return CsvRows(settings.csv, settings.emit, folder)


def _evidence(settings: Any, _stream_name: str, folder: Path) -> Sink:
    from tellapart.streams.sinks.evidence import EvidenceFolder

    return EvidenceFolder(folder / settings.evidence, settings.emit, settings.keep_days, settings.keep_gb)


def _cloudevents(settings: Any, stream_name: str, folder: Path) -> Sink:
    from tellapart.streams.sinks.cloudevents import CloudEvents

    return CloudEvents(settings.cloudevents, settings.emit, settings.source, stream_name, folder)


_KINDS: dict[str, Callable[[Any, str, Path], Sink]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "evidence": _evidence,
    "cloudevents": _cloudevents,
}
