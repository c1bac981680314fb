"""A folder that files are put into: each is delivered once, when nobody writes it any more."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tellapart.errors import Reason, StreamError
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot

# More than can be decoded: such a file is then refused by name, not passed over in silence.
SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "bmp", "dib", "gif", "tif", "tiff", "avif"),
        *("heic", "heif", "jp2", "jxl", "ppm", "pgm", "pnm", "tga", "dng"),
    )
)
MAX_BYTES = 256 * 2**20
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", ".new", "~")
_LOOK_EVERY_S = 0.1
# A file that a program has locked, or storage that fails for a while: later it can be read.
_TRY_AGAIN_S = 10.0
# Files that are gone are remembered all the same: a network folder that is lost looks empty, and comes back with them.
_REMEMBERED = 50_000

State = tuple[int, int]
"""(size in bytes, time of change in ns) of a file."""


class FolderSource:
    """Files that are there at the start come in the order of their names (or not at all: `existing: skip`), later ones as they
    settle.

    A file has settled when its size and time did not change for `settled_s`. Names that begin with a dot or ~ or end as
    unfinished downloads do are passed over, and so are folders within. A file that is written anew is delivered anew.
    """

    finite = True
    files = True

    def __init__(self, settings: Any, clock: Clock) -> None:
        self._folder = Path(settings.source)
        self._settled_s: float = settings.settled_s
        self._passes_over = settings.existing == "skip"
        self._clock = clock
        self._growing: dict[str, tuple[State, float]] = {}
        self._done: dict[str, State] = {}
        self._denied: dict[str, tuple[State, float]] = {}

    def frames(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """See `Source`. Looks ten times a second, less often where a look takes longer than a thirtieth of a second."""
        while True:
            started_s = time.monotonic()
            settled = self._look(started_s)
            took_s = time.monotonic() - started_s
            yield None
            for name in settled:
                if (shot := self._read(name, wanted)) is not None:
                    yield shot
            if not settled:
                time.sleep(max(_LOOK_EVERY_S, 3 * took_s))

    def close(self) -> None:
        """Nothing is held open."""

    def _look(self, now_s: float) -> list[str]:
        """Names that have settled by now, the ones first that were seen first."""
        present = self._list()
        if self._passes_over:
            self._done, self._passes_over = dict(present), False
        if len(self._done) > len(present) + _REMEMBERED:
            self._done = {name: state for name, state in self._done.items() if name in present}
        new = {name: state for name, state in present.items() if self._done.get(name) != state}
        growing: dict[str, tuple[State, float]] = {}
        for name, state in new.items():
            was = self._growing.get(name)
            growing[name] = was if was is not None and was[0] == state else (state, now_s)
        self._growing = growing
        self._denied = {
            name: it for name, it in self._denied.items() if growing.get(name, it)[0] == it[0] and name in new
        }
        settled = [name for name, (_, since_s) in growing.items() if now_s - since_s >= self._settled_s]
        settled = [name for name in settled if name not in self._denied or now_s >= self._denied[name][1]]
        return sorted(settled, key=lambda name: (growing[name][1], name))

    def _list(self) -> dict[str, State]:
        found: dict[str, State] = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if _is_meant(entry.name) and (state := _state(entry)) is not None:
                        found[entry.name] = state
        except OSError as exc:
            message = f"the folder {self._folder} cannot be listed ({exc.strerror}): it is looked for again"
            raise StreamError(Reason.SOURCE_LOST, message) from exc
        return found

    def _read(self, name: str, wanted: Callable[[float], bool]) -> Shot | None:
        """The file; None where it went away or changed after all, so that the next look finds it as it is."""
        state, _ = self._growing[name]
        path = self._folder / name
        at_s = self._clock.now_s()
        uri = _text(path)
        refused = _refusal(state[0])
        image: bytes | None = None
        if not refused and wanted(at_s):
            try:
                image = path.read_bytes()
            except FileNotFoundError:
                return None
            except OSError as exc:
                return self._deny(name, Shot(at_s, None, uri, f"{_text(name)} cannot be read ({exc.strerror})"))
            if len(image) != state[0] or _changed(path, state):
                return None
        self._done[name] = state
        return Shot(at_s, image, uri, refused)

    def _deny(self, name: str, shot: Shot) -> Shot | None:
        """Refused once, and tried again now and then until it can be read."""
        state, _ = self._growing[name]
        told = name in self._denied
        self._denied[name] = state, time.monotonic() + _TRY_AGAIN_S
        return None if told else shot


def _text(path: str | Path) -> str:
    """A name of bytes that are no text as one that can be written into journals."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _changed(path: Path, state: State) -> bool:
    try:
        facts = path.stat()
    except OSError:  # it went away after it was read
        return False
    return (facts.st_size, facts.st_mtime_ns) != state


def _is_meant(name: str) -> bool:
    lower = name.lower()
    return not lower.startswith((".", "~")) and not lower.endswith(_UNFINISHED) and Path(lower).suffix in SUFFIXES


def _state(entry: os.DirEntry[str]) -> State | None:
    try:
        facts = entry.stat()
        return (facts.st_size, facts.st_mtime_ns) if entry.is_file() else None
    except OSError:  # it went away meanwhile
        return None


def _refusal(n_bytes: int) -> str:
    if n_bytes == 0:
        return "the file is empty"
    return f"the file has more than {MAX_BYTES >> 20} MB" if n_bytes > MAX_BYTES else ""
