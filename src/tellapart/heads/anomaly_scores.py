"""How far an image's patches are from those of good images: by the nearest one remembered, or by a Gaussian.

An embedding is a grid of patches, row by row; a network that gives one vector per image has a grid of one. The score of an
image is that of its strangest patch (Roth et al. 2022, https://arxiv.org/abs/2106.08265).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason
from tellapart.heads.objectives import Floats

# Distances of so many patches at once stay in the processor's cache.
_BLOCK = 1024


class Scorer(Protocol):
    """Distances of patches from good ones: nothing but arrays inside."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        ...

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads: rows · columns · channels."""
        ...

    def patch_scores(self, embeddings: Floats) -> Floats:
        """Distances float32 (n, rows, columns) of embeddings (n, d)."""
        ...

    def scaled(self, factor: float) -> Scorer:
        """The same with all distances times `factor`."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything it is, by name."""
        ...


@dataclass(frozen=True, slots=True)
class PatchMemory:
    """Distance to the nearest of m remembered patches: |patch · scale - memory|.

    `memory` float32 (m, c) is scaled already, `scale` float32 (c,). Where a patch lies plays no part.
    """

    grid: tuple[int, int]
    memory: Floats
    scale: Floats

    @property
    def n_features(self) -> int:
        """Rows · columns · channels."""
        return self.grid[0] * self.grid[1] * int(self.memory.shape[1])

    def patch_scores(self, embeddings: Floats) -> Floats:
        """Distances float32 (n, rows, columns)."""
        patches = np.ascontiguousarray(embeddings, np.float32).reshape(-1, self.memory.shape[1])
        twice, squares = np.ascontiguousarray(2 * self.memory.T), _squares(self.memory)
        found = np.empty(len(patches), np.float32)
        for start in range(0, len(patches), _BLOCK):
            block = patches[start : start + _BLOCK] * self.scale
            nearness = block @ twice
            nearness -= squares
            found[start : start + _BLOCK] = _squares(block) - nearness.max(axis=1)
        return np.sqrt(np.maximum(found, 0)).reshape(len(embeddings), *self.grid)

    def scaled(self, factor: float) -> PatchMemory:
        """All distances times `factor`."""
        return replace(self, memory=self.memory * np.float32(factor), scale=self.scale * np.float32(factor))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`grid` int64 (2,), `memory` (m, c) and `scale` (c,) float32."""
        return {"grid": np.array(self.grid, np.int64), "memory": self.memory, "scale": self.scale}


@dataclass(frozen=True, slots=True)
class PatchGaussian:
    """Mahalanobis distance from what a place shows on good images: |(patch - mean of its place) @ whiten|.

    `mean` float32 (places, c), `whiten` float32 (c, r): all places share a covariance (after PaDiM, Defard et al. 2021,
    https://arxiv.org/abs/2011.08785, which has one each and wants more good images).
    """

    grid: tuple[int, int]
    mean: Floats
    whiten: Floats

    @property
    def n_features(self) -> int:
        """Rows · columns · channels."""
        return self.mean.size

    def patch_scores(self, embeddings: Floats) -> Floats:
        """Distances float32 (n, rows, columns)."""
        apart = np.asarray(embeddings, np.float32).reshape(len(embeddings), *self.mean.shape) - self.mean
        white = np.asarray(apart.reshape(-1, self.mean.shape[1]) @ self.whiten, np.float32)
        return np.sqrt(_squares(white)).reshape(len(embeddings), *self.grid)

    def scaled(self, factor: float) -> PatchGaussian:
        """All distances times `factor`."""
        return replace(self, whiten=self.whiten * np.float32(factor))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`grid` int64 (2,), `mean` (places, c) and `whiten` (c, r) float32."""
        return {"grid": np.array(self.grid, np.int64), "mean": self.mean, "whiten": self.whiten}


def image_scores(patch_scores: Floats) -> Floats:
    """The largest of each image's patches, float32 (n,) of (n, rows, columns)."""
    return np.asarray(patch_scores.max(axis=(1, 2)), np.float32)


def restore_scorer(arrays: Mapping[str, NDArray[Any]]) -> Scorer:
    """Inverse of `arrays`; other names are ignored.

    Raises:
        ModelError: `model_damaged` when an array is missing or has the wrong shape.
    """
    names = ("memory", "scale") if "memory" in arrays else ("mean", "whiten")
    missing = [name for name in ("grid", *names) if name not in arrays]
    if missing:
        raise ModelError(Reason.MODEL_DAMAGED, f"an anomaly head needs the arrays {', '.join(missing)}")
    grid = np.asarray(arrays["grid"]).reshape(-1).tolist()
    first, second = (np.asarray(arrays[name], np.float32) for name in names)
    if len(grid) != 2 or min(grid) < 1 or not _fit(grid, names[0], first, second):
        shapes = f"grid {grid}, {names[0]} {first.shape}, {names[1]} {second.shape}"
        raise ModelError(Reason.MODEL_DAMAGED, f"the arrays of an anomaly head do not fit together: {shapes}")
    kind = PatchMemory if names[0] == "memory" else PatchGaussian
    return kind((grid[0], grid[1]), first, second)


def _fit(grid: list[int], kind: str, first: Floats, second: Floats) -> bool:
    if first.ndim != 2 or not first.size:
        return False
    if kind == "memory":
        return second.shape == first.shape[1:]
    return len(first) == grid[0] * grid[1] and second.ndim == 2 and len(second) == first.shape[1]


def _squares(rows: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", rows, rows), np.float32)
