"""Choosing the golden images of a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.files import IMAGE_SUFFIXES
from tellapart.errors import ImageError
from tellapart.image.encode import encode_png
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits

# Larger files are kept as the pixels that preprocessing makes of them: a model should stay small.
_MAX_BYTES = 256 * 1024


def golden_images(
    dataset: Dataset, rows: Sequence[int], spec: PreprocessSpec, limits: DecodeLimits, *, n: int
) -> dict[str, bytes]:
    """Up to `n` encoded images of the rows by file name, one label after the other; small files as they are."""
    images: dict[str, bytes] = {}
    for row in one_label_after_the_other(dataset, rows):
        if len(images) >= n:
            break
        try:
            data = dataset.bytes_of(row, limits=limits)
            pixels = spec.apply(data, None, limits)
        except ImageError:
            continue  # gone since it was embedded
        if len(data) <= _MAX_BYTES:
            images[f"{len(images):02d}{_suffix(dataset.uris[row])}"] = data
        else:
            images[f"{len(images):02d}.png"] = encode_png(np.ascontiguousarray(pixels))
    return images


def _suffix(uri: str) -> str:
    """Of an image's name, where it is one: what else stands behind a dot (`.30:15`) may be no name in a zip."""
    suffix = PurePosixPath(uri).suffix.lower()
    return suffix if suffix in IMAGE_SUFFIXES else ".image"


def one_label_after_the_other(dataset: Dataset, rows: Sequence[int]) -> list[int]:
    """Rows in an order in which every label comes up early."""
    turns: dict[tuple[str, ...], int] = {}
    ranked = []
    for row in rows:
        labels = dataset.samples[row].labels or ()
        turns[labels] = turns.get(labels, -1) + 1
        ranked.append((turns[labels], labels, row))
    return [row for _, _, row in sorted(ranked)]
