"""A model on disk: a folder, or the same as one .zip. Written whole or not at all, read only if nothing is damaged."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import json
import os
import shutil
import struct
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from tellapart.errors import ModelError, Reason
from tellapart.files import replacing

CARD = "model.json"
# What file managers leave in every folder.
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
# A model is written in seconds; what was not touched for so long was left behind by a process that was killed.
_ABANDONED_AFTER_S = 600.0
# What Python's zipfile raises for a file that is none, or no whole one: encrypted members are a RuntimeError.
_ZIP_FAULTS = (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, KeyError, struct.error, OverflowError)


class ModelFiles(Protocol):
    """Read access to the files of a model, wherever they lie. Names are relative, with forward slashes."""

    @property
    def location(self) -> str:
        """Where the model lies, for messages."""
        ...

    def names(self) -> frozenset[str]:
        """All files of the model."""
        ...

    def read(self, name: str) -> bytes:
        """One file's bytes. Raises `ModelError` when it is missing."""
        ...

    def path(self, name: str) -> Path | None:
        """Where the file lies, or None inside a zip."""
        ...


class FolderFiles:
    """A model folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.location = str(folder)

    def names(self) -> frozenset[str]:
        """All files below the folder."""
        try:
            return frozenset(p.relative_to(self._folder).as_posix() for p in self._folder.rglob("*") if p.is_file())
        except FileNotFoundError as exc:  # a folder went away while it was listed: another model takes its place
            raise _incomplete(self.location, Path(exc.filename or self._folder).name) from exc

    def read(self, name: str) -> bytes:
        """One file's bytes."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as exc:
            raise _incomplete(self.location, name) from exc

    def path(self, name: str) -> Path | None:
        """The file itself."""
        return self._folder / name


class ZipFiles:
    """The same as one .zip; every member is checked before the first is used."""

    def __init__(self, path: Path) -> None:
        self.location = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
            self._members = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        except _ZIP_FAULTS as exc:
            raise ModelError(
                Reason.MODEL_DAMAGED,
                f"{path} is not a readable zip file ({exc}); write it again with `tellapart model pack`",
            ) from exc
        for info in self._members.values():
            self._check(info)

    def names(self) -> frozenset[str]:
        """All members."""
        return frozenset(self._members)

    def read(self, name: str) -> bytes:
        """One member's bytes."""
        if name not in self._members:
            raise _incomplete(self.location, name)
        try:
            return self._zip.read(name)
        except _ZIP_FAULTS as exc:
            raise _damaged(self.location, name) from exc

    def path(self, name: str) -> Path | None:  # noqa: ARG002  the protocol's signature
        """Members of a zip have no path."""
        return None

    def _check(self, info: zipfile.ZipInfo) -> None:
        parts = PurePosixPath(info.filename).parts
        unsafe = info.filename.startswith("/") or ".." in parts or "\\" in info.filename or ":" in info.filename
        if unsafe or len(self._members) != len(self._zip.infolist()):
            raise ModelError(
                Reason.MODEL_DAMAGED,
                f"{self.location} is not a model: its member {info.filename!r} lies outside it or stands there twice",
            )
        # Stored members cannot blow up: what is read is never more than the file's own size.
        if info.compress_type != zipfile.ZIP_STORED:
            raise ModelError(
                Reason.MODEL_DAMAGED,
                f"{self.location}: member {info.filename!r} is compressed, a model's members are stored as they are; "
                "write it with `tellapart model pack`",
            )


def open_files(path: str | Path) -> ModelFiles:
    """The files of a model folder or .zip.

    Raises:
        ModelError: `model_not_found` when there is nothing or something else, `model_damaged` for an unsafe zip.
    """
    path = Path(path)
    if path.is_file():
        return ZipFiles(path)
    _finish_interrupted_replace(path)
    if not (path / CARD).is_file():
        raise ModelError(
            Reason.MODEL_NOT_FOUND,
            f"there is no model at {path}: expected a folder with {CARD} in it, or a .zip of one; "
            "make one with `tellapart train DATA -o MODEL`",
        )
    return FolderFiles(path)


def is_model(path: str | Path) -> bool:
    """True when a model (folder or zip) lies at `path`; it may still be damaged. Other programs have a model.json too."""
    return _card_at(Path(path)) is not None


def _card_at(path: Path) -> dict[str, Any] | None:
    """The card's JSON as it stands there, if it is one of ours."""
    try:
        if path.is_file():
            with zipfile.ZipFile(path) as archive:
                data = archive.read(CARD)
        else:
            _finish_interrupted_replace(path)
            data = (path / CARD).read_bytes()
        card = json.loads(data)
    except (*_ZIP_FAULTS, KeyError, ValueError, RecursionError):
        return None
    ours = isinstance(card, dict) and {"format", "model_id", "files"} <= card.keys()
    return card if ours else None


def check_file(files: ModelFiles, name: str, expected_sha256: str) -> None:
    """Raise `ModelError` (`model_incomplete`, `model_damaged`) unless the file is there with the checksum of the card."""
    path = files.path(name)
    actual = sha256(files.read(name)).hexdigest() if path is None else _file_sha256(files.location, name, path)
    if actual != expected_sha256:
        raise _damaged(files.location, name)


