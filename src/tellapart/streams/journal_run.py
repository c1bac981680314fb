"""What the journal of a stream's folder has of one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tellapart.streams.layout import DECISIONS, day_of
from tellapart.streams.run_lines import RecordedRun, lines_of, reading

_DAY_S = 86400.0

T = TypeVar("T")


def journal_of_run(folder: Path, kind: str, run: RecordedRun, read: Callable[[dict[str, Any]], T]) -> list[T]:
    """In the order of the lines, each as `read` makes it; `kind` is `decisions` or `cameras`.

    Raises:
        DataError: `recording_damaged`.
    """
    # The image that was looked at first need not be the oldest one.
    oldest = f"{kind}-{day_of(max(0.0, run.began_s - _DAY_S))}.jsonl"
    files = [file for file in sorted((folder / DECISIONS).glob(f"{kind}-*.jsonl")) if file.name >= oldest]
    found = []
    for file in files:
        with reading(file):
            found += [read(row) for row in lines_of(file) if row.get("run") == run.id]
    return found
