"""Every byte of an index against what was written."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl

from tellapart.index.index import Index, collected
from tellapart.index.manifest import ROWS, FileRecord, damaged

Told = Callable[[int, int], None]


def verify(path: str | Path, *, told: Told | None = None) -> int:
    """Read all files of an index, compare their checksums, count rows and vectors; returns how many files there are.

    Raises:
        DataError: `index_not_found`, `index_damaged` …
    """
    index = Index.open(path)
    files = index.manifest.files()
    total = sum(record.bytes for record in files.values())
    done = 0
    for name, record in files.items():
        _check(index.path, name, record)
        done += record.bytes
        if told is not None:
            told(done, total)
    for segment, vectors, _ in index.parts():
        rows = pl.scan_parquet(index.path / segment.name / ROWS, glob=False)
        n = collected(index.path, rows.select(pl.len())).item()
        if n != segment.n or not np.isfinite(vectors[:: max(1, len(vectors) // 1000)]).all():
            raise damaged(index.path, f"{segment.name} has {n:,} rows for {segment.n:,} vectors")
    return len(files)


def _check(folder: Path, name: str, record: FileRecord) -> None:
    digest = sha256()
    with (folder / name).open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    if digest.hexdigest() != record.sha256:
        raise damaged(folder, f"the content of {name} is not what was written")
