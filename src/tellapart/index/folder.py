"""The folder of an index while it changes: whose it is, who has it, and what earlier changes left in it."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tellapart.errors import DataError, Reason
from tellapart.files import holding
from tellapart.index.manifest import MANIFEST, Manifest, read_manifest

LOCK = ".lock"
_PROJECTION = r"projection-\d{6}\.safetensors"
_OURS = re.compile(rf"s\d{{6}}(-\d+)?|removed-\d{{6}}\.npy|{_PROJECTION}|\.lock|\.(index\.json|{_PROJECTION})\.new-.*")


def clear(folder: Path, manifest: Manifest | None) -> None:
    """Remove what an earlier change left: files of this room's names that the manifest does not know."""
    known = {MANIFEST, LOCK}
    if manifest is not None:
        known |= {segment.name for segment in manifest.segments} | {*manifest.removed_file, *manifest.projection}
    for path in folder.iterdir():
        if path.name not in known and _OURS.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def refuse_others(path: Path, overwrite: bool) -> None:
    """A folder of something else is never touched, an index only when that was asked for.

    Raises:
        DataError: `output_exists`.
    """
    if not path.exists():
        return
    if not path.is_dir() or any(not _OURS.fullmatch(one.name) for one in path.iterdir() if one.name != MANIFEST):
        message = f"{path} exists and is no index; choose another name"
        raise DataError(Reason.OUTPUT_EXISTS, message)
    if (path / MANIFEST).exists() and not overwrite:
        message = f"there is an index at {path}; add to it, choose another name or allow overwriting"
        raise DataError(Reason.OUTPUT_EXISTS, message)


def clear_leftovers(path: Path) -> None:
    """Remove what no generation names; where an index.json is there that cannot be read, everything stays."""
    manifest = _current(path)
    if manifest is not None or not (path / MANIFEST).exists():
        clear(path, manifest)


def _current(path: Path) -> Manifest | None:
    try:
        return read_manifest(path)
    except DataError:
        return None


def last_generation(path: Path) -> int:
    """Of what is there: names of files are never used twice."""
    numbers = [
        int(found[1]) for one in path.iterdir() if (found := re.match(r"(?:s|removed-|projection-)(\d{6})", one.name))
    ]
    manifest = _current(path)
    return max([0, *numbers, *([] if manifest is None else [manifest.generation])])


@contextmanager
def alone(path: Path, *, make: bool) -> Iterator[None]:
    """Have the folder to oneself; what fails or is interrupted within leaves nothing, not even a folder `make` made.

    Raises:
        DataError: `index_in_use`.
    """
    made = make and not path.exists()
    if make:
        path.mkdir(parents=True, exist_ok=True)
    try:
        with holding(path / LOCK), _clearing(path):
            yield
    except BlockingIOError as exc:
        message = f"another process is changing the index {path}; wait until it is done, then run the command again"
        raise DataError(Reason.INDEX_IN_USE, message) from exc
    finally:
        if made:
            with contextlib.suppress(OSError):
                path.rmdir()  # only where nothing is in it


@contextmanager
def _clearing(path: Path) -> Iterator[None]:
    try:
        clear_leftovers(path)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            clear_leftovers(path)
        raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """What the system refuses, as one error.

    Raises:
        DataError: `write_failed`.
    """
    try:
        yield
    except OSError as exc:
        raise DataError(Reason.WRITE_FAILED, f"the index {path} could not be written: {exc.strerror or exc}") from exc
