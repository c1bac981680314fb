"""Files that appear whole or not at all, and locks that end with their process."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends well.

    A kill at any moment leaves the old file or the new one; an exception leaves the old one and nothing beside it.
    The block raises `OSError` as any writing does; the caller owns the sentence. A device or pipe (`/dev/stdout`) is
    written to and never replaced; a link stays, and what it points to is replaced. `sync` False leaves it to the system
    when the bytes reach the disk: for many small files.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        yield path
        return
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    # Names may have 255 bytes, and a letter up to four.
    temporary = path.parent / f".{path.name[:50]}.new-{os.getpid():x}-{os.urandom(4).hex()}"
    try:
        yield temporary
        if sync:
            with temporary.open("rb") as file, contextlib.suppress(OSError):  # some network file systems refuse fsync
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def holding(path: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Have the lock file `path` to oneself within the block; the system lets go of it however the process ends.

    The file is gone afterwards. Where files cannot be locked at all, nobody is kept out.

    Raises:
        BlockingIOError: while another process has it, after `wait_s` seconds.
        OSError: as any writing does.
    """
    until = time.monotonic() + wait_s
    while (file := _held(path)) is None:
        if time.monotonic() >= until:
            raise BlockingIOError(f"{path} is held by another process")
        time.sleep(0.1)
    with file:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()  # while it is held: whoever has it open by now sees that it is gone


def _held(path: Path) -> IO[str] | None:
    """The locked file; None where another has it, or removed it between opening and locking."""
    file = path.open("a", encoding="utf-8")
    with contextlib.suppress(FileNotFoundError):
        if _locked(file) and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    file.close()
    return None


def _locked(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
