"""JSON Lines: one object per line with `file_name` and `label` or `labels`, any other keys as metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.readers.rows import COLUMNS, RowCollector
from tellapart.errors import DataError, Reason

MAX_LINE_BYTES = 2**20


class Jsonl:
    """One JSON object per line; blank lines are skipped, a BOM is."""

    name = "jsonl"
    summary = '{"file_name": …, "label": …} or {"labels": […]} per line'

    def accepts(self, path: Path) -> bool:
        """By suffix: .jsonl or .ndjson."""
        return path.suffix.lower() in (".jsonl", ".ndjson") and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Rows to samples; keys may differ from line to line."""
        collector = RowCollector(options.images or path.parent, options)
        for where, row in json_rows(path, collector):
            collector.add(row, where=where)
        return collector.finish()


def json_rows(path: Path, collector: RowCollector) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) per line; lines that are no object naming a file are refused in the collector.

    Raises:
        DataError: dataset_format, when the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                where = f"{path.name} line {number}"
                if len(line) >= MAX_LINE_BYTES and not line.endswith(b"\n"):
                    while line and not line.endswith(b"\n"):
                        line = file.readline(MAX_LINE_BYTES)
                    message = f"{where}: the line has more than {MAX_LINE_BYTES} bytes"
                    collector.refuse(where, Reason.FIELD_TOO_LARGE, message)
                    continue
                row = _object(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, where, collector)
                if row is not None:
                    yield where, row
    except OSError as exc:
        raise DataError(Reason.DATASET_FORMAT, f"{path} cannot be read ({exc})") from exc


def _object(line: bytes, where: str, collector: RowCollector) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as exc:
        collector.refuse(where, Reason.BAD_ROW, f"{where}: not JSON ({exc})")
        return None
    if isinstance(value, dict) and any(key.lower() in COLUMNS["file"] for key in value):
        return value
    collector.refuse(where, Reason.BAD_ROW, f"{where}: expected an object with file_name, got {line[:60]!r}")
    return None