def check_target(path: str | Path) -> None:
    """Raise `ModelError` before long work: `output_exists` when something that is not a model lies where one is to be
    written, `write_failed` when nothing can be written there.
    """
    path = Path(path)
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise ModelError(
            Reason.WRITE_FAILED, f"the model cannot be written to {path}: {nearest} is no folder to write in"
        )
    card = _card_at(path)
    if card is None and path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ModelError(
            Reason.OUTPUT_EXISTS,
            f"{path} exists and is not a tellapart model; choose another name, nothing was overwritten",
        )
    if card is not None and path.is_dir():
        strangers = sorted(FolderFiles(path).names() - set(card["files"]) - {CARD} - _LITTER)
        if strangers:
            raise ModelError(
                Reason.OUTPUT_EXISTS,
                f"{path} holds files that are not of the model and would be lost with it: {', '.join(strangers[:5])}; "
                "move them, or choose another name",
            )


def write_model(path: str | Path, contents: Mapping[str, bytes], *, replaces: bytes | None = None) -> None:
    """Write a model to a folder (or one file, when `path` ends in .zip), replacing an older model in one step.

    A kill at any moment leaves the old model or the new one, never a mixture. Anything else at `path` is left alone.
    `replaces` is the model.json of the model that is to be replaced: where another lies there by then, nothing is written.

    Raises:
        ModelError: `output_exists` when something that is not a model lies there, `write_failed` when the disk refuses,
            `model_changed` for another model than the one that `replaces` names.
    """
    path = Path(path)
    check_target(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip":
            with replacing(path) as temporary:
                _write_zip(temporary, contents)
                _check_still(path, replaces)
        else:
            _write_folder(path, contents, replaces)
    except OSError as exc:
        raise ModelError(
            Reason.WRITE_FAILED, f"the model could not be written to {path}: {exc.strerror or exc}"
        ) from exc


def clear_abandoned(path: str | Path) -> int:
    """Remove what processes that were killed while they wrote the model at `path` left beside it; returns how many.

    Only what was not touched for ten minutes: what is younger may be under way.
    """
    path, until = Path(path), time.time() - _ABANDONED_AFTER_S
    name, short = glob.escape(path.name), glob.escape(path.name[:50])  # `replacing` keeps so many letters
    found = [one for kind in (f"{name}.new", f"{name}.old", f"{short}.new") for one in path.parent.glob(f".{kind}-*")]
    old = {one for one in found if path.exists() and _touched(one) < until}
    for one in old:
        _remove(one)
    return len(old)


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()  # gone meanwhile


def _check_still(path: Path, replaces: bytes | None) -> None:
    """Raise `ModelError` (`model_changed`) unless the card at `path` is the one that was read."""
    if replaces is not None and open_files(path).read(CARD) != replaces:
        raise ModelError(
            Reason.MODEL_CHANGED,
            f"the model {path} was replaced by another program meanwhile, so nothing was written; run the command again",
        )


def _write_folder(path: Path, contents: Mapping[str, bytes], replaces: bytes | None) -> None:
    temporary = path.parent / f".{path.name}.new-{os.urandom(4).hex()}"
    try:
        _fill_folder(temporary, contents)
        _check_still(path, replaces)
        _replace_folder(temporary, path)
    finally:
        _remove(temporary)


def _fill_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, data in contents.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            file.write(data)
            file.flush()
            with contextlib.suppress(OSError):  # some network file systems refuse fsync
                os.fsync(file.fileno())


def _write_zip(path: Path, contents: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in contents.items():
            # A fixed time, so that the same model gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


def _replace_folder(new: Path, target: Path) -> None:
    if not target.exists():
        os.rename(new, target)
    elif not _exchange(new, target):
        # Without an atomic exchange there is a moment with no folder; `_finish_interrupted_replace` closes it.
        old = target.parent / f".{target.name}.old-{os.urandom(4).hex()}"
        os.rename(target, old)
        os.rename(new, target)
        _remove(old)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders in one step (Linux renameat2 with RENAME_EXCHANGE); False where the system can't."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    at_cwd, exchange = -100, 2
    return bool(rename(at_cwd, os.fsencode(a), at_cwd, os.fsencode(b), exchange) == 0)


def _finish_interrupted_replace(path: Path) -> None:
    """Put back the old folder if a kill fell between the two renames of `_replace_folder`."""
    if path.exists():
        return
    for old in sorted(path.parent.glob(f".{path.name}.old-*")):
        if (old / CARD).is_file():
            with contextlib.suppress(OSError):
                os.rename(old, path)
            return


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _file_sha256(location: str, name: str, path: Path) -> str:
    digest = sha256()
    try:
        with path.open("rb") as file:
            for block in _blocks(file.fileno()):
                digest.update(block)
    except OSError as exc:
        raise _incomplete(location, name) from exc
    return digest.hexdigest()


def _blocks(descriptor: int) -> Iterator[bytes]:
    while block := os.read(descriptor, 1 << 20):
        yield block


def _incomplete(location: str, name: str) -> ModelError:
    return ModelError(
        Reason.MODEL_INCOMPLETE, f"the model {location} lacks its file {name}; copy it again, or train it again"
    )


def _damaged(location: str, name: str) -> ModelError:
    return ModelError(
        Reason.MODEL_DAMAGED,
        f"the model {location} is damaged: {name} is not the file that was saved (its sha256 differs); copy it again",
    )
