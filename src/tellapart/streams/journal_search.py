"""Decisions found again in a journal: bytes are searched first, and only lines that match are read."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason
from tellapart.streams.layout import DECISIONS

FULL_ID = 16
"""Digits of a whole id: one of these is searched for only until it is found."""
_START = b'{"decisionId":"'


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a journal, as JSON, and where it lies."""

    value: dict[str, Any]
    file: Path
    offset: int


def find(folder: Path, prefix: str) -> list[Entry]:
    """Entries of a stream's folder whose id begins so, the latest day first; an id has hex digits alone.

    Raises:
        DataError: `recording_damaged` for a line that begins like an entry and is none.
    """
    found: list[Entry] = []
    for file in reversed(journal_files(folder)):
        found += _in_file(file, _START + prefix.encode("ascii", "backslashreplace"))
        if found and len(prefix) >= FULL_ID:
            break
    return found


def around(entry: Entry, *, n_bytes: int = 4_000_000) -> list[dict[str, Any]]:
    """Entries of the same subject and track from the same file near `entry`, itself among them, in order."""
    subject, track = entry.value["subject"], entry.value["track"]
    start = max(0, entry.offset - n_bytes)
    with entry.file.open("rb") as file:
        file.seek(start)
        data = file.read(entry.offset - start + n_bytes)
    lines = data.split(b"\n")[1 if start else 0 :]
    needle = json.dumps(subject, ensure_ascii=False).encode("utf-8", "replace")
    near = []
    for line in lines:
        if needle in line:
            value = _value(line)
            if value is not None and (value.get("subject"), value.get("track")) == (subject, track):
                near.append(value)
    return near


def journal_files(folder: Path) -> list[Path]:
    """Of all days, in order."""
    return sorted((folder / DECISIONS).glob("decisions-*.jsonl"))


def _in_file(path: Path, needle: bytes) -> Iterator[Entry]:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = data.find(needle)
            while at >= 0:
                end = data.find(b"\n", at)
                line_begins = at == 0 or data[at - 1] == 10
                if end >= 0 and line_begins:  # a line without an end is still being written
                    yield Entry(_entry(data[at:end], path), path, at)
                at = data.find(needle, end if end >= 0 else len(data))


def _entry(line: bytes, path: Path) -> dict[str, Any]:
    value = _value(line)
    if value is None:
        raise DataError(
            Reason.RECORDING_DAMAGED,
            f"{path} holds a line that is no decision: {line[:80].decode('utf-8', 'replace')!r}; remove the line",
        )
    return value


def _value(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
