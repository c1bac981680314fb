"""Writers by format name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.data.writers.annotations import CocoWriter, CvatWriter, LabelStudioWriter
from tellapart.data.writers.folders import FoldersWriter
from tellapart.data.writers.parquet import ParquetWriter
from tellapart.data.writers.protocol import WriteOptions, Writer, WriteReport
from tellapart.data.writers.tabular import CsvWriter, GoogleCsvWriter, ImageFolderWriter, JsonlWriter
from tellapart.errors import DataError, Reason

__all__ = ["WRITERS", "WriteOptions", "WriteReport", "Writer", "write", "writer"]


def _registry(writers: Iterable[Writer]) -> dict[str, Writer]:
    found: dict[str, Writer] = {}
    for one in writers:
        if one.name in found:
            raise ValueError(f"two writers are called {one.name!r}")
        found[one.name] = one
    return found


WRITERS: dict[str, Writer] = _registry(
    [
        FoldersWriter(),
        CsvWriter(),
        JsonlWriter(),
        GoogleCsvWriter(),
        ImageFolderWriter(),
        ParquetWriter(),
        CocoWriter(),
        LabelStudioWriter(),
        CvatWriter(),
    ]
)


def writer(name: str) -> Writer:
    """The writer of that name; DataError unknown_name lists the known ones and suggests the nearest."""
    if name in WRITERS:
        return WRITERS[name]
    from difflib import get_close_matches

    near = get_close_matches(name, WRITERS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(WRITERS))
    raise DataError(Reason.UNKNOWN_NAME, f"unknown data format {name!r}{hint} (known: {known})")


def write(
    dataset: Dataset, path: str | Path, *, format: str, copy: bool = False, overwrite: bool = False
) -> WriteReport:
    """Write a data set in a format of `docs/data.md`; see `WriteReport` for what a format cannot hold.

    Raises:
        DataError: output_exists, write_failed, bad_setting (several labels per image in a format for one).
    """
    return writer(format).write(dataset, Path(path), WriteOptions(copy, overwrite))
