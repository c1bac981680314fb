"""The images among which one chooses: those with labels, those without, and which of them show the same thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Clusters are found in this many directions: distances survive a random projection (Johnson & Lindenstrauss 1984).
_DIRECTIONS = 256
_MOST_MEASURED = 10_000


@dataclass(frozen=True, slots=True)
class Pool:
    """n images: `points` float32 (n, m) of unit length, near where images are alike; `things` int64 (n,), equal numbers for
    near-duplicates; `labelled` bool (n,); `closed` bool (n,), not to be chosen whatever their use.

    Only `rows` may be chosen, and never two of one thing (`distinct`).
    """

    points: Floats
    things: Ints
    labelled: Bools
    closed: Bools

    @classmethod
    def of(cls, embeddings: Floats, things: Ints, labelled: Bools, *, closed: Bools | None = None) -> Pool:
        """From embeddings float32 (n, d) of any scale."""
        nothing = np.zeros(len(labelled), bool)
        return cls(_points(embeddings), things, labelled, nothing if closed is None else closed)

    @property
    def rows(self) -> Ints:
        """Rows that may be chosen: unlabelled, not closed, and no near-duplicate of a labelled image."""
        seen = np.isin(self.things, self.things[self.labelled])
        return np.flatnonzero(~seen & ~self.closed)

    def distinct(self, order: Iterable[int], n: int) -> Ints:
        """The first `n` rows of `order` of which no two are near-duplicates."""
        seen: set[int] = set()
        found: list[int] = []
        for row in order:
            if len(found) == n:
                break
            thing = int(self.things[row])
            if thing not in seen:
                seen.add(thing)
                found.append(int(row))
        return np.array(found, np.int64)


def _points(embeddings: Floats) -> Floats:
    """Features of equal weight, in at most 256 directions, by angle: what k-means is good at."""
    some = embeddings[:: max(1, len(embeddings) // _MOST_MEASURED)]
    mean, spread = some.mean(axis=0, dtype=np.float64), some.std(axis=0, dtype=np.float64)
    d = len(mean)
    turn = np.eye(d) if d <= _DIRECTIONS else np.random.default_rng(0).standard_normal((d, _DIRECTIONS))
    turn /= np.where(spread > 0, spread, 1)[:, None]
    # Of 100,000 images the embeddings are large: they are read once and never copied.
    points = embeddings @ turn.astype(np.float32) - (mean @ turn).astype(np.float32)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.ascontiguousarray(points / np.maximum(lengths, 1e-12), np.float32)
