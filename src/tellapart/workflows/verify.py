"""Is a model still what was saved, and does it still answer as it did?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tellapart.classifier.golden import replay
from tellapart.classifier.storage import check_all, load, load_enclosures
from tellapart.image.types import DecodeLimits


@dataclass(frozen=True, slots=True)
class Verified:
    """Number of files whose checksum was right, golden images replayed, and the largest difference of a probability."""

    n_files: int
    n_golden: int
    max_difference: float


def verify(model: str | Path, *, limits: DecodeLimits | None = None) -> Verified:
    """Check all checksums and replay the golden set.

    Raises:
        ModelError: the first thing that is not as it was.
    """
    n_files = check_all(model)
    result = replay(load(model, limits=limits), load_enclosures(model).golden)
    return Verified(n_files, result.n_images, result.max_difference)


def pack(model: str | Path, output: str | Path) -> int:
    """Write a model in its other form (folder, .zip) after checking it; returns the number of files."""
    check_all(model)
    return len(load(model).save(output).card.files) + 1
