"""Tiny real images and data sets on disk, made without an image library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from tellapart.data.dataset import Dataset
from tellapart.records import Sample


def png(value: int = 0, width: int = 4, height: int = 2) -> bytes:
    """A grey PNG; different values give different bytes."""
    rows = b"".join(b"\0" + bytes([value % 256]) * width for _ in range(height))
    comment = f"n\0{value}".encode()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"tEXt", comment), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def put(root: Path, *names: str) -> Path:
    """An image file per name, each with bytes of its own."""
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(i))
    return root


def stored(root: Path, samples: list[Sample]) -> Dataset:
    """A data set whose images are on disk below `root`."""
    for i, uri in enumerate(dict.fromkeys(sample.uri for sample in samples)):
        path = root / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(i))
    return Dataset.from_samples(samples, root=root)


def seen(dataset: Dataset) -> list[tuple[str, tuple[str, ...] | None]]:
    """(uri, labels) of all samples."""
    return [(sample.uri, sample.labels) for sample in dataset.samples]


def codes(dataset: Dataset) -> list[str]:
    """Reason codes of all refusals, sorted."""
    return sorted(refusal.code for refusal in dataset.refusals)
