"""Text files line by line, each with its number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tellapart.errors import DataError, Reason


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of the lines that are not blank. Bytes that are no UTF-8 become escapes: the line is judged
    by who reads it.

    Raises:
        DataError: `dataset_not_found`, or `read_failed`.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="backslashreplace", newline=None) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except FileNotFoundError as exc:
        raise DataError(Reason.DATASET_NOT_FOUND, f"there is no file or folder {path}") from exc
    except OSError as exc:
        raise DataError(Reason.READ_FAILED, f"{path} could not be read: {exc.strerror or exc}") from exc
