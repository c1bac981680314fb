"""Which held-out images are judged right after how many images, and how unsure the scores made of that are."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.records import Task

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hits:
    """`right` bool (s, n, k): whether image i is judged right about class c by the head of size s that never saw it.

    `labels` 0/1 (n, k), `groups` int64 (n,) that stay together, `folds` int64 (n,), -1 for images that judge nothing.
    `counts` (s, f, k + 1): images of each class, and of all, that the heads of fold f were fitted on. The score of a class
    is its recall; for several labels per image, the mean of the shares judged right with and without the label. Several
    classes (`columns`) are asked about together: then scores are means over them, and sizes count all images.
    """

    right: Bools
    labels: NDArray[np.uint8]
    groups: Ints
    folds: Ints
    counts: Doubles
    task: Task

    @classmethod
    def none(cls, labels: NDArray[np.uint8], groups: Ints, folds: Ints, n_sizes: int, task: Task) -> Hits:
        """Nothing judged yet."""
        counts = np.zeros((n_sizes, int(folds.max()) + 1, labels.shape[1] + 1))
        return cls(np.zeros((n_sizes, *labels.shape), bool), labels, groups, folds, counts, task)

    def add(self, size: int, fold: int, columns: Ints, answers: Bools, used: Bools) -> None:
        """Note the answers, bool (rows of the fold, k), about some classes, of a head fitted on the rows `used` (n,)."""
        rows = np.flatnonzero(self.folds == fold)
        at = np.ix_(rows, columns)
        self.right[size][at] = answers[:, columns] == (self.labels[at] != 0)
        self.counts[size, fold, columns] = self.labels[used][:, columns].sum(axis=0)
        self.counts[size, fold, -1] = used.sum()

    def sizes(self, columns: Ints) -> Doubles:
        """Images (s,) that heads were fitted on: the mean over folds."""
        return np.asarray(self.counts[:, :, columns[0] if len(columns) == 1 else -1].mean(axis=1))

    def scores(self, columns: Ints) -> Doubles:
        """Score (s,), the mean over classes of which images were judged; nan where none was."""
        return self._scores(columns, self.folds >= 0)

    def covariance(self, columns: Ints) -> Doubles:
        """Covariance (s, s) of the scores: of the images that judge, by whole groups, and of those fitted on."""
        influence = self._influence(columns)
        n_groups = len(np.unique(self.groups[np.abs(influence).sum(axis=1) > 0]))
        names, of = np.unique(self.groups, return_inverse=True)
        summed = np.zeros((len(names), influence.shape[1]))
        np.add.at(summed, of.reshape(-1), influence)
        judging = summed.T @ summed * (n_groups / max(n_groups - 1, 1))
        return judging + np.diag(self._of_draws(columns, np.diag(judging)))

    def _of_draws(self, columns: Ints, judging: Doubles) -> Doubles:
        """Variance (s,) that other images to fit on would bring: what folds differ by beyond the images that judge.

        One number for all sizes, which it falls with: five folds do not tell the sizes apart.
        """
        folds = np.unique(self.folds[self.folds >= 0])
        by_fold = np.array([self._scores(columns, self.folds == fold) for fold in folds])
        if np.isfinite(by_fold).sum(axis=0).min() < 2:
            return np.zeros(len(judging))
        sizes = np.maximum(self.sizes(columns), 1)
        beyond = sizes * (np.nanvar(by_fold, axis=0, ddof=1) / len(folds) - judging)
        return np.asarray(max(float(beyond.mean()), 0.0) / sizes)

    def _scores(self, columns: Ints, judging: Bools) -> Doubles:
        weights = self._weights(columns, judging)
        by_class = np.minimum(np.einsum("snk,nk->sk", self.right[:, :, columns], weights), 1.0)
        by_class[:, weights.sum(axis=0) == 0] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return np.asarray(np.nanmean(by_class, axis=1))

    def _influence(self, columns: Ints) -> Doubles:
        """(n, s): how far each image pulls the scores away from their means."""
        judging = self.folds >= 0
        weights = self._weights(columns, judging)
        labels = self.labels[:, columns] != 0
        pulled = np.zeros((len(labels), len(self.right)))
        for size, right in enumerate(self.right[:, :, columns]):
            for side in (labels, ~labels):
                inside = weights * side
                mean = (inside * right).sum(axis=0) / np.maximum(inside.sum(axis=0), 1e-12)
                pulled[:, size] += (inside * (right - mean)).sum(axis=1)
        return pulled / max(1, int((weights.sum(axis=0) > 0).sum()))

    def _weights(self, columns: Ints, judging: Bools) -> Doubles:
        """(n, k): what each image that judges counts in the score of each class; columns sum to 1, or to 0 for none."""
        with_it = (self.labels[:, columns] != 0) & judging[:, None]
        weights = with_it / np.maximum(with_it.sum(axis=0), 1)
        if self.task is Task.MULTILABEL:
            without = (self.labels[:, columns] == 0) & judging[:, None]
            both = np.where(without.any(axis=0) & with_it.any(axis=0), 0.5, 1.0)
            weights = both * (weights + without / np.maximum(without.sum(axis=0), 1)) * with_it.any(axis=0)
        return np.asarray(weights, np.float64)
