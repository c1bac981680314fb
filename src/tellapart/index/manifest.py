"""index.json: what an index consists of. It is replaced in one step, and so the index changes in one step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, Reason
from tellapart.index.space import Space

MANIFEST, FORMAT, METRIC = "index.json", 1, "cosine"
ROWS = "rows.parquet"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of the index: its size and sha256."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A folder of files that never change: `n` vectors in an index of one kind, and their rows."""

    name: str
    kind: str
    n: int
    parameters: Mapping[str, Any]
    files: Mapping[str, FileRecord]


@dataclass(frozen=True, slots=True)
class Manifest:
    """`generation` counts the changes; `kind` is what was asked for and `recall` what an approximate kind must reach.

    `n` counts the rows that are there, `removed` those that are still in the segments but gone. `source` says where the images
    ("root") and what made vectors of them ("model") lie, for searching by image; `projection` is a copy of the learned
    projection that the vectors went through.
    """

    space: Space
    kind: str
    recall: float
    generation: int = 1
    n: int = 0
    segments: tuple[SegmentRecord, ...] = ()
    removed: int = 0
    removed_file: Mapping[str, FileRecord] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
    projection: Mapping[str, FileRecord] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """JSON for people and programs."""
        value = {"tellapart": "index", "format": FORMAT, "metric": METRIC, **asdict(self)}
        return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")

    def files(self) -> dict[str, FileRecord]:
        """Every file beside index.json by its path in the folder."""
        inside = {f"{s.name}/{name}": record for s in self.segments for name, record in s.files.items()}
        return {**inside, **self.removed_file, **self.projection}


def read_manifest(folder: Path) -> Manifest:
    """What `folder` says of itself.

    Raises:
        DataError: `index_not_found`, `index_damaged`, `index_too_new`, `read_failed`.
    """
    value = _json(folder)
    if value.get("format") != FORMAT:
        message = (
            f"the index {folder} has format {value.get('format')!r}, this tellapart reads {FORMAT}; update tellapart"
        )
        raise DataError(Reason.INDEX_TOO_NEW, message)
    try:
        return _manifest(value)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise damaged(folder, f"its {MANIFEST} is not whole ({exc!r})") from exc


def damaged(folder: Path, what: str) -> DataError:
    """The error for an index that cannot be trusted."""
    message = f"the index {folder} is damaged: {what}; copy it again, or build it again"
    return DataError(Reason.INDEX_DAMAGED, message)


def missing(folder: Path) -> DataError:
    """The error for a folder without an index."""
    message = f"there is no index at {folder} (no file {MANIFEST}); `tellapart index build {folder} …` makes one"
    return DataError(Reason.INDEX_NOT_FOUND, message)


def _json(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise missing(folder) from exc
    except OSError as exc:
        raise DataError(Reason.READ_FAILED, f"{folder / MANIFEST} could not be read: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise damaged(folder, f"its {MANIFEST} is not JSON") from exc
    if not isinstance(value, dict) or value.get("tellapart") != "index":
        raise missing(folder)
    return value


def _manifest(value: Mapping[str, Any]) -> Manifest:
    segments = tuple(
        SegmentRecord(_inside(s["name"]), str(s["kind"]), int(s["n"]), dict(s["parameters"]), _records(s["files"]))
        for s in value["segments"]
    )
    return Manifest(
        Space.from_json(value["space"]),
        str(value["kind"]),
        float(value["recall"]),
        int(value["generation"]),
        int(value["n"]),
        segments,
        int(value["removed"]),
        _records(value["removed_file"]),
        {str(key): str(entry) for key, entry in value["source"].items()},
        _records(value["projection"]),
    )


def _records(value: Mapping[str, Any]) -> dict[str, FileRecord]:
    return {_inside(name): FileRecord(int(one["bytes"]), str(one["sha256"])) for name, one in value.items()}


def _inside(name: str) -> str:
    """A plain file name: an index.json from elsewhere must not lead out of its folder."""
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise ValueError(f"{name!r} is no file name")
    return name
