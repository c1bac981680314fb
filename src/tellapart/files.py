"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
