"""From a path somebody's tool wrote to the uri of a file below the data set's root, or a reason why not."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tellapart.data.containers import split_row
from tellapart.errors import DataError, Reason

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://", re.ASCII)
_UPLOAD_HASH = re.compile(r"[0-9a-f]{8}-(?=.)")
_LOCAL_FILES = "data/local-files/?d="
# Addresses on a Label Studio server, no paths of a disk.
_SERVED = ("/data/local-files/", "/data/upload/")
_MAX_PATH = 4096


class Resolver:
    """Finds the files that rows name, below one root.

    Tried in this order: the text as it stands; Windows separators; Label Studio's `/data/local-files/?d=`; the tail
    of a URL (`gs://bucket/a/b.jpg` → `bucket/a/b.jpg`, `a/b.jpg`, `b.jpg`) or of a Label Studio upload;
    percent-decoded; below `images/`. A row can never leave the root by its text; links inside the root are the
    owner's and are followed.
    """

    def __init__(self, root: Path, *, allow_outside: bool = False) -> None:
        self.root = os.path.abspath(root)
        self._base = self.root.replace(os.sep, "/").rstrip("/") + "/"
        self.allow_outside = allow_outside

    def uri(self, written: object) -> str:
        """Uri relative to the root (absolute for files outside, where those are allowed).

        Raises:
            DataError: bad_row, outside_root, file_not_found or not_a_file.
        """
        text = self._text(written)
        outside = False
        for candidate in candidates(text):
            inside = self._inside(candidate)
            if inside is None:
                outside = True
                if self.allow_outside and _kind(os.path.join(self.root, candidate)) == "file":
                    return posixpath.normpath(os.path.join(self.root, candidate))
            elif self._exists(inside):
                return inside
        raise self._refusal(text, outside)

    def _text(self, written: object) -> str:
        if not isinstance(written, str) or not written.strip():
            raise DataError(Reason.BAD_ROW, f"the row names no file, got {written!r:.80}")
        if "\0" in written or len(written) > _MAX_PATH:
            raise DataError(Reason.BAD_ROW, f"this is no file name: {written!r:.80}")
        try:
            written.encode("utf-8")
        except UnicodeEncodeError:
            raise DataError(Reason.BAD_ROW, f"the file name is not valid UTF-8: {written!a:.80}") from None
        return written

    def _refusal(self, text: str, outside: bool) -> DataError:
        if outside:
            remedy = "give the folder the images lie in (images=…), or allow files outside of it"
            return DataError(Reason.OUTSIDE_ROOT, f"{text!r:.300} lies outside of {self.root}; {remedy}")
        if _kind(os.path.join(self.root, text)) == "other":
            return DataError(Reason.NOT_A_FILE, f"{text!r:.300} is not a file, in {self.root}")
        return DataError(Reason.FILE_NOT_FOUND, f"there is no file {text!r:.300} in {self.root}")

    def _inside(self, candidate: str) -> str | None:
        """Path relative to the root, None when it leads out of it."""
        if _DRIVE.match(candidate) and os.name != "nt":
            return None
        full = posixpath.normpath(posixpath.join(self._base, candidate))
        return full[len(self._base) :] if full.startswith(self._base) else None

    def _exists(self, uri: str) -> bool:
        row = split_row(uri)
        return _kind(os.path.join(self.root, row[0] if row else uri)) == "file"


def candidates(text: str) -> Iterator[str]:
    """What a written path may mean, most literal first."""
    if not _URL.match(text) and not text.startswith(_SERVED):
        yield text
        if "\\" in text:
            yield text.replace("\\", "/")
    stripped = text.strip()
    if stripped != text:
        yield stripped
    if _LOCAL_FILES in text:
        yield unquote(stripped.split(_LOCAL_FILES, 1)[1])
    elif "/data/upload/" in text or _URL.match(stripped):
        yield from _tails(stripped)
    elif "%" in text:
        yield unquote(stripped).replace("\\", "/")
    if not _URL.match(text) and not posixpath.isabs(text) and not _DRIVE.match(text):
        yield "images/" + stripped.replace("\\", "/")


def _tails(url: str) -> Iterator[str]:
    """Ever shorter ends of a URL's path; with and without the hash Label Studio puts before uploaded names."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    if parts.scheme == "file":
        yield unquote(parts.path)
        return
    steps = [step for step in unquote(f"{parts.netloc}/{parts.path}").split("/") if step not in ("", ".")]
    if ".." in steps:
        yield "/".join(steps)
        return
    for start in range(len(steps)):
        yield "/".join(steps[start:])
    if steps and _UPLOAD_HASH.match(steps[-1]):
        yield _UPLOAD_HASH.sub("", steps[-1], count=1)


def _kind(path: str) -> str:
    """ "file", "other" or "" for nothing there."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    return "file" if stat.S_ISREG(mode) else "other"
