"""The images that a model remembers, as its reference.parquet has them: what a change of classes works on."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Answers
from tellapart.data.dataset import Dataset
from tellapart.records import LabelSchema, Sample
from tellapart.workflows.reference import remembered_rows

if TYPE_CHECKING:
    import polars as pl

ROW = "row"
"""Column of a number that an image keeps from version to version: files of one id may be there several times."""
PICTURE = "thumbnail"


@dataclass(frozen=True, eq=False)
class Rows:
    """`table` has a row for each image that takes part, columns of reference.parquet and `row`; `gone` (id, split) are
    images of which nothing but their split is known any more.
    """

    table: pl.DataFrame
    gone: pl.DataFrame

    @classmethod
    def read(cls, parquet: bytes) -> Rows:
        """The rows of a reference; those of a training get their numbers here."""
        import polars as pl

        table = pl.read_parquet(io.BytesIO(parquet))
        if ROW not in table.columns:
            table = table.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))
        here = table.filter(pl.col("confidence").is_not_null())
        gone = table.filter(pl.col("confidence").is_null()).select("id", "split")
        return cls(here.with_columns(pl.col("embedding").cast(pl.List(pl.Float32))), gone)

    def to_parquet(self) -> bytes:
        """reference.parquet."""
        import polars as pl

        buffer = io.BytesIO()
        pl.concat([self.table, self.gone], how="diagonal").write_parquet(buffer, compression="lz4")
        return buffer.getvalue()

    def __len__(self) -> int:
        return self.table.height

    @cached_property
    def ids(self) -> list[str]:
        """sha256 of each image's bytes."""
        return [str(one) for one in self.table["id"].to_list()]

    @cached_property
    def labels(self) -> list[str]:
        """The label of each image; the only one, as an exclusive task has it."""
        return [str(names[0]) for names in self.table["labels"].to_list()]

    @cached_property
    def splits(self) -> NDArray[np.str_]:
        """Split of each image, (n,)."""
        return np.array(self.table["split"].to_list(), dtype=np.str_)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Group number of each image, (n,)."""
        return np.asarray(self.table["group"].to_numpy(), np.int64)

    @cached_property
    def has_vector(self) -> NDArray[np.bool_]:
        """bool (n,): the image's embedding is remembered."""
        return np.asarray(self.table["embedding"].is_not_null().to_numpy(), np.bool_)

    @cached_property
    def embeddings(self) -> NDArray[np.float32]:
        """Of the images that have one, float32 (m, d) in the order of the table."""
        lists = self.table["embedding"].filter(self.table["embedding"].is_not_null())
        flat = lists.explode().to_numpy() if len(lists) else np.zeros(0)
        return np.asarray(flat, np.float32).reshape(len(lists), -1)

    @cached_property
    def has_picture(self) -> NDArray[np.bool_]:
        """bool (n,): its thumbnail is remembered beside its embedding; models of earlier have none."""
        if PICTURE not in self.table.columns:
            return np.zeros(len(self), bool)
        return np.asarray(self.table[PICTURE].is_not_null().to_numpy(), np.bool_) & self.has_vector

    @cached_property
    def thumbnails(self) -> NDArray[np.uint8]:
        """Of the images that have one, uint8 (m, s, s) in the order of the table."""
        found = self.table.filter(self.has_picture)[PICTURE].to_list()
        side = math.isqrt(len(found[0])) if found else 0
        return np.frombuffer(b"".join(found), np.uint8).reshape(len(found), side, side)

    @cached_property
    def teaches(self) -> NDArray[np.bool_]:
        """bool (n,): a head is fitted on the image; the test split is held back."""
        return np.asarray(self.splits != "test")

    def columns(self, schema: LabelSchema) -> NDArray[np.int64]:
        """Column of each image's label (n,)."""
        at = {name: column for column, name in enumerate(schema.names)}
        return np.array([at[name] for name in self.labels], np.int64)

    def counts(self, schema: LabelSchema) -> dict[str, int]:
        """Number of images by label."""
        found = np.bincount(self.columns(schema), minlength=len(schema.labels)) if len(self) else np.zeros(0)
        return {name: int(found[column]) for column, name in enumerate(schema.names)}

    def where(self, mask: NDArray[np.bool_]) -> pl.DataFrame:
        """Rows of the table at a bool (n,) mask."""
        return self.table.filter(mask)

    def without(self, mask: NDArray[np.bool_]) -> Rows:
        """Those at a bool (n,) mask take no part any more: only their id and split are kept."""
        import polars as pl

        leaving = self.table.filter(mask).select("id", "split")
        return replace(self, table=self.table.filter(~mask), gone=pl.concat([self.gone, leaving]))

    def relabelled(self, names: Mapping[str, str]) -> Rows:
        """Labels by other names."""
        import polars as pl

        renamed = pl.col("labels").list.eval(pl.element().replace(dict(names)))
        return replace(self, table=self.table.with_columns(renamed))

    def with_more(self, table: pl.DataFrame) -> Rows:
        """Further images after the others; they are no longer gone."""
        import polars as pl

        gone = self.gone.join(table.select("id").unique(), on="id", how="anti")
        return Rows(pl.concat([self.table, table.select(self.table.columns)]), gone)

    def answered(self, answers: Answers) -> Rows:
        """With new confidences and scores for the images that have a vector (m of them); the others keep theirs."""
        import polars as pl

        at = np.flatnonzero(self.has_vector)
        confidence, score = (np.array(self.table[name].to_numpy()) for name in ("confidence", "ood_score"))
        confidence[at], score[at] = answers.probabilities.max(axis=1), answers.ood_scores
        new = (pl.Series("confidence", confidence.astype(np.float32)), pl.Series("ood_score", score.astype(np.float32)))
        return replace(self, table=self.table.with_columns(*new))

    def in_bounds(self) -> Rows:
        """With as many vectors as a reference keeps; which ones depends on the images alone."""
        import polars as pl

        if not self.has_vector.any():
            return self
        chosen = np.zeros(len(self), bool)
        at = np.flatnonzero(self.has_vector)
        labels = [[self.labels[row]] for row in at]
        chosen[at] = remembered_rows([self.ids[row] for row in at], labels, self.embeddings.shape[1])
        if chosen[at].all():
            return self
        names = [name for name in ("embedding", PICTURE) if name in self.table.columns]
        kept = [pl.when(pl.Series(chosen)).then(pl.col(name)).otherwise(None).alias(name) for name in names]
        return replace(self, table=self.table.with_columns(*kept))

    def lost(self, after: Rows) -> pl.DataFrame:
        """Those whose vector `after`, the same images, has no longer."""
        return self.table.filter(self.has_vector & ~after.has_vector)

    def dataset(self, schema: LabelSchema, rows: Sequence[int], root: Path | None) -> Dataset:
        """Some rows as a data set; relative uris start at `root`."""
        uris = self.table["uri"].to_list()
        samples = [
            Sample(
                uris[row],
                (self.labels[row],),
                id=self.ids[row],
                split=str(self.splits[row]),
                group=str(self.groups[row]),
            )
            for row in rows
        ]
        return replace(Dataset.from_samples(samples, root=root, task=schema.task), schema=schema, warnings=())
