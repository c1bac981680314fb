"""Every image of a data set to one row of an array, as the images come: nothing is there twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.pipeline import Embedded
from tellapart.data.dataset import Dataset
from tellapart.heads.projection import unit_length
from tellapart.index.rows import FIRST
from tellapart.index.vectors import Vectors
from tellapart.records import Refusal
from tellapart.workflows.embedding import Embedder, NothingUsable, outcomes
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.projecting import LearnedProjection
from tellapart.workflows.vector_source import Source

if TYPE_CHECKING:
    import polars as pl

_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Vectorised:
    """`vectors` of the n images that could be read, and thumbnails uint8 (m, s, s) of the rows int64 (m,) asked for."""

    vectors: Vectors
    thumbnail_rows: NDArray[np.int64]
    thumbnails: NDArray[np.uint8]


def vectorise(
    dataset: Dataset,
    source: Source,
    embedder: Embedder,
    *,
    normalise: bool = True,
    projection: LearnedProjection | None = None,
    thumbnails_of: NDArray[np.bool_] | None = None,
    progress: Progress = silent,
) -> Vectorised:
    """Vectors of the images that could be read, through the projection where there is one, refused ones listed.

    `thumbnails_of` bool (n,) names images of the data set whose thumbnails are wanted too.

    Raises:
        NothingUsable: `dataset_empty`.
    """
    filling = _Filling.of(len(dataset), source.backbone.embedding_dim, normalise, projection)
    wanted = np.zeros(len(dataset), bool) if thumbnails_of is None else thumbnails_of
    observing = thumbnails_of is not None
    refusals: list[Refusal] = []
    thumbnails: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    for row, outcome in enumerate(outcomes(dataset, embedder, observing=observing, progress=progress)):
        if isinstance(outcome, Refusal):
            refusals.append(outcome)
            continue
        if wanted[row] and outcome.observation is not None:
            kept.append(len(filling.rows))
            thumbnails.append(outcome.observation.thumbnail)
        filling.add(row, outcome)
    if not filling.rows:
        raise NothingUsable(dataset.refusals, refusals)
    space = source.space(normalised=normalise) if projection is None else projection.target(normalised=normalise)
    vectors = Vectors(
        filling.whole(),
        _table(dataset.subset(filling.rows).with_ids(filling.ids)),
        space,
        root=dataset.root,
        refusals=(*dataset.refusals, *refusals),
    )
    pictures = np.stack(thumbnails) if thumbnails else np.zeros((0, 0, 0), np.uint8)
    return Vectorised(vectors, np.array(kept, np.int64), pictures)


@dataclass(slots=True)
class _Filling:
    """An array (n, m) that fills up; what has come waits in a small block until it is projected together."""

    values: NDArray[np.float32]
    block: NDArray[np.float32]
    normalise: bool
    projection: LearnedProjection | None
    rows: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    n_waiting: int = 0

    @classmethod
    def of(cls, n: int, dim: int, normalise: bool, projection: LearnedProjection | None) -> _Filling:
        width = dim if projection is None else projection.projection.dim
        return cls(
            np.empty((n, width), np.float32), np.empty((min(n, _AT_ONCE), dim), np.float32), normalise, projection
        )

    def add(self, row: int, image: Embedded) -> None:
        self.block[self.n_waiting] = image.embedding
        self.n_waiting += 1
        self.rows.append(row)
        self.ids.append(image.id)
        if self.n_waiting == len(self.block):
            self._flush()

    def whole(self) -> NDArray[np.float32]:
        self._flush()
        return self.values[: len(self.rows)]

    def _flush(self) -> None:
        block = self.block[: self.n_waiting]
        if self.normalise if self.projection is None else self.projection.space.normalised:
            unit_length(block)
        if self.projection is not None:
            block = self.projection.projection.apply(block, normalise=self.normalise)
        self.values[len(self.rows) - self.n_waiting : len(self.rows)] = block
        self.n_waiting = 0


def _table(dataset: Dataset) -> pl.DataFrame:
    """The data set's columns, those that every file of vectors has first; regions and times only where there are any."""
    table = dataset.table
    kept = [name for name in table.columns if name not in FIRST and table[name].null_count() < table.height]
    return table.select(*FIRST, *kept)
