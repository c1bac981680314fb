"""Rows of any tabular format to samples: which column means what, which rows cannot be used, which belong together."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tellapart.data.containers import split_row
from tellapart.data.labels import parse_labels
from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.resolve import Resolver
from tellapart.data.split_names import is_unassigned, normalise_split
from tellapart.errors import DataError, Reason, SpecError
from tellapart.records import Refusal, Roi, Sample

# Canonical column first: writers use it, readers take the first that is there. Compared in lower case.
COLUMNS = {
    "file": ("file_name", "filename", "file", "image", "image_path", "path", "filepath", "file_path", "uri", "url"),
    "labels": ("labels", "label", "class", "classes", "category", "categories", "choice", "choices", "tag", "tags"),
    "group": ("group", "group_id"),
    "split": ("split", "subset", "set", "ml_use"),
    "captured_at": ("captured_at",),
    "roi": ("roi",),
}
RESERVED = frozenset(name for names in COLUMNS.values() for name in names)
METADATA_PREFIX = "metadata."


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part; the rest is metadata, as (column, key) pairs."""

    of: Mapping[str, str]
    metadata: tuple[tuple[str, str], ...]

    @classmethod
    def find(cls, columns: Iterable[str]) -> Roles:
        """Roles by name, whatever the case; of several candidates the first in `COLUMNS` wins."""
        columns = list(columns)
        lowered = {name.strip().lower(): name for name in reversed(columns)}
        of = {
            role: lowered[found]
            for role, names in COLUMNS.items()
            if (found := next((name for name in names if name in lowered), None)) is not None
        }
        # Columns without a name (pandas' index) come as "\0…" and mean nothing.
        rest = [name for name in columns if name not in of.values() and name.strip() and name[0] != "\0"]
        return cls(of, tuple((name, _metadata_key(name)) for name in rest))


def _metadata_key(column: str) -> str:
    """Inverse of `metadata_column`: literal behind the prefix, stripped without it."""
    return column.removeprefix(METADATA_PREFIX) if column.startswith(METADATA_PREFIX) else column.strip()


def metadata_column(key: str) -> str:
    """Column in which a metadata key is written, so that `Roles.find` gives the key back."""
    clash = key.strip().lower() in RESERVED or key.startswith(METADATA_PREFIX) or key.strip() != key or not key
    return METADATA_PREFIX + key if clash else key


def parse_captured_at(value: object) -> datetime | None:
    """Time in UTC from ISO 8601 or EXIF text (`2024:01:31 12:00:00`), else None; without a zone it is taken as UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        text = value.strip()
        if len(text) >= 10 and text[4] == text[7] == ":":
            text = f"{text[:4]}-{text[5:7]}-{text[8:]}"
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def parse_roi(value: object) -> Roi | None:
    """Region from `{"name", "points"}` (object or its JSON text) or four numbers `x0,y0,x1,y1`, all relative 0–1.

    Raises:
        SpecError: bad_roi.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value if value.lstrip().startswith(("{", "[")) else f"[{value}]")
        except (ValueError, RecursionError) as exc:
            raise SpecError(Reason.BAD_ROI, f"a region is JSON or x0,y0,x1,y1, got {value!r:.120}") from exc
    if isinstance(value, list) and len(value) == 4 and not any(isinstance(item, list) for item in value):
        value = {"points": [value[:2], value[2:]]}
    if isinstance(value, dict) and value.get("name") is None:
        value = {**value, "name": ""}
    return Roi.from_json(value) if isinstance(value, dict) else Roi.from_json({"points": value})


def _check_text(labels: tuple[str, ...] | None, metadata: tuple[tuple[str, str], ...]) -> None:
    """Half a surrogate pair (JSON lets them through) is no text and could not be stored."""
    text = "".join((*(labels or ()), *(key for _, key in metadata)))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise DataError(Reason.BAD_ROW, f"a label or column is not valid Unicode: {text!a:.80}") from exc


