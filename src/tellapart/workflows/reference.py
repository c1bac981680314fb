"""reference.parquet: what "normal" looked like in training, for drift, search and splits that never move."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Answers
from tellapart.image.quality import FIELDS
from tellapart.workflows.embedding import EmbeddedDataset

# Enough to know a distribution by; every image keeps its id, split and figures, only vectors are this many.
MAX_VECTORS = 5000


def reference_parquet(
    images: EmbeddedDataset,
    splits: tuple[str, ...],
    groups: NDArray[np.int64],
    answers: Answers,
    *,
    gone: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """One row per labelled image: id, uri, labels, split, group, confidence, ood_score, image statistics, embedding.

    Embeddings are float32 lists, null beyond a random `MAX_VECTORS` images. Images that are `gone` (id → split) are
    remembered by these two alone: should they come back, they go where they were.
    """
    import polars as pl

    n = len(images)
    chosen = np.zeros(n, bool)
    chosen[np.random.default_rng(0).permutation(n)[:MAX_VECTORS]] = True
    vectors = pl.DataFrame({"row": np.flatnonzero(chosen), "embedding": images.embeddings[chosen]})
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
