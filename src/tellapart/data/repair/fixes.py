"""`fixes.csv`: one proposed repair per line, made to be edited by a person in a spreadsheet."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

from tellapart.data.hygiene.protocol import Action
from tellapart.data.labels import parse_labels
from tellapart.data.readers.csv_file import csv_rows
from tellapart.data.split_names import normalise_split
from tellapart.data.table import atomic_path
from tellapart.errors import DataError, Reason

COLUMNS = ("accept", "uri", "action", "value", "was", "check", "why", "id", "region")
ACTIONS: tuple[Action, ...] = get_args(Action)
Fault = tuple[int, str]
"""A line and what is wrong with it."""
_YES, _NO = ("yes", "y", "true", "1", "x"), ("no", "n", "false", "0", "")
_OPTIONAL = ("was", "check", "why", "id", "region")
# A cell that begins like this is a formula to spreadsheets, and file names come from anywhere (OWASP, CSV injection).
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_SHOWN_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Fix:
    """One line. `uri` and `region` (JSON, "" for a whole image) name the sample, `id` the bytes it was proposed for.

    `value` is the new label (several as `a|b`), group or split. `was` is what `value` replaces, "" where nobody said. A
    merge is about the label `was` of all images, its `uri` is "".
    """

    action: Action
    uri: str = ""
    value: str = ""
    was: str = ""
    check: str = ""
    why: str = ""
    id: str = ""
    region: str = ""
    accept: bool = True
    line: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """The sample it is about."""
        return self.uri, self.region

    @property
    def named(self) -> str:
        """The line as faults call it; for a fix made in Python, what it is about."""
        return f"line {self.line}" if self.line else f"{self.action} {self.uri or self.was!r}"


def write_fixes(fixes: Sequence[Fix], path: Path, *, more: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
    """Write the file, whole or not at all; UTF-8 with the mark by which Excel knows it.

    `more` are columns for people, a cell for each fix; reading leaves them out.

    Raises:
        DataError: output_exists, as `refuse_earlier`; write_failed.
    """
    refuse_earlier(path)
    beside = list(zip(*more.values(), strict=True)) if more else [()] * len(fixes)
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow([*COLUMNS, *more])
        for fix, cells in zip(fixes, beside, strict=True):
            out.writerow([guarded(cell) for cell in (*_cells(fix), *cells)])


def refuse_earlier(path: Path) -> None:
    """Raise DataError (output_exists) where a file lies already: hours of somebody's decisions may stand in it."""
    if path.is_file():
        raise DataError(
            Reason.OUTPUT_EXISTS, f"{path} exists, and may hold what somebody decided; choose another name or remove it"
        )


def read_fixes(path: Path) -> tuple[Fix, ...]:
    """Read the file in any form in which spreadsheets save it: comma, semicolon or tab, columns in any order.

    Raises:
        DataError: dataset_not_found; dataset_format, when it is no such file; bad_row, with all faults and their lines.
    """
    fixes, faults = parse_fixes(path)
    refuse_faults(faults, str(path))
    return fixes


def parse_fixes(path: Path) -> tuple[tuple[Fix, ...], list[Fault]]:
    """The lines that can be understood, and what is wrong with the others; raises what is wrong with the whole."""
    if not path.is_file():
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file {path}")
    rows = csv_rows(path)
    header = _header(path, next(rows, (0, None, "it is empty")))
    fixes, faults = [], []
    for line, cells, fault in rows:
        try:
            fixes.append(_parsed(line, header, cells, fault))
        except DataError as error:
            faults.append((line, f"line {line}: {error}"))
    return tuple(fixes), faults


def refuse_faults(faults: Iterable[Fault], where: str) -> None:
    """DataError bad_row with all faults by line; nothing when there are none."""
    told = [fault for _, fault in sorted(faults, key=lambda one: one[0])]
    if not told:
        return
    shown = told[:_SHOWN_FAULTS]
    if len(told) > len(shown):
        shown.append(f"and {len(told) - len(shown):,} more")
    many = "1 fault" if len(told) == 1 else f"{len(told):,} faults"
    raise DataError(Reason.BAD_ROW, f"{where} has {many}, so nothing was changed:\n  " + "\n  ".join(shown))