def text_of(value: object) -> str:
    """Metadata as text: numbers and booleans as they print, objects as JSON, nothing as "", half surrogates as "?"."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)
    return value.isoformat() if isinstance(value, date) else str(value)


class RowCollector:
    """Takes rows one by one, keeps samples and refusals, and settles at the end which rows name the same image."""

    def __init__(self, root: Path, options: ReadOptions, roles: Roles | None = None) -> None:
        self.root = root
        self.options = options
        self.roles = roles
        self.resolver = Resolver(root, allow_outside=options.allow_outside)
        self.samples: list[Sample] = []
        self.refusals: list[Refusal] = []
        self.warnings: list[str] = []
        self._has_labels = False
        self._unread: dict[str, int] = defaultdict(int)

    def refuse(self, where: str, reason: Reason, message: str) -> None:
        """Note a row that cannot be used; `where` is its file name, or place in the file."""
        self.refusals.append(Refusal(where, reason.value, message))

    def add(self, row: Mapping[str, Any], *, where: str, uri: str | None = None, labels: object = ...) -> None:
        """One row as column → value. `uri` and `labels` replace those columns where a format has them elsewhere."""
        roles = self.roles or Roles.find(row)
        of = roles.of
        self._has_labels |= "labels" in of or labels is not ...
        written = row.get(of["file"]) if "file" in of else None
        try:
            found = self.resolver.uri(written) if uri is None else uri
            names = parse_labels(row.get(of.get("labels", "")) if labels is ... else labels)
            roi = parse_roi(row.get(of.get("roi", "")))
            _check_text(names, roles.metadata)
            metadata = {key: text for column, key in roles.metadata if (text := text_of(row.get(column)))}
        except (DataError, SpecError) as exc:
            named = isinstance(written, str) and written.strip()
            name = str(written).encode("utf-8", "backslashreplace").decode() if named else where
            self.refuse(name[:300], exc.reason, f"{where}: {exc}")
            return
        sample = Sample(found, names, roi=roi, metadata=metadata)
        self.samples.append(self._with_context(sample, row, of))

    def _with_context(self, sample: Sample, row: Mapping[str, Any], of: Mapping[str, str]) -> Sample:
        """Group, split and time; what cannot be read of them is kept as metadata, and counted in a warning."""
        group, split, time = (row.get(of[role]) if role in of else None for role in ("group", "split", "captured_at"))
        if group is None and split is None and time is None:
            return sample
        spare = {}
        name = normalise_split(split)
        if name is None and not is_unassigned(split):
            self._unread[f"split {text_of(split)!r:.40}"] += 1
            spare["split"] = text_of(split)
        captured_at = parse_captured_at(time)
        if captured_at is None and text_of(time).strip():
            self._unread["captured_at"] += 1
            spare["captured_at"] = text_of(time)
        metadata = {**sample.metadata, **spare} if spare else sample.metadata
        return replace(
            sample, group=text_of(group).strip() or None, split=name, captured_at=captured_at, metadata=metadata
        )

    def finish(self) -> ReadResult:
        """Settle repeated rows, sort by uri, and report."""
        samples = self._settle_repeats()
        samples.sort(key=sample_order)
        for what, count in sorted(self._unread.items()):
            self.warnings.append(f"{count} rows have a {what} that was not understood; it is kept as a metadata column")
        return ReadResult(self.root, tuple(samples), tuple(self.refusals), tuple(self.warnings), self._has_labels)

    def _settle_repeats(self) -> list[Sample]:
        seen: dict[tuple[str, Roi | None], list[Sample]] = defaultdict(list)
        for sample in self.samples:
            seen[sample.uri, sample.roi].append(sample)
        if len(seen) == len(self.samples):
            return self.samples
        merge = self.options.multilabel
        if merge is None:
            merge = any(sample.labels is not None and len(sample.labels) != 1 for sample in self.samples)
        return [sample for same in seen.values() for sample in self._settle(same, merge)]

    def _settle(self, same: list[Sample], merge: bool) -> list[Sample]:
        """The sample that repeated rows stand for: none for a conflict, or the first with all labels where merged.

        Accepted + refused = rows: a row that repeats or only adds labels to another is a `duplicate_row`.
        """
        first = same[0]
        if len(same) == 1:
            return same
        different = {frozenset(sample.labels or ()) for sample in same}
        if len(different) > 1 and not merge:
            told = sorted({name for sample in same for name in sample.labels or ("(no label)",)})
            for _ in same:
                message = f"{len(same)} rows give {first.uri!r} different labels: {', '.join(told)}; keep one of them"
                self.refuse(first.uri, Reason.LABEL_CONFLICT, message)
            return []
        names = [name for sample in same for name in sample.labels or ()]
        labels = None if all(sample.labels is None for sample in same) else tuple(dict.fromkeys(names))
        for _ in same[1:]:
            note = "its labels were added to the first row's" if len(different) > 1 else "it says the same"
            self.refuse(first.uri, Reason.DUPLICATE_ROW, f"{first.uri!r} was named by an earlier row; {note}")
        return [replace(first, labels=labels)]


def sample_order(sample: Sample) -> tuple[str, int, str]:
    """Sorting key: uri by its bytes, rows of a container by number, regions of an image by their text."""
    roi = "" if sample.roi is None else json.dumps(sample.roi.to_json())
    row = split_row(sample.uri) if "#" in sample.uri else None
    return (sample.uri, -1, roi) if row is None else (row[0], row[1], roi)
