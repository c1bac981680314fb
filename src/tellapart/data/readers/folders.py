"""Class folders: `root/<class>/*` or `root/<split>/<class>/*`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tellapart.data.files import Listing, list_flat, list_images, parent_of, subfolders, suffix_of
from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.readers.rows import sample_order
from tellapart.data.split_names import normalise_split
from tellapart.records import Refusal, Sample

_ANNOTATIONS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".xml"})


class Folders:
    """The first folder below the root (or below a split folder) is the class; folders below it become the metadata
    column `folder`. Images directly in the root or in a split folder are unlabelled. Order of folders means nothing."""

    name = "folders"
    summary = "root/<class>/* or root/<split>/<class>/*"

    def accepts(self, path: Path) -> bool:
        """Any folder."""
        return path.is_dir()

    def read(self, path: Path, options: ReadOptions) -> ReadResult:  # noqa: ARG002 (nothing to choose)
        """List the images; none is opened."""
        listing = Listing()
        samples: list[Sample] = []
        refusals: list[Refusal] = []
        warnings: list[str] = []
        parts = _split_folders(path, listing, warnings) or {"": None}
        for part, split in parts.items():
            base = os.path.join(path, part) if part else os.fspath(path)
            prefix = f"{part}/" if part else ""
            _read_part(base, prefix, split, listing, samples, warnings)
        if "" not in parts:
            flat = list_flat(os.fspath(path))
            samples += [Sample(uri) for uri in flat.uris]
            listing.refusals += flat.refusals
        _warn_of_annotations(path, warnings)
        refusals += {(r.uri, r.code): r for r in listing.refusals}.values()
        samples.sort(key=sample_order)
        return ReadResult(path, tuple(samples), tuple(refusals), tuple(warnings))


def _read_part(
    base: str, prefix: str, split: str | None, listing: Listing, samples: list[Sample], warnings: list[str]
) -> None:
    """Images of one class level: those lying flat are unlabelled, every subfolder is a class."""
    flat = list_flat(base, prefix)
    samples += [Sample(uri, split=split) for uri in flat.uris]
    listing.refusals += flat.refusals
    for name, folder in subfolders(base, Listing()):
        found = list_images(folder, f"{prefix}{name}/")
        label = name.strip()
        skip = len(prefix) + len(name) + 1
        for uri in found.uris:
            below = parent_of(uri[skip:]) if "/" in uri[skip:] else ""
            metadata = {"folder": below} if below else {}
            samples.append(Sample(uri, (label,) if label else None, split=split, metadata=metadata))
        listing.refusals += found.refusals
        if not found.uris and not found.refusals:
            warnings.append(f"the folder {prefix + name!r} holds no image and gives no class")


def _split_folders(path: Path, listing: Listing, warnings: list[str]) -> dict[str, str | None]:
    """Folder → split when every folder that holds images is named like a split; else nothing."""
    names = [(name, folder) for name, folder in subfolders(os.fspath(path), listing)]
    splits = {name: normalise_split(name) for name, _ in names}
    others = [name for name, folder in names if splits[name] is None and _holds_image(folder)]
    like_splits = [name for name, split in splits.items() if split is not None]
    if like_splits and others:
        if len(like_splits) > 1:
            told = ", ".join(map(repr, like_splits))
            warnings.append(f"folders {told} are read as classes, because {others[0]!r} stands beside them")
        return {}
    return {name: splits[name] for name in like_splits}


def _holds_image(folder: str) -> bool:
    found = list_images(folder)
    return bool(found.uris or found.refusals)


def _warn_of_annotations(path: Path, warnings: list[str]) -> None:
    beside = sorted(name for name in _names(path) if suffix_of(name) in _ANNOTATIONS)
    if beside:
        warnings.append(f"{beside[0]!r} lies in the folder and was not read; to use labels from a file, give that file")


def _names(path: Path) -> Iterable[str]:
    try:
        return [name for name in os.listdir(path) if not name.startswith(".")]
    except OSError:
        return []
