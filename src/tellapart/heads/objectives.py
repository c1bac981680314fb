"""The two losses of a linear head, each for a batch of problems that share one design matrix.

A batch holds B problems (folds, or labels of a multi-label task) of K rows of weights each; scores are (B, K, n) so
that every reduction over classes runs along whole rows of samples.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Objective(Protocol):
    """A sum of weighted losses over samples, for B problems of K rows. `residual` and `curvature` follow a `loss`."""

    n_problems: int
    n_rows: int

    def loss(self, scores: Floats) -> Doubles:
        """Weighted loss (B,) of scores (B, K, n); remembers what the derivatives need."""
        ...

    def residual(self) -> Floats:
        """Derivative of the last loss by its scores, (B, K, n). Uses up what `loss` remembered: call it last."""
        ...

    def curvature(self) -> Doubles:
        """Summed weighted variance p(1-p) of each row at the last loss, (B, K): the size of the Hessian's blocks."""
        ...


class SoftmaxObjective:
    """Multinomial log loss. `targets` int64 (n,) in 0..k-1; `weights` float (B, n), 0 leaves a sample out."""

    def __init__(self, targets: NDArray[np.int64], n_classes: int, weights: NDArray[np.floating[Any]]) -> None:
        self.n_problems, self.n_rows = weights.shape[0], n_classes
        self._targets = targets
        self._columns = np.arange(len(targets))
        self._weights = weights.astype(np.float32)
        self._exp = np.empty((0, 0, 0), np.float32)
        self._sum = np.empty((0, 0), np.float32)

    def loss(self, scores: Floats) -> Doubles:
        shifted = scores - scores.max(axis=1, keepdims=True)
        own = shifted[:, self._targets, self._columns]
        np.exp(shifted, out=shifted)
        self._exp, self._sum = shifted, shifted.sum(axis=1)
        each = np.log(self._sum) - own
        each *= self._weights
        return np.asarray(each.sum(axis=1, dtype=np.float64))

    def residual(self) -> Floats:
        value = self._exp
        value *= (self._weights / self._sum)[:, None, :]
        value[:, self._targets, self._columns] -= self._weights
        return value

    def curvature(self) -> Doubles:
        p = self._exp / self._sum[:, None, :]
        p -= p * p
        return np.asarray(np.matmul(p, self._weights[:, :, None])[:, :, 0], np.float64)


class SigmoidObjective:
    """Independent binary log losses, one row each. `targets` and `weights` float (B, n); targets are 0 or 1."""

    n_rows = 1

    def __init__(self, targets: NDArray[np.floating[Any]], weights: NDArray[np.floating[Any]]) -> None:
        self.n_problems = weights.shape[0]
        self._targets = targets.astype(np.float32)
        self._weights = weights.astype(np.float32)
        self._probability = np.empty((0, 0), np.float32)

    def loss(self, scores: Floats) -> Doubles:
        z = scores[:, 0, :]
        small = np.exp(-np.abs(z))
        each = np.log1p(small) + np.maximum(z, 0) - self._targets * z
        self._probability = np.where(z >= 0, 1, small) / (1 + small)
        each *= self._weights
        return np.asarray(each.sum(axis=1, dtype=np.float64))

    def residual(self) -> Floats:
        return np.asarray((self._probability - self._targets) * self._weights)[:, None, :]

    def curvature(self) -> Doubles:
        p = self._probability
        return np.asarray((p * (1 - p) * self._weights).sum(axis=1, dtype=np.float64))[:, None]
