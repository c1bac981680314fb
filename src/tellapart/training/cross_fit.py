"""Heads of class statistics without some of the images: how each remembered image is answered unseen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.stratify import scramble
from tellapart.errors import Reason, SettingsError
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.heads.lda import WithinCovariance, lda_head
from tellapart.heads.linear import LinearHead
from tellapart.records import LabelSchema
from tellapart.training.linear_probe import MAX_FOLDS

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Multiplications of one head from which two folds do: with ten thousand classes each head takes seconds.
_LARGE = 1e10
# Images of a class from which their number says as much of how frequent it is as what classes have on average.
_TELLING = 100


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """Images of which vectors are kept: embeddings float32 (m, d), label column int64 (m,) in the order of the schema,
    groups int64 (m,), split names (m,). All but those of the split "test" are in the statistics.
    """

    embeddings: Floats
    columns: Ints
    groups: Ints
    splits: tuple[str, ...]

    @property
    def teaches(self) -> Bools:
        """bool (m,): in the statistics."""
        return np.asarray(np.array(self.splits, dtype=object) != "test", bool)


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """Statistics, and the images by which heads of them are judged."""

    statistics: ClassStatistics
    images: Remembered
    schema: LabelSchema

    @property
    def ids(self) -> Ints:
        """Label id of each column."""
        return np.array([label.id for label in self.schema.labels], np.int64)

    @classmethod
    def of(cls, statistics: ClassStatistics, images: Remembered, schema: LabelSchema) -> CrossFit:
        """With every class of the schema among the statistics.

        Raises:
            SettingsError: `bad_setting` where more images are remembered than were ever added.
        """
        ids = [label.id for label in schema.labels]
        if not set(ids) <= set(statistics.ids):
            statistics = statistics.joined(ClassStatistics.empty(statistics.n_features, ids))
        fit = cls(statistics, images, schema)
        taught = np.bincount(images.columns[images.teaches], minlength=len(ids))
        for name, n, known in zip(schema.names, taught.tolist(), fit.counts.tolist(), strict=True):
            if n > known:
                message = (
                    f"{n:,} images of {name!r} are remembered from the training, and the statistics have {known:,}"
                )
                raise SettingsError(Reason.BAD_SETTING, message)
        return fit

    @property
    def counts(self) -> Ints:
        """Images in the statistics by column."""
        return np.asarray(self.statistics.counts[np.searchsorted(np.array(self.statistics.ids), self.ids)])

    def head(self, statistics: ClassStatistics, within: WithinCovariance | None = None) -> LinearHead:
        """Of these statistics, or others of the same classes; columns as in the schema."""
        return lda_head(statistics, self.ids.tolist(), task=self.schema.task, within=within)

    @property
    def priors(self) -> Doubles:
        """How likely each class is beforehand (k,): as frequent as its images, as far as these tell.

        Twenty images of a new class were taken because it is new, not because it is rare. So the logarithm of a count is
        drawn to the mean of all classes' by a hundred images: of few hardly anything of it is left, of thousands nearly all.
        """
        counts = np.maximum(self.counts, 1)
        logs, share = np.log(counts), counts / (counts + _TELLING)
        likely = np.exp(share * logs + (1 - share) * logs.mean())
        return np.asarray(likely / likely.sum())

    def folds(self, seed: int) -> Ints:
        """The fold of each image, int64 (m,), -1 for the test split: groups stay whole, classes are dealt out evenly.

        (`data.splits.group_folds` counts every class in every group: too much for ten thousand classes.)
        """
        folds, teaching = np.full(len(self.images.columns), -1, np.int64), np.flatnonzero(self.images.teaches)
        names, first, of = np.unique(self.images.groups[teaching], return_index=True, return_inverse=True)
        order = np.lexsort((scramble(names, seed), self.images.columns[teaching][first]))
        dealt = np.empty(len(names), np.int64)
        dealt[order] = np.arange(len(names)) % self._n_folds(len(names))
        folds[teaching] = dealt[of.reshape(-1)]
        return folds

    def _n_folds(self, n_groups: int) -> int:
        large = float(self.statistics.n_features) ** 2 * len(self.schema.labels) > _LARGE
        return max(min(2 if large else MAX_FOLDS, n_groups), 1)

    def held_out(self, folds: Ints, head: LinearHead) -> tuple[Floats, Bools]:
        """Logits (m, k) of heads that have not seen the image, and where they mean something."""
        logits = np.zeros((len(folds), len(self.schema.labels)), np.float32)
        usable = np.ones(len(folds), bool)
        for part, rest in self._parts(folds):
            known = rest.counts[np.searchsorted(np.array(rest.ids), self.ids[self.images.columns[part]])] > 0
            usable[part] = known
            if known.any():
                logits[part] = self.head(rest).logits(self.images.embeddings[part])
        test = folds < 0
        if test.any():
            logits[test] = head.logits(self.images.embeddings[test])
        return logits, usable

    def _parts(self, folds: Ints) -> Iterator[tuple[Bools, ClassStatistics]]:
        for fold in np.unique(folds[folds >= 0]):
            part = folds == fold
            yield part, self.statistics.removing(self.images.embeddings[part], self.ids[self.images.columns[part]])
