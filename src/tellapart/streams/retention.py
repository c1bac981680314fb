"""Recordings that do not fill a disk: the oldest goes first, and never what is being written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.streams.layout import FRAMES, FRAMES_INDEX, RUNS, hour_of

_DAY_S, _GB = 86400.0, 1e9
_PREFIX, _SUFFIX = "observations-", ".jsonl"
# Below the limit by so much once something had to go: a scan for every single image would take longer than writing it.
_ROOM = 0.05


@dataclass(slots=True)
class Retention:
    """Counts bytes as they are added; deletes by whole hours, the images of an hour one by one."""

    folder: Path
    keep_days: float | None
    keep_gb: float | None
    n_bytes: int = 0
    n_deleted: int = 0
    _full_since: int = field(default=0)

    @property
    def is_over(self) -> bool:
        """Whether there is more than may be kept, and a good deal was added since the last deletion could not help it."""
        limit = self._limit()
        return self.n_bytes > limit and self.n_bytes > self._full_since + limit * _ROOM

    def count(self) -> None:
        """Add up what is there from before."""
        self.n_bytes = sum(size for hour in self._hours() for _, size in self._files(hour))
        with suppress(FileNotFoundError):
            self.n_bytes += (self.folder / RUNS).stat().st_size

    def added(self, n_bytes: int) -> None:
        """So much was written."""
        self.n_bytes += n_bytes

    def apply(self, now_s: float, writing: str) -> None:
        """Delete what is older than may be kept, then the oldest until the rest fits. `writing` is the hour under way."""
        if self.keep_days is not None:
            oldest = hour_of(max(0.0, now_s - self.keep_days * _DAY_S))
            for hour in [hour for hour in self._hours() if hour < min(oldest, writing)]:
                self._delete(hour)
        if self.n_bytes > self._limit():
            self.count()
            self._make_room(int(self._limit() * (1 - _ROOM)), writing)
            self._full_since = self.n_bytes if self.n_bytes > self._limit() else 0

    def _make_room(self, limit: int, writing: str) -> None:
        for hour in self._hours():
            if self.n_bytes <= limit:
                return
            self._delete(hour, down_to=limit, keep_lists=hour >= writing)

    def _delete(self, hour: str, *, down_to: int = -1, keep_lists: bool = False) -> None:
        """The images of an hour, oldest first, then its lists; the images may be enough."""
        lists = []
        for path, size in self._files(hour):
            if path.suffix == _SUFFIX:
                lists.append((path, size))
            elif self.n_bytes > down_to:
                self._remove(path, size)
        if self.n_bytes > down_to and not keep_lists:
            for path, size in lists:
                self._remove(path, size)
        with suppress(OSError):
            (self.folder / FRAMES / hour).rmdir()  # only where nothing is left

    def _remove(self, path: Path, size: int) -> None:
        path.unlink(missing_ok=True)
        self.n_bytes, self.n_deleted = self.n_bytes - size, self.n_deleted + 1

    def _hours(self) -> list[str]:
        found = {name for name in _names(self.folder / FRAMES) if len(name) == 13}
        lists = (name for name in _names(self.folder) if name.startswith(_PREFIX) and name.endswith(_SUFFIX))
        return sorted(found | {name[len(_PREFIX) : -len(_SUFFIX)] for name in lists})

    def _files(self, hour: str) -> Iterator[tuple[Path, int]]:
        """By name, which is by time; lists come last."""
        frames = self.folder / FRAMES / hour
        names = sorted(name for name in _names(frames) if name != FRAMES_INDEX)
        for path in [
            *(frames / name for name in names),
            frames / FRAMES_INDEX,
            self.folder / f"{_PREFIX}{hour}{_SUFFIX}",
        ]:
            with suppress(FileNotFoundError):
                yield path, path.stat().st_size

    def _limit(self) -> float:
        return float("inf") if self.keep_gb is None else self.keep_gb * _GB


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
