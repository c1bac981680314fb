"""A learned linear map from embeddings to fewer numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.objectives import Floats

KINDS = ("pca", "pca-whitened", "supcon")
_AT_ONCE = 16_384


@dataclass(frozen=True, eq=False)
class Projection:
    """`(embeddings - mean) @ matrix`, float32 (d,) and (d, m); `kind` is one of `KINDS`."""

    kind: str
    mean: Floats
    matrix: Floats

    @property
    def n_features(self) -> int:
        """Length of the embeddings it reads."""
        return int(self.matrix.shape[0])

    @property
    def dim(self) -> int:
        """Length of the vectors it makes."""
        return int(self.matrix.shape[1])

    @cached_property
    def sha256(self) -> str:
        """Hex, over kind, shape and every bit of the arrays: projections that agree share it."""
        head = f"{self.kind} {self.matrix.shape} ".encode()
        return sha256(head + self.mean.tobytes() + np.ascontiguousarray(self.matrix).tobytes()).hexdigest()

    def apply(self, embeddings: Floats, *, normalise: bool = True) -> Floats:
        """Vectors float32 (n, m) of embeddings (n, d), brought to length 1 unless `normalise` is False.

        Raises:
            SettingsError: `bad_setting` for embeddings of another length.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.n_features:
            message = f"the projection reads vectors of {self.n_features} numbers, got shape {embeddings.shape}"
            raise SettingsError(Reason.BAD_SETTING, message)
        out = np.empty((len(embeddings), self.dim), np.float32)
        for start in range(0, len(embeddings), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            out[rows] = (embeddings[rows] - self.mean) @ self.matrix
        return unit_length(out) if normalise else out

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`mean` and `matrix`."""
        return {"mean": self.mean, "matrix": self.matrix}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, kind: str) -> Projection:
        """Inverse of `arrays`.

        Raises:
            ModelError: `model_damaged` when an array is missing, has the wrong shape or no finite numbers; `model_too_new` for
                a kind that this version does not know.
        """
        if kind not in KINDS:
            known = ", ".join(KINDS)
            message = f"there is no kind of projection {kind!r} (known: {known}); update tellapart"
            raise ModelError(Reason.MODEL_TOO_NEW, message)
        mean, matrix = (np.asarray(arrays.get(name, ()), np.float32) for name in ("mean", "matrix"))
        whole = matrix.ndim == 2 and matrix.shape[1] > 0 and mean.shape == matrix.shape[:1]
        if not (whole and np.isfinite(mean).all() and np.isfinite(matrix).all()):
            message = f"a projection needs finite mean (d,) and matrix (d, m), got {mean.shape} and {matrix.shape}"
            raise ModelError(Reason.MODEL_DAMAGED, message)
        return cls(kind, mean, np.ascontiguousarray(matrix))


def unit_length(vectors: Floats) -> Floats:
    """Vectors (n, d) brought to length 1 in place; a vector of zeros stays one, it is like nothing else."""
    for start in range(0, len(vectors), _AT_ONCE):
        part = vectors[start : start + _AT_ONCE]
        lengths = np.sqrt(np.einsum("ij,ij->i", part, part, dtype=np.float64))
        part /= np.where(lengths > 0, lengths, 1)[:, None].astype(np.float32)
    return vectors
