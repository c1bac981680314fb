"""A whole JSON document, read once, with its faults translated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason

_HEAD_BYTES = 65_536
# What a tool's export puts around its image folder: paths are then relative to the folder above.
_ANNOTATION_FOLDERS = frozenset({"annotations", "labels", "result"})


def load_json(path: Path) -> Any:
    """The document; DataError dataset_format when it is none."""
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, OSError, RecursionError) as exc:
        raise DataError(Reason.DATASET_FORMAT, f"{path} is not readable JSON ({exc})") from exc


def head_of(path: Path) -> bytes:
    """First bytes of a file with blanks removed, for telling formats apart; b"" when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return b""


def images_root(path: Path) -> Path:
    """Folder from which an annotation file's names start: its own, or the one above `annotations/`."""
    return path.parent.parent if path.parent.name.lower() in _ANNOTATION_FOLDERS else path.parent
