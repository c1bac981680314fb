"""The files of a revision of a data set (`repair.revision` writes them)."""

from __future__ import annotations

from pathlib import Path

MANIFEST, TABLE, FIXES = "revision.json", "data.parquet", "fixes.csv"


def is_revision(path: Path) -> bool:
    """Whether a folder is a revision: its manifest is there."""
    return (path / MANIFEST).is_file()
