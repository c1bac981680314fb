"""The segments of an index on the disk: written once, opened by mapping them into memory, never changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.index.kinds import KINDS, Searcher
from tellapart.index.manifest import ROWS, FileRecord, Manifest, SegmentRecord, damaged

if TYPE_CHECKING:
    import polars as pl

# A lookup decodes whole groups of rows; of these it takes a millisecond or so each.
_ROW_GROUP = 16_384


def write_segment(
    folder: Path,
    name: str,
    kind: str,
    vectors: NDArray[np.float32],
    table: pl.DataFrame,
    *,
    recall: float,
    base: Path | None = None,
) -> SegmentRecord:
    """Write `folder/name` with unit vectors (n, d) and their n rows; see `Searcher.build` for `base`.

    Raises:
        OSError: when the system cannot write.
    """
    inside = folder / name
    inside.mkdir()
    parameters = _built(kind, vectors, inside, recall, base)
    table.write_parquet(inside / ROWS, compression="lz4", row_group_size=_ROW_GROUP)
    files = {path.name: recorded(path) for path in sorted(inside.iterdir())}
    sync(inside)
    return SegmentRecord(name, kind, len(vectors), parameters, files)


def _built(
    kind: str, vectors: NDArray[np.float32], inside: Path, recall: float, base: Path | None
) -> Mapping[str, Any]:
    """faiss says in a RuntimeError what the system said."""
    try:
        return KINDS[kind].build(vectors, inside, recall=recall, base=base)
    except RuntimeError as exc:
        if "write" in str(exc) or "open" in str(exc):
            raise OSError(str(exc).split("Error: ")[-1][:200]) from exc
        raise


def open_segment(folder: Path, segment: SegmentRecord) -> Searcher:
    """Map the files of a segment; their sizes are compared, their contents are not (that is `verify`).

    Raises:
        FileNotFoundError: when one is gone.
        DataError: `index_damaged`.
    """
    inside = folder / segment.name
    for name, record in segment.files.items():
        check_size(folder, inside / name, record)
    if segment.kind not in KINDS:
        raise damaged(folder, f"it has a segment of the unknown kind {segment.kind!r}")
    try:
        opened = KINDS[segment.kind].open(inside, segment.parameters)
        n = len(opened.vectors)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError) as exc:
        for name in segment.files:
            (inside / name).stat()  # gone since its size was compared: faiss says so in a RuntimeError
        raise damaged(folder, f"{segment.name} cannot be opened ({str(exc)[-200:]})") from exc
    if n != segment.n:
        raise damaged(folder, f"{segment.name} holds {n:,} vectors, {segment.n:,} were expected")
    return opened


def check_size(folder: Path, path: Path, record: FileRecord) -> None:
    """Refuse a file that was cut short; raises FileNotFoundError when it is gone."""
    size = path.stat().st_size
    if size != record.bytes:
        where = path.relative_to(folder).as_posix()
        raise damaged(folder, f"{where} has {size:,} bytes, {record.bytes:,} were expected")


def recorded(path: Path) -> FileRecord:
    """Size and sha256 of a file, which is brought to the disk."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
        with contextlib.suppress(OSError):  # some network file systems refuse fsync
            os.fsync(file.fileno())
        return FileRecord(file.tell(), digest.hexdigest())


def write_removed(folder: Path, name: str, rows: NDArray[np.int64]) -> dict[str, FileRecord]:
    """Keep which rows (int64, rising, counted over all segments) are gone; nothing when none is."""
    if not len(rows):
        return {}
    with (folder / name).open("wb") as file:
        np.lib.format.write_array(file, rows, allow_pickle=False)
    return {name: recorded(folder / name)}


def read_removed(folder: Path, manifest: Manifest) -> NDArray[np.bool_] | None:
    """bool (n,) over all rows of the segments, True where they are gone; None when none is.

    Raises:
        FileNotFoundError: when the file is gone.
        DataError: `index_damaged`.
    """
    n = sum(segment.n for segment in manifest.segments)
    gone = np.zeros(n, bool)
    for name, record in manifest.removed_file.items():
        check_size(folder, folder / name, record)
        try:
            gone[np.load(folder / name, allow_pickle=False)] = True
        except (ValueError, IndexError, EOFError) as exc:
            raise damaged(folder, f"{name} cannot be read ({exc})") from exc
    if int(gone.sum()) != manifest.removed or n - manifest.removed != manifest.n:
        raise damaged(folder, "its numbers of rows contradict each other")
    return gone if manifest.removed else None


def sync(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
