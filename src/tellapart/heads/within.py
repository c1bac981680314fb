"""Class means, and the spread within classes that all of them share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.objectives import Doubles, Floats

# How much the covariance is drawn towards the same variance in all directions. Few images exaggerate its differences.
_SHRINKAGE = 0.1


@dataclass(frozen=True, slots=True)
class Within:
    """Of points (n, r) with a class each: `means` (k, r) of those classes that have points, in rising order of the class,
    `counts` (k,), and the shrunken `covariance` (r, r) within them; all float64.
    """

    means: Doubles
    counts: Doubles
    covariance: Doubles

    @classmethod
    def of(cls, points: Floats, classes: NDArray[np.int64]) -> Within:
        """Covariance about the class means; about the common mean where every class has a single point."""
        _, columns, counts = np.unique(classes, return_inverse=True, return_counts=True)
        order = np.argsort(columns, kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        means = np.add.reduceat(points[order].astype(np.float64), starts) / counts[:, None]
        freedom = len(points) - len(counts)
        centres = means[columns] if freedom else means.mean(axis=0)
        away = points - centres.astype(np.float32)
        plain = (away.T @ away).astype(np.float64) / max(freedom, len(points) - 1 if not freedom else 1)
        typical = max(float(np.trace(plain)) / max(len(plain), 1), 1e-12)
        covariance = (1 - _SHRINKAGE) * plain + _SHRINKAGE * typical * np.eye(len(plain))
        return cls(means, counts.astype(np.float64), covariance)

    @property
    def between(self) -> Doubles:
        """Covariance (r, r) of the class means, each counting as often as it has points."""
        share = self.counts / self.counts.sum()
        away = self.means - share @ self.means
        return np.asarray(away.T @ (share[:, None] * away))
