"""Where results go: stdout in a pipe, or a file that appears whole or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tellapart.errors import DataError, Reason
from tellapart.files import replacing


@contextmanager
def destination(path: Path | None) -> Iterator[TextIO]:
    """A text stream: stdout, or a temporary file that takes the place of `path` when all went well."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            yield stream
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc


def one_line(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON without line breaks."""
    return printable(json.dumps(value, ensure_ascii=False, allow_nan=False))


def pretty(value: Mapping[str, Any] | Sequence[Any] | None) -> str:
    """Indented JSON."""
    return printable(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def plain(text: str) -> str:
    """A file name as one terminal line: line breaks and control characters shown by escapes."""
    shown = (c if c.isprintable() or c == "\xa0" else c.encode("unicode_escape").decode("ascii") for c in text)
    return printable("".join(shown))


def printable(text: str) -> str:
    """Text that any stream takes: bytes of a file name that are no UTF-8 shown by escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def note(text: str) -> None:
    """Lines for people, beside the result: stderr."""
    print("\n".join(map(plain, text.split("\n"))), file=sys.stderr)
