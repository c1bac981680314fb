"""Where the images of a written data set lie: referred to by path, linked, or copied beside the annotations."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tellapart.data.containers import content_id, read_bytes, split_row
from tellapart.data.dataset import Dataset
from tellapart.data.table import atomic_path
from tellapart.errors import DataError, ImageError, Reason
from tellapart.image.types import DecodeLimits
from tellapart.records import Refusal, Sample

_SUFFIX_BY_MAGIC = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG", ".png"),
    (b"GIF8", ".gif"),
    (b"RIFF", ".webp"),
    (b"BM", ".bmp"),
)


def target_free(path: Path, overwrite: bool) -> None:
    """DataError output_exists when the path is there and may not be replaced."""
    if path.exists() and (path.is_dir() or not overwrite):
        remedy = "choose another name" if path.is_dir() else "choose another name or allow overwriting"
        raise DataError(Reason.OUTPUT_EXISTS, f"{path} exists; {remedy}")


def folder_free(path: Path, overwrite: bool) -> None:
    """DataError output_exists when the folder holds anything and may not be added to, or is a file."""
    if path.exists() and not (path.is_dir() and (overwrite or not any(path.iterdir()))):
        raise DataError(Reason.OUTPUT_EXISTS, f"{path} exists; choose another folder or allow overwriting")


def location(uri: str, root: Path | None) -> str:
    """The file behind a uri (for a Parquet row: the Parquet file), absolute."""
    row = split_row(uri)
    return os.path.abspath(os.path.join(root or "", row[0] if row else uri))


def plain_name(uri: str, data: bytes | None = None) -> str:
    """A relative file name for an image: the uri itself, or for rows and outside files one made from it."""
    row = split_row(uri)
    if row is not None:
        return f"{PurePosixPath(row[0]).stem}/{row[1]:07d}{_suffix(data or b'')}"
    if PurePosixPath(uri).is_absolute():
        return f"outside/{content_id(uri.encode())[:12]}-{PurePosixPath(uri).name}"
    return uri


@dataclass(slots=True)
class Placer:
    """Gives every sample the file name to be written for it, copying the image there if asked.

    Images that cannot be read while copying are refused and left out, so that the rest is written.
    """

    dataset: Dataset
    folder: Path
    copy: bool
    overwrite: bool = False
    refusals: list[Refusal] = field(default_factory=list)
    absolute: int = 0
    _done: dict[str, str] = field(default_factory=dict)

    def place(self, sample: Sample) -> str | None:
        """File name for the annotation: relative to its folder where possible; None when the image was refused."""
        if sample.uri not in self._done:
            name = self._copied(sample.uri) if self.copy else self._reference(sample.uri)
            if name is None:
                return None
            self._done[sample.uri] = name
        return self._done[sample.uri]

    def warnings(self) -> tuple[str, ...]:
        """What a reader of the result must know."""
        if not self.absolute:
            return ()
        root = self.dataset.root
        return (
            f"{self.absolute} images lie outside of {self.folder}: read it with images={str(root)!r}, or write copies",
        )

    def _reference(self, uri: str) -> str:
        file = location(uri, self.dataset.root)
        row = split_row(uri)
        tail = f"#row={row[1]}" if row else ""
        base = os.path.join(os.path.abspath(self.folder), "")
        if not file.startswith(base):
            self.absolute += 1
        return file.removeprefix(base).replace(os.sep, "/") + tail

    def _copied(self, uri: str) -> str | None:
        try:
            data = read_bytes(uri, root=self.dataset.root, limits=DecodeLimits())
        except ImageError as exc:
            self.refusals.append(Refusal.of(uri, exc))
            return None
        name = f"images/{plain_name(uri, data)}"
        put(self.folder / name, data, self.overwrite)
        return name


def put(path: Path, data: bytes, overwrite: bool) -> None:
    """Write an image file, whole or not at all; an equal file that is there already is left alone."""
    if path.exists() and not overwrite and not (path.is_file() and path.read_bytes() == data):
        raise DataError(Reason.OUTPUT_EXISTS, f"{path} exists; choose another folder or allow overwriting")
    with atomic_path(path, sync=False) as temporary:
        temporary.write_bytes(data)


def _suffix(data: bytes) -> str:
    return next((suffix for magic, suffix in _SUFFIX_BY_MAGIC if data.startswith(magic)), ".img")
