"""Which files a person means by "photo.jpg more/": the same rule for every command that takes images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".avif", ".mpo")
)


def find_images(paths: Iterable[str | Path]) -> list[str]:
    """Image files for paths, in order: a file counts whatever its name (it was asked for), a folder stands for the
    files with an image suffix below it, sorted by path; hidden ones are left out. A path that does not exist is kept:
    it is then refused and listed like any other bad file.
    """
    found: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            found.extend(sorted(_walk(str(path)), key=os.fsencode))
        else:
            found.append(str(path))
    return found


def _walk(folder: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        # Listed as one refused path, `read_file` says why.
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:
            yield entry.path
