"""CSV with a header: `file_name` and `label` or `labels`, the rest as metadata. Also Google's headerless form."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.readers.rows import Roles, RowCollector
from tellapart.data.split_names import is_unassigned, normalise_split
from tellapart.errors import DataError, Reason

_SUFFIXES = (".csv", ".tsv", ".tab")
_MAX_LINE_CHARS = 2**20
_DELIMITERS = ",;\t"
Row = tuple[int, list[str] | None, str]


class Csv:
    """Comma, semicolon or tab (whichever the header has), UTF-8 or UTF-16 with BOM, any line ends, quoted newlines."""

    name = "csv"
    summary = "file_name,label (several labels: a|b, a JSON list, or repeated rows)"

    def accepts(self, path: Path) -> bool:
        """A CSV file that is not Google's form."""
        return is_csv(path) and not GoogleCsv().accepts(path)

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Rows to samples; a column named `labels` means that repeated rows add labels."""
        rows = csv_rows(path)
        header = _header(path, rows)
        roles = Roles.find(header)
        collector = RowCollector(options.images or path.parent, with_plural(options, roles), roles)
        for line, cells, fault in rows:
            where = f"{path.name} line {line}"
            if cells is None:
                _refuse_fault(collector, where, fault)
            elif len(cells) != len(header):
                message = f"{where}: {len(cells)} fields, the header has {len(header)}"
                collector.refuse(where, Reason.BAD_ROW, message)
            else:
                collector.add(dict(zip(header, cells, strict=True)), where=where)
        return collector.finish()


class GoogleCsv:
    """Google Vertex and AutoML: `ML_USE,uri,label1,label2,…` without header; ML_USE may be missing or empty."""

    name = "google_csv"
    summary = "ML_USE,uri,label1,label2 (Vertex AI, AutoML Vision)"

    def accepts(self, path: Path) -> bool:
        """First row: a split word (or nothing) and a path, or a `gs://` path."""
        if not is_csv(path):
            return False
        try:
            first = next((cells for _, cells, _ in csv_rows(path) if cells), None)
        except DataError:
            return False
        if not first:
            return False
        if first[0].startswith("gs://"):
            return True
        word = first[0].strip().lower()
        is_use = normalise_split(word) is not None or is_unassigned(word)
        return is_use and len(first) > 1 and "." in first[1] and first[1].lower() not in ("file_name", "filename")

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Rows to samples; cloud paths are found by their tail below the root."""
        roles = Roles({"file": "file", "split": "split"}, ())
        collector = RowCollector(options.images or path.parent, options, roles)
        for line, cells, fault in csv_rows(path):
            where = f"{path.name} line {line}"
            if cells is None:
                _refuse_fault(collector, where, fault)
                continue
            has_use = normalise_split(cells[0]) is not None or is_unassigned(cells[0])
            use, *rest = cells if has_use else ["", *cells]
            if not rest:
                collector.refuse(where, Reason.BAD_ROW, f"{where}: expected ML_USE,uri,label…, got {cells!r:.80}")
                continue
            uri, *labels = rest
            names = [label for label in labels if label.strip()] or None
            collector.add({"file": uri, "split": use}, where=where, labels=names)
        return collector.finish()


def with_plural(options: ReadOptions, roles: Roles) -> ReadOptions:
    """Options under which repeated rows are merged when the column says `labels`; else the data decide."""
    plural = roles.of.get("labels", "").strip().lower() in ("labels", "classes", "categories", "tags", "choices")
    return replace(options, multilabel=True) if options.multilabel is None and plural else options


def is_csv(path: Path) -> bool:
    """A file with the suffix of one."""
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def csv_rows(path: Path) -> Iterator[Row]:
    """(line number, cells, "") per row, or (line number, None, fault) where it cannot be parsed; blank rows skipped.

    Raises:
        DataError: dataset_format when the file cannot be read as text.
    """
    try:
        with open(path, encoding=_encoding(path), newline="") as file:
            first = file.readline(_MAX_LINE_CHARS)
            file.seek(0)
            delimiter = max(_DELIMITERS, key=first.count)
            yield from _parsed(csv.reader(_bounded_lines(file), delimiter=delimiter))
    except UnicodeError as exc:
        raise DataError(Reason.DATASET_FORMAT, f"{path} is not UTF-8 text; save it as UTF-8 ({exc})") from exc
    except OSError as exc:
        raise DataError(Reason.DATASET_FORMAT, f"{path} cannot be read ({exc})") from exc


def _parsed(reader: csv._reader) -> Iterator[Row]:  # type: ignore[name-defined,unused-ignore]
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield line, None, str(exc)
            continue
        if any(cell.strip() for cell in cells):
            yield line, cells, ""


def _bounded_lines(file: object) -> Iterator[str]:
    """Lines, of which no more than a megabyte each is kept: a longer one ends in a row that is refused."""
    readline = file.readline  # type: ignore[attr-defined]
    while line := readline(_MAX_LINE_CHARS):
        yield line
        while len(line) >= _MAX_LINE_CHARS and not line.endswith(("\n", "\r")):
            line = readline(_MAX_LINE_CHARS)


def _header(path: Path, rows: Iterator[Row]) -> list[str]:
    _, header, fault = next(rows, (0, None, "it is empty"))
    if header is None:
        raise DataError(Reason.DATASET_FORMAT, f"{path} has no readable header: {fault}")
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(Reason.DATASET_FORMAT, f"{path}: the header names the column {twice[0]!r} twice")
    if "file" not in Roles.find(names).of:
        told = ", ".join(repr(name) for name in names[:12])
        raise DataError(Reason.DATASET_FORMAT, f"{path}: no column file_name in the header; it has {told:.300}")
    return [raw if name else f"\0{i}" for i, (name, raw) in enumerate(zip(names, header, strict=True))]


def _refuse_fault(collector: RowCollector, where: str, fault: str) -> None:
    if "field limit" in fault or "field larger" in fault:
        limit = csv.field_size_limit()
        collector.refuse(where, Reason.FIELD_TOO_LARGE, f"{where}: a field has more than {limit} characters")
    else:
        collector.refuse(where, Reason.BAD_ROW, f"{where}: {fault}")


def _encoding(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(4)
    return "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
