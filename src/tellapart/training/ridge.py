"""Least squares with a penalty, for fewer images than features: every held-out answer in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ridge:
    """Weighted ridge regression of 0/1 labels on features, decomposed once for all penalties.

    Minimised is Σ weight · (label - b - z·w)² + penalty · mean eigenvalue · ‖w‖², the intercept free (regularised
    least-squares classification, Rifkin, Yeo and Poggio 2003). All in the space of the n images: n may be a few thousand.
    """

    centred: Doubles
    mean: Doubles
    roots: Doubles
    vectors: Doubles
    values: Doubles

    @classmethod
    def of(cls, z: Doubles, weights: NDArray[np.floating]) -> Ridge:
        """`z` (n, d) features, `weights` (n,) how much each image counts, above 0."""
        share = np.asarray(weights, np.float64) / np.sum(weights, dtype=np.float64)
        mean, roots = share @ z, np.sqrt(share)
        centred = (z - mean) * roots[:, None]
        values, vectors = np.linalg.eigh(centred @ centred.T)
        return cls(centred, mean, roots, vectors, np.maximum(values, 0))

    def held_out(self, labels: NDArray[np.uint8], folds: NDArray[np.int64], penalty: float) -> Doubles:
        """Answers (n, k) for each image by the regression without the images of its fold; labels (n, k), folds (n,).

        Exact: without the rows S, their residuals are (I - H_SS)⁻¹ times those of the whole fit, H its hat matrix.
        """
        wanted = self.roots[:, None] * labels
        shrunk = self.vectors * self._shrinkage(penalty)
        residuals = wanted - shrunk @ (self.vectors.T @ wanted) - self.roots[:, None] * (self.roots @ wanted)
        answers = np.empty_like(wanted)
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            hat = shrunk[rows] @ self.vectors[rows].T + np.outer(self.roots[rows], self.roots[rows])
            apart = np.linalg.lstsq(np.eye(len(rows)) - hat, residuals[rows], rcond=None)[0]
            answers[rows] = labels[rows] - apart / self.roots[rows, None]
        return answers

    def fit(self, labels: NDArray[np.uint8], penalty: float) -> tuple[Doubles, Doubles]:
        """Weight (d, k) and bias (k,) of the regression on all images."""
        wanted = self.roots[:, None] * labels
        average = self.roots @ wanted
        inverse = 1 / (self.values + self._scaled(penalty))
        duals = (self.vectors * inverse) @ (self.vectors.T @ (wanted - np.outer(self.roots, average)))
        weight = self.centred.T @ duals
        return weight, average - self.mean @ weight

    def _shrinkage(self, penalty: float) -> Doubles:
        return np.asarray(self.values / (self.values + self._scaled(penalty)))

    def _scaled(self, penalty: float) -> float:
        return penalty * max(float(self.values.mean()), 1e-12)
