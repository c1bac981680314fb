"""Labelled episodes of recorded sequences: what decisions are compared with."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tellapart.errors import DataError, Reason
from tellapart.records import Refusal
from tellapart.records.episode import TrueEpisode
from tellapart.workflows.text_lines import numbered_lines

COLUMNS = ("sequence", "track", "start", "end", "state")
_NEEDED = ("start", "end", "state")
_Row = Mapping[str, object] | str
"""Values by column, or what keeps a line from being a row."""


@dataclass(frozen=True, slots=True)
class Truth(Mapping[str, tuple[TrueEpisode, ...]]):
    """Episodes by the name of their sequence ("" where none is named), sorted; `refusals` are the rows that cannot be used."""

    sequences: Mapping[str, tuple[TrueEpisode, ...]]
    refusals: tuple[Refusal, ...] = ()

    def __getitem__(self, name: str) -> tuple[TrueEpisode, ...]:
        return self.sequences[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)

    def matching(self, recorded: Collection[str]) -> Truth:
        """The same, where a truth that names no sequence belongs to the only one that was recorded, and the other way round."""
        if len(recorded) == 1 and len(self.sequences) == 1 and "" in (*recorded, *self.sequences):
            return Truth(dict(zip(recorded, self.sequences.values(), strict=True)), self.refusals)
        return self


def read_truth(path: str | Path) -> Truth:
    """Read CSV (comma, semicolon or tab) or JSON Lines with `start`, `end`, `state` and, if need be, `sequence` and `track`.

    Times are seconds, the end exclusive. A row without a sense, or one that overlaps an earlier row of its sequence and
    track, is refused, and the rest is read.

    Raises:
        DataError: `dataset_not_found`, `read_failed`, `dataset_format` for missing columns, `dataset_empty`.
    """
    path = Path(path)
    rows, refusals = [], []
    for number, row in _rows(path):
        try:
            rows.append((number, *_episode(row)))
        except ValueError as exc:
            refusals.append(Refusal(f"{path}:{number}", Reason.BAD_ROW.value, str(exc)))
    rows.sort(key=lambda row: (row[1], row[2].track, row[2].start_s, row[0]))
    sequences: dict[str, list[TrueEpisode]] = {}
    last: tuple[int, str, TrueEpisode] | None = None
    for number, sequence, one in rows:
        if last and (last[1], last[2].track) == (sequence, one.track) and one.start_s < last[2].end_s:
            told = f"it overlaps line {last[0]} of the same sequence, which lasts until {last[2].end_s:g}"
            refusals.append(Refusal(f"{path}:{number}", Reason.BAD_ROW.value, told))
            continue
        last = number, sequence, one
        sequences.setdefault(sequence, []).append(one)
    if not sequences:
        why = f"the first row refused: {refusals[0].sentence}" if refusals else "it is empty"
        raise DataError(Reason.DATASET_EMPTY, f"{path} holds no labelled episode: {why}")
    return Truth({name: tuple(sorted(found)) for name, found in sequences.items()}, tuple(refusals))


def _episode(row: _Row) -> tuple[str, TrueEpisode]:
    if isinstance(row, str):
        raise ValueError(row)
    start_s, end_s = _seconds(row, "start"), _seconds(row, "end")
    if end_s <= start_s:
        raise ValueError(f"an episode ends after it starts, got start {start_s:g} and end {end_s:g}")
    state = _name(row, "state")
    if not state:
        raise ValueError("it names no state")
    return _name(row, "sequence"), TrueEpisode(start_s, end_s, state, _name(row, "track"))


def _name(row: Mapping[str, object], column: str) -> str:
    """A text or a number, as a recording has it; "" where there is none."""
    value = row.get(column)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{column} is a name, got {value!r:.40}")
    return str(value).strip()


def _seconds(row: Mapping[str, object], name: str) -> float:
    value = row.get(name)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        seconds = float(value)
    except (ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{name} is a number of seconds, got {value!r:.40}")
    return seconds


def _rows(path: Path) -> Iterator[tuple[int, _Row]]:
    lines = numbered_lines(path)
    first = next(lines, None)
    if first is None:
        return
    everything = chain([first], lines)
    yield from _json_rows(everything) if first[1].lstrip().startswith("{") else _csv_rows(path, everything)


def _json_rows(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, _Row]]:
    for number, text in lines:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        yield number, value if isinstance(value, dict) else "it is not a JSON object"


def _csv_rows(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, _Row]]:
    _, header = next(lines)
    delimiter = max(",;\t", key=header.count)
    names = [name.strip().lower() for name in _cells(header, delimiter) or [header[:40]]]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise DataError(
            Reason.DATASET_FORMAT,
            f"{path} lacks the column {missing[0]!r}: labelled episodes have the columns {', '.join(COLUMNS)}, "
            f"of which sequence and track may be left out; found {', '.join(map(repr, names))}",
        )
    for number, text in lines:
        cells = _cells(text, delimiter)
        if cells is None:
            yield number, "it is no line of a table"
        elif any(cells[len(names) :]):  # such as a comma for the decimal point in a table of commas
            yield number, f"it has {len(cells)} cells, and there are {len(names)} columns"
        else:
            yield number, dict(zip(names, cells, strict=False))


def _cells(text: str, delimiter: str) -> list[str] | None:
    """Of a line; None where it cannot be read as one, such as with a cell of a megabyte."""
    try:
        return next(csv.reader([text], delimiter=delimiter))
    except csv.Error:
        return None