def accept_all(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    """Every fix accepted, whatever a person said, but for those that contradict an earlier one or have no value yet."""
    return tuple(settled(replace(fix, accept=fix.accept or fix.action == "drop" or bool(fix.value)) for fix in fixes))


def settled(fixes: Iterable[Fix]) -> Iterator[Fix]:
    """The fixes, of which those that contradict an earlier accepted one are no longer accepted.

    Contradictions are two of: drops, relabellings, groups or splits of one image; new names of one label; a group or
    split for an image that was dropped; a merge that leads a label back to itself.
    """
    taken: set[tuple[object, ...]] = set()
    merged: dict[str, str] = {}
    for fix in fixes:
        about = _about(fix)
        if fix.accept and (about in taken or _is_idle(fix, taken) or _leads_back(fix, merged)):
            yield replace(fix, accept=False)
            continue
        if fix.accept:
            # A relabelled image may be grouped and moved as well; one that is dropped is gone.
            taken |= {about, ("content", fix.key)} if fix.action == "drop" else {about}
            merged |= {fix.was: fix.value} if fix.action == "merge" else {}
        yield fix


def _is_idle(fix: Fix, taken: set[tuple[object, ...]]) -> bool:
    return fix.action != "merge" and ("content", fix.key) in taken


def _leads_back(fix: Fix, merged: Mapping[str, str]) -> bool:
    """Whether a merge closes a circle of merges."""
    name = fix.value
    while name in merged and name != fix.was:
        name = merged[name]
    return fix.action == "merge" and name == fix.was


def _about(fix: Fix) -> tuple[object, ...]:
    """What a fix settles: two accepted ones about the same thing contradict each other."""
    if fix.action == "merge":
        return "merge", fix.was
    return ("labels" if fix.action in ("drop", "relabel") else fix.action), fix.key


def _cells(fix: Fix) -> list[str]:
    values = {name: getattr(fix, name) for name in COLUMNS} | {"accept": "yes" if fix.accept else "no"}
    return [values[name] for name in COLUMNS]


def guarded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _header(path: Path, row: tuple[int, list[str] | None, str]) -> list[str]:
    _, cells, fault = row
    names = [name.strip().lower() for name in cells or ()]
    missing = [name for name in COLUMNS if name not in names and name not in _OPTIONAL]
    if missing:
        said = fault or f"no column {', '.join(missing)}"
        message = f"{path} is no list of fixes: {said}; `tellapart check DATA --proposals fixes.csv` writes one"
        raise DataError(Reason.DATASET_FORMAT, message)
    return names


def _parsed(line: int, header: Sequence[str], cells: Sequence[str] | None, fault: str) -> Fix:
    if cells is None or len(cells) != len(header):
        told = fault or f"{len(cells or ())} fields, the header has {len(header)}"
        raise DataError(Reason.BAD_ROW, told)
    values = {name: _unguarded(cell) for name, cell in zip(header, cells, strict=True)}
    accept = values["accept"].strip().lower()
    fix = Fix(
        cast(Action, values["action"].strip().lower()),
        values["uri"],
        values["value"].strip(),
        **{name: values.get(name, "") for name in _OPTIONAL},
        accept=accept in _YES,
        line=line,
    )
    wrong = [] if accept in (*_YES, *_NO) else [f"accept is yes or no, got {values['accept']!r:.40}"]
    wrong += faults_of(fix)
    if wrong:
        raise DataError(Reason.BAD_ROW, "; ".join(wrong))
    return fix


def faults_of(fix: Fix) -> list[str]:
    """What is wrong with a fix whatever it is applied to. One that is not accepted may wait for its value."""
    if fix.action not in ACTIONS:
        return [f"action is one of {', '.join(ACTIONS)}, got {fix.action!r:.40}"]
    return _wrong_value(fix) if fix.accept or fix.value else []


def _wrong_value(fix: Fix) -> list[str]:
    action, value, wrong = fix.action, fix.value, list[str]()
    if action == "merge":
        if not fix.was:
            wrong.append("merge needs the label to be replaced in was")
    elif not fix.uri:
        wrong.append(f"{action} needs the image in uri")
    if action == "move" and normalise_split(value) is None:
        wrong.append(f"move needs train, val or test in value, got {value!r:.40}")
    elif action not in ("drop", "move") and not value.strip():
        wrong.append(f"{action} needs the new {'group' if action == 'group' else 'label'} in value")
    elif action == "relabel":
        try:
            parse_labels(value)
        except DataError as error:
            wrong.append(str(error))
    return wrong
