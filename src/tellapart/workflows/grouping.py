"""Groups of pictures that show the same thing, kept between runs: unchanged images are not compared again."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.near_duplicates import VERSION, same_object_groups
from tellapart.files import replacing
from tellapart.workflows.embedding import EmbeddedDataset


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Group number int64 (n,) of every image by its looks, and bool (n,) where looks do not tell."""

    groups: NDArray[np.int64]
    undecided: NDArray[np.bool_]


def look_alikes(images: EmbeddedDataset, cache_dir: Path | None) -> LookAlikes:
    """Put images together by their looks; see `data.near_duplicates`."""
    if cache_dir is None:
        return _compare(images)
    # The thumbnails decide and nothing else, so they are the key: no other data set can be mistaken for this one.
    key = sha256(b"%d|" % VERSION + images.thumbnails.tobytes() + "|".join(images.dataset.ids).encode()).hexdigest()
    path = cache_dir / "groups" / f"{key[:32]}.npy"
    try:
        found: NDArray[np.int64] = np.load(path, allow_pickle=False)
        if found.shape == (2, len(images)):
            return LookAlikes(found[0], found[1].astype(bool))
    except (OSError, ValueError, EOFError):
        pass  # not there yet, or damaged: compared again and written anew
    compared = _compare(images)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack([compared.groups, compared.undecided]))
    except OSError:
        pass  # a full or read-only disk costs the speed-up, not the run
    return compared


def _compare(images: EmbeddedDataset) -> LookAlikes:
    found = same_object_groups(images.thumbnails, ids=images.dataset.ids)
    return LookAlikes(found.groups, found.undecided)
