"""Which files of a folder are images: told by the name where it can tell, always in the same order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tellapart.errors import DataError, Reason
from tellapart.records import Refusal

# A wide list on purpose: a format that cannot be decoded is then refused by name, not passed over in silence.
IMAGE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "bmp", "dib", "gif", "tif", "tiff", "avif"),
        *("heic", "heif", "jp2", "j2k", "jxl", "ppm", "pgm", "pbm", "pnm", "svg", "psd", "tga", "ico"),
        *("dng", "cr2", "cr3", "nef", "arw", "exr", "hdr", "raw"),
    )
)
# Other files with these names are never opened; anything else unknown is looked at for an image's first bytes.
OTHER_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("txt", "json", "jsonl", "ndjson", "csv", "tsv", "xml", "yaml", "yml", "md", "rst", "html", "htm", "pdf"),
        *("db", "ini", "log", "toml", "py", "ipynb", "sh", "bat", "lnk", "parquet", "arrow", "npy", "npz", "pt", "pth"),
        *("onnx", "pkl", "pickle", "h5", "zip", "gz", "tar", "tgz", "7z", "rar", "xls", "xlsx", "doc", "docx"),
        *("mp4", "avi", "mov", "mkv", "wav", "mp3", "bak", "tmp", "part", "lock", "cache", "md5", "sha256"),
    )
)
OTHER_NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx", "icon\r", "license", "readme", "makefile"})
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_FTYP_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1")
_MAX_DEPTH = 32


@dataclass(slots=True)
class Listing:
    """Image files below a folder as uris relative to it (posix separators), and what was seen and cannot be used."""

    uris: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, uri: str, reason: Reason, message: str) -> None:
        """Note a refusal; names that are no valid text are shown with their bytes escaped."""
        shown = printable(uri)
        self.refusals.append(Refusal.of(shown, DataError(reason, f"{shown}: {message}")))


def printable(name: str) -> str:
    """The name with undecodable bytes written as escapes (`caf\\xe9.jpg`), so that it can be stored and printed."""
    return os.fsencode(name).decode("utf-8", "backslashreplace") if _has_surrogates(name) else name


def list_images(folder: str, prefix: str = "") -> Listing:
    """All images below `folder`; uris start with `prefix` (`"good/"`), sorted by their bytes.

    Symbolic links are followed, each real folder is entered once, so loops end. Hidden files and `OTHER_*` are skipped.
    """
    listing = Listing()
    _walk(folder, prefix, listing, set(), 0)
    listing.uris.sort()
    return listing


def subfolders(folder: str, listing: Listing) -> list[tuple[str, str]]:
    """(name, path) of the visible folders directly inside, sorted; those with undecodable names are refused."""
    found = []
    for entry in _entries(folder, "", listing):
        if _is_dir(entry) and not skipped_name(entry.name):
            if _has_surrogates(entry.name):
                listing.refuse(entry.name, Reason.BAD_ROW, "the folder's name is not valid UTF-8; rename it")
            else:
                found.append((entry.name, entry.path))
    return sorted(found)


def list_flat(folder: str, prefix: str = "") -> Listing:
    """The images directly inside a folder, not below it."""
    listing = Listing()
    for entry in _entries(folder, prefix, listing):
        if not skipped_name(entry.name) and not _is_dir(entry):
            _take(entry, prefix, listing)
    listing.uris.sort()
    return listing


def skipped_name(name: str) -> bool:
    """Hidden files and the litter of operating systems."""
    return name.startswith(".") or name.lower() in OTHER_NAMES


def suffix_of(name: str) -> str:
    """Lower-case suffix with its dot, "" if none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 and "/" not in name[dot:] else ""


def has_image_magic(head: bytes) -> bool:
    """True when the first 16 bytes are those of a raster image format."""
    if head.startswith(_MAGIC):
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    # "BM" alone is two letters of text: the reserved words of a BMP header must be zero as well.
    is_bmp = head[:2] == b"BM" and len(head) >= 10 and head[6:10] == b"\0\0\0\0"
    return is_bmp or (head[4:8] == b"ftyp" and head[8:12] in _FTYP_BRANDS)


def _walk(folder: str, prefix: str, listing: Listing, visited: set[tuple[int, int]], depth: int) -> None:
    try:
        status = os.stat(folder)
    except OSError:
        return
    # Windows gives 0 for both where the file system has no file numbers; depth still bounds the walk.
    identity = (status.st_dev, status.st_ino)
    if (status.st_ino and identity in visited) or depth > _MAX_DEPTH:
        return
    visited.add(identity)
    below = []
    for entry in _entries(folder, prefix, listing):
        if skipped_name(entry.name):
            continue
        if _is_dir(entry):
            below.append(entry)
        else:
            _take(entry, prefix, listing)
    # Real folders before links: an image keeps the uri of the place where it lies.
    for entry in sorted(below, key=lambda entry: (entry.is_symlink(), entry.name)):
        _walk(entry.path, f"{prefix}{entry.name}/", listing, visited, depth + 1)


def _entries(folder: str, prefix: str, listing: Listing) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except PermissionError:
        listing.refuse(prefix or folder, Reason.PERMISSION_DENIED, "the folder may not be read by this user")
    except OSError as exc:
        listing.refuse(prefix or folder, Reason.READ_FAILED, f"the folder cannot be read ({exc.strerror})")


def _take(entry: os.DirEntry[str], prefix: str, listing: Listing) -> None:
    uri = prefix + entry.name
    suffix = suffix_of(entry.name)
    if suffix not in IMAGE_SUFFIXES and (suffix in OTHER_SUFFIXES or not _looks_like_image(entry)):
        return
    if _has_surrogates(uri):
        listing.refuse(uri, Reason.BAD_ROW, "the file's name is not valid UTF-8; rename it")
    elif not _is_file(entry):
        if os.path.lexists(entry.path) and not os.path.exists(entry.path):
            listing.refuse(uri, Reason.FILE_NOT_FOUND, "the link points to nothing")
        else:
            listing.refuse(uri, Reason.NOT_A_FILE, "a file was expected, this is a device, pipe or socket")
    else:
        listing.uris.append(uri)


def _looks_like_image(entry: os.DirEntry[str]) -> bool:
    if not _is_file(entry):
        return False
    try:
        with open(entry.path, "rb") as file:
            return has_image_magic(file.read(16))
    except OSError:
        return False


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _has_surrogates(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def parent_of(uri: str) -> str:
    """The folder part of a uri, "" at the root."""
    parent = str(PurePosixPath(uri).parent)
    return "" if parent == "." else parent
