"""Folders that are named by time, of which the oldest are deleted by age and by size."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from tellapart.streams.layout import file_instant

_DAY_S, _GB = 86400.0, 1e9
_TIME_LENGTH = len(file_instant(0.0))


class OldFolders:
    """Deletes nothing but folders that are named TIME_… and hold the file `marked_by`; never the one written last."""

    def __init__(self, folder: Path, marked_by: str, keep_days: float | None, keep_gb: float | None) -> None:
        self._folder, self._marked_by = folder, marked_by
        self._keep_days, self._keep_bytes = keep_days, None if keep_gb is None else keep_gb * _GB
        self._sizes: dict[str, int] | None = None

    def wrote(self, place: Path, now_s: float) -> None:
        """A folder was written: what is too old or too much goes."""
        if self._keep_days is None and self._keep_bytes is None:
            return
        sizes = self._known()
        sizes[place.name] = _size(place)
        total = sum(sizes.values())
        oldest = "" if self._keep_days is None else file_instant(max(0.0, now_s - self._keep_days * _DAY_S))
        for name in sorted(sizes):
            too_much = self._keep_bytes is not None and total > self._keep_bytes
            if name == place.name or not (too_much or name[:_TIME_LENGTH] < oldest):
                continue
            shutil.rmtree(self._folder / name, ignore_errors=True)
            if not (self._folder / name).exists():
                total -= sizes.pop(name)

    def _known(self) -> dict[str, int]:
        """Sizes by name, read once: nothing else writes here."""
        if self._sizes is None:
            names = [name for name in os.listdir(self._folder) if name[_TIME_LENGTH : _TIME_LENGTH + 1] == "_"]
            self._sizes = {
                name: _size(self._folder / name) for name in names if (self._folder / name / self._marked_by).exists()
            }
        return self._sizes


def _size(folder: Path) -> int:
    total = 0
    for name in os.listdir(folder):
        with suppress(OSError):
            total += (folder / name).lstat().st_size
    return total
