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
_Row = Mapping[str, object] | None


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
    if row is None:
        raise ValueError("it is not a JSON object")
    start_s, end_s = _seconds(row, "start"), _seconds(row, "end")
    if end_s <= start_s:
        raise ValueError(f"an episode ends after it starts, got start {start_s:g} and end {end_s:g}")
    state = str(row.get("state") or "").strip()
    if not state:
        raise ValueError("it names no state")
    return str(row.get("sequence") or "").strip(), TrueEpisode(
        start_s, end_s, state, str(row.get("track") or "").strip()
    )


def _seconds(row: Mapping[str, object], name: str) -> float:
    value = row.get(name)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{name} is a number of seconds, got {value!r}")
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
        except ValueError:
            value = None
        yield number, value if isinstance(value, dict) else None


def _csv_rows(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, _Row]]:
    _, header = next(lines)
    delimiter = max(",;\t", key=header.count)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter))]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise DataError(
            Reason.DATASET_FORMAT,
            f"{path} lacks the column {missing[0]!r}: labelled episodes have the columns {', '.join(COLUMNS)}, "
            f"of which sequence and track may be left out; found {', '.join(map(repr, names))}",
        )
    for number, text in lines:
        cells = next(csv.reader([text], delimiter=delimiter))
        yield number, dict(zip(names, cells, strict=False))
