"""What is kept of every class instead of its images: count, sum, and the spread within classes that they share.

New images are added exactly (the pairwise update of Chan, Golub & LeVeque 1983): any order and any grouping of the same
images ends in the same statistics as one pass over all, up to the rounding of float64. Nothing here is ever of shape
(k, d, d): ten thousand classes cost ten thousand rows and one matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.targets import check_embeddings

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
# Rows that are turned into float64 at a time: 4,096 of 2,048 numbers are 64 MiB.
_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class ClassStatistics:
    """Sufficient statistics of labelled embeddings for linear discriminant analysis and for nearest means.

    `ids` are the label ids of the k rows, ascending; `counts` int64 (k,) images of each class, `sums` float64 (k, d) of
    their embeddings. `scatter` float64 (d, d) is Σ (x - mean of x's class)(x - mean of x's class)ᵀ, symmetric, and
    `n_scatter` its degrees of freedom, the images in it less their classes: `scatter / n_scatter` is the covariance within
    classes. A class may have no image. Values are never changed: every method returns new statistics.
    """

    ids: tuple[int, ...]
    counts: Ints
    sums: Doubles
    scatter: Doubles
    n_scatter: int

    @classmethod
    def empty(cls, n_features: int, ids: Iterable[int] = ()) -> ClassStatistics:
        """Of no image, of classes `ids` all the same."""
        own = tuple(sorted(set(ids)))
        scatter = np.zeros((n_features, n_features))
        return cls(own, np.zeros(len(own), np.int64), np.zeros((len(own), n_features)), scatter, 0)

    @classmethod
    def of(cls, embeddings: NDArray[np.floating[Any]], label_ids: NDArray[np.integer[Any]]) -> ClassStatistics:
        """Of embeddings (n, d) and the label id of each (n,), in two passes over blocks of rows.

        Raises:
            SettingsError: `bad_setting` for arrays that do not fit together or embeddings that are not finite.
        """
        check_embeddings(embeddings)
        if label_ids.shape != (len(embeddings),) or label_ids.dtype.kind not in "iu":
            _refuse(f"statistics need one label id for each of the {len(embeddings)} embeddings, got {label_ids.shape}")
        ids, columns, counts = np.unique(label_ids, return_inverse=True, return_counts=True)
        order = np.argsort(columns, kind="stable")
        sums = np.zeros((len(ids), embeddings.shape[1]))
        for rows in _blocks(order):
            starts = np.flatnonzero(np.diff(columns[rows], prepend=-1))
            sums[columns[rows[starts]]] += np.add.reduceat(embeddings[rows].astype(np.float64), starts)
        means, scatter = sums / counts[:, None], np.zeros((embeddings.shape[1],) * 2)
        for rows in _blocks(order):
            away = embeddings[rows] - means[columns[rows]]
            scatter += away.T @ away
        return cls(tuple(ids.tolist()), counts.astype(np.int64), sums, scatter, len(order) - len(ids))

    @property
    def n_features(self) -> int:
        """Length d of the embeddings."""
        return int(self.sums.shape[1])

    @property
    def means(self) -> Doubles:
        """Mean embedding of each class, float64 (k, d); zeros for a class without images."""
        return np.asarray(self.sums / np.maximum(self.counts, 1)[:, None])

    def adding(self, embeddings: NDArray[np.floating[Any]], label_ids: NDArray[np.integer[Any]]) -> ClassStatistics:
        """With further images; a label id that is new becomes a class.

        Raises:
            SettingsError: `bad_setting` for arrays that do not fit.
        """
        check_embeddings(embeddings, n_features=self.n_features)
        return self.joined(ClassStatistics.of(embeddings, label_ids))

    def removing(self, embeddings: NDArray[np.floating[Any]], label_ids: NDArray[np.integer[Any]]) -> ClassStatistics:
        """Without images that are in it: exact up to rounding. A class of which none is left stays, with the count 0.

        Raises:
            SettingsError: `bad_setting` for arrays that do not fit, or more images of a class than it has.
        """
        check_embeddings(embeddings, n_features=self.n_features)
        return self.without(ClassStatistics.of(embeddings, label_ids))

    def joined(self, other: ClassStatistics) -> ClassStatistics:
        """Of the images of both; classes of the same id are one class.

        Raises:
            SettingsError: `bad_setting` for statistics of embeddings of another length.
        """
        _check_same_length(self, other)
        ids = tuple(sorted({*self.ids, *other.ids}))
        (counts, sums), (more, further) = self._rows_of(ids), other._rows_of(ids)
        both = (counts > 0) & (more > 0)
        apart = (sums[both] / counts[both, None] - further[both] / more[both, None]) * _root(counts[both], more[both])
        scatter = self.scatter + other.scatter
        if both.any():
            scatter += apart.T @ apart
        n_scatter = self.n_scatter + other.n_scatter + int(both.sum())
        return ClassStatistics(ids, counts + more, sums + further, scatter, n_scatter)

    def without(self, other: ClassStatistics) -> ClassStatistics:
        """The inverse of `joined`: what is left without images that are in it.

        Raises:
            SettingsError: `bad_setting` where `other` has more images of a class.
        """
        _check_same_length(self, other)
        self._check_holds(other)
        less, gone = other._rows_of(self.ids)
        counts = self.counts - less
        sums = np.where(counts[:, None] > 0, self.sums - gone, 0.0)
        both = (counts > 0) & (less > 0)
        apart = (sums[both] / counts[both, None] - gone[both] / less[both, None]) * _root(counts[both], less[both])
        n_scatter = self.n_scatter - other.n_scatter - int(both.sum())
        # Where nothing is left rounding would be: scatter that belongs to no image.
        scatter = self.scatter - other.scatter if n_scatter > 0 else np.zeros_like(self.scatter)
        if n_scatter > 0 and both.any():
            scatter -= apart.T @ apart
        np.fill_diagonal(scatter, np.maximum(np.diagonal(scatter), 0))
        return ClassStatistics(self.ids, counts, sums, scatter, n_scatter)

    def merging(self, ids: Iterable[int], into: int) -> ClassStatistics:
        """The classes `ids` as one, under the id `into`: one of them, another class (which takes them in) or a new id.

        Exact: the same as if their images had had the one label from the start.

        Raises:
            SettingsError: `bad_setting` for an id that is not there.
        """
        asked = set(ids)
        for one in sorted(asked):
            self._row(one)
        merged = [row for row, own in enumerate(self.ids) if own in asked | {into}]
        total, means = self.counts[merged].sum(), self.means[merged]
        middle = self.sums[merged].sum(axis=0) / max(total, 1)
        apart = (means - middle) * np.sqrt(self.counts[merged])[:, None]
        rest = self._keeping([row for row in range(len(self.ids)) if row not in set(merged)])
        n_between = max(int((self.counts[merged] > 0).sum()) - 1, 0)
        sums = self.sums[merged].sum(axis=0)[None]
        return rest.joined(ClassStatistics((into,), total[None], sums, apart.T @ apart, n_between))

    def retiring(self, label_id: int) -> ClassStatistics:
        """Without a class. Its spread stays in the scatter: nobody knows any more which part of that was its own.

        Raises:
            SettingsError: `bad_setting` for an id that is not there.
        """
        gone = self._row(label_id)
        return self._keeping([row for row in range(len(self.ids)) if row != gone])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`ids`, `counts` int64 (k,), `sums` float64 (k, d), `scatter` float64 (d(d+1)/2,): its upper triangle by rows,
        `n_scatter` int64 (1,).
        """
        return {
            "ids": np.array(self.ids, np.int64),
            "counts": self.counts,
            "sums": self.sums,
            "scatter": self.scatter[np.triu_indices(self.n_features)],
            "n_scatter": np.array([self.n_scatter], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ClassStatistics:
        """Inverse of `arrays`; other names are ignored.

        Raises:
            ModelError: `model_damaged` when an array is missing or cannot be what it should.
        """
        missing = [name for name in ("ids", "counts", "sums", "scatter", "n_scatter") if name not in arrays]
        if missing:
            raise ModelError(Reason.MODEL_DAMAGED, f"class statistics need the arrays {', '.join(missing)}")
        ids, counts, n_scatter = (np.asarray(arrays[name], np.int64) for name in ("ids", "counts", "n_scatter"))
        sums, triangle = (np.asarray(arrays[name], np.float64) for name in ("sums", "scatter"))
        k, d = sums.shape if sums.ndim == 2 else (-1, -1)
        shapes = (ids.shape, counts.shape, triangle.shape, n_scatter.shape) == ((k,), (k,), (d * (d + 1) // 2,), (1,))
        if not shapes or not _sound(ids, counts, sums, triangle, n_scatter):
            raise ModelError(
                Reason.MODEL_DAMAGED,
                "the class statistics do not fit together: ascending ids, counts, sums (k, d) and a triangle of d(d+1)/2 "
                "finite numbers are needed; copy the model again",
            )
        return cls(tuple(ids.tolist()), counts, sums, _symmetric(triangle, d), int(n_scatter[0]))

    def _row(self, label_id: int) -> int:
        if label_id not in self.ids:
            _refuse(f"there is no class of the id {label_id}, known are: {', '.join(map(str, self.ids)) or 'none'}")
        return self.ids.index(label_id)

    def _keeping(self, rows: list[int]) -> ClassStatistics:
        ids = tuple(self.ids[row] for row in rows)
        return ClassStatistics(ids, self.counts[rows], self.sums[rows], self.scatter, self.n_scatter)

    def _rows_of(self, ids: tuple[int, ...]) -> tuple[Ints, Doubles]:
        """Counts and sums for a superset of the own ids, both ascending; zeros where a class is not there."""
        if ids == self.ids:
            return self.counts, self.sums
        counts, sums = np.zeros(len(ids), np.int64), np.zeros((len(ids), self.n_features))
        rows = np.searchsorted(np.array(ids, np.int64), np.array(self.ids, np.int64))
        counts[rows], sums[rows] = self.counts, self.sums
        return counts, sums

    def _check_holds(self, other: ClassStatistics) -> None:
        have = dict(zip(self.ids, self.counts.tolist(), strict=True))
        for one, count in zip(other.ids, other.counts.tolist(), strict=True):
            if count > have.get(one, 0):
                _refuse(f"{count} images cannot be taken out of class {one}: it has {have.get(one, 0)}")


def _root(counts: Ints, more: Ints) -> Doubles:
    """Weight (m, 1) of the way between two means of so many images, in the root of the scatter."""
    return np.asarray(np.sqrt(counts * (more / (counts + more)))[:, None])


def _blocks(order: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    return (order[start : start + _ROWS] for start in range(0, len(order), _ROWS))


def _symmetric(triangle: Doubles, d: int) -> Doubles:
    scatter, places = np.zeros((d, d)), np.triu_indices(d)
    scatter[places] = triangle
    scatter.T[places] = triangle
    return scatter


def _sound(ids: Ints, counts: Ints, sums: Doubles, triangle: Doubles, n_scatter: Ints) -> bool:
    finite = bool(np.isfinite(sums).all() and np.isfinite(triangle).all())
    return finite and bool((np.diff(ids) > 0).all() and (counts >= 0).all() and n_scatter[0] >= 0)


def _check_same_length(one: ClassStatistics, other: ClassStatistics) -> None:
    if one.n_features != other.n_features:
        _refuse(f"statistics of embeddings of {one.n_features} and of {other.n_features} numbers do not go together")


def _refuse(message: str) -> None:
    raise SettingsError(Reason.BAD_SETTING, message)
