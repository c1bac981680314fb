"""reference.parquet: what "normal" looked like in training, for drift, search and splits that never move."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Answers
from tellapart.image.quality import FIELDS
from tellapart.workflows.embedding import EmbeddedDataset

if TYPE_CHECKING:
    import polars as pl

# Enough to know a distribution by; every image keeps its id, split and figures, only vectors are this many.
MAX_VECTORS = 5000
# Of vectors far longer than an embedding is, fewer: 41 MB of float32.
MAX_VALUES = 5000 * 2048


def reference_parquet(
    images: EmbeddedDataset,
    splits: tuple[str, ...],
    groups: NDArray[np.int64],
    answers: Answers,
    *,
    gone: Mapping[str, str] = MappingProxyType({}),
    thumbnails: bool = False,
) -> bytes:
    """One row per labelled image: id, uri, labels, split, group, confidence, ood_score, image statistics, embedding.

    Embeddings are float32 lists, null beyond the images that `remembered_rows` names; with `thumbnails` these have their small
    grey picture beside it, square, row by row: by it later images of the same part are recognised. Images that are `gone`
    (id → split) are remembered by these two alone: should they come back, they go where they were.
    """
    import polars as pl

    n = len(images)
    chosen = remembered_rows(images.dataset.ids, images.dataset.table["labels"].to_list(), images.embeddings.shape[1])
    vectors = pl.DataFrame({"row": np.flatnonzero(chosen), "embedding": images.embeddings[chosen]})
    if thumbnails:
        vectors = vectors.with_columns(pictures(images.thumbnails[chosen]))
    table = images.dataset.table.select("id", "uri", "labels").with_columns(
        pl.Series("split", splits),
        pl.Series("group", groups),
        pl.Series("confidence", answers.probabilities.max(axis=1).astype(np.float32)),
        pl.Series("ood_score", answers.ood_scores.astype(np.float32)),
        *(pl.Series(name, images.statistics[:, i]) for i, name in enumerate(FIELDS)),
        pl.Series("row", np.arange(n)),
    )
    table = table.join(vectors.cast({"embedding": pl.List(pl.Float32)}), on="row", how="left", maintain_order="left")
    here = set(images.dataset.ids)
    absent = {image_id: split for image_id, split in gone.items() if image_id not in here}
    remembered = pl.DataFrame({"id": list(absent), "split": list(absent.values())}, schema=["id", "split"])
    table = pl.concat([table.drop("row"), remembered.cast(pl.String)], how="diagonal")
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="lz4")
    return buffer.getvalue()


def pictures(thumbnails: NDArray[np.uint8]) -> pl.Series:
    """The column of thumbnails uint8 (n, s, s)."""
    import polars as pl

    return pl.Series("thumbnail", [one.tobytes() for one in thumbnails], dtype=pl.Binary)


def remembered_rows(ids: Sequence[str], labels: Sequence[Sequence[str]], dim: int) -> NDArray[np.bool_]:
    """Which of n images keep their vector of `dim` values, bool (n,): as many as there is room for, and one of each class.

    Classes (for several labels, their combinations) take turns, each with its image of the lowest id first. So the choice
    depends on nothing but the images, and whoever adds images later needs only those that were kept before.
    """
    room = min(MAX_VECTORS, MAX_VALUES // dim)
    turns: dict[tuple[str, ...], int] = {}
    turn = np.empty(len(ids), np.int64)
    by_id = sorted(range(len(ids)), key=ids.__getitem__)
    for row in by_id:
        of = tuple(sorted(labels[row]))
        turn[row] = turns[of] = turns.get(of, -1) + 1
    chosen = np.zeros(len(ids), bool)
    chosen[sorted(by_id, key=turn.__getitem__)[: max(room, len(turns))]] = True
    return chosen


def read_splits(parquet: bytes, *, gone: bool = True) -> dict[str, str]:
    """Image id → split, of a model's reference; empty when there is none. `gone` False leaves out those that took no part
    in the training and are only remembered.
    """
    if not parquet:
        return {}
    import polars as pl

    table = pl.read_parquet(io.BytesIO(parquet), columns=["id", "split", "confidence"])
    table = table if gone else table.filter(pl.col("confidence").is_not_null())
    return dict(zip(table["id"].to_list(), table["split"].to_list(), strict=True))


def read_labels(parquet: bytes) -> dict[str, list[tuple[str, ...]]]:
    """Image id → labels in a model's training, one entry for each row of that id: regions, copies of a file."""
    import polars as pl

    table = pl.read_parquet(io.BytesIO(parquet), columns=["id", "labels", "confidence"])
    table = table.filter(pl.col("confidence").is_not_null())
    found: dict[str, list[tuple[str, ...]]] = {}
    for image_id, labels in zip(table["id"].to_list(), table["labels"].to_list(), strict=True):
        found.setdefault(image_id, []).append(tuple(sorted(labels)))
    return found
