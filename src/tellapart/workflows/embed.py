"""Vectors of a data set's images, as a file and in memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.registry import Announce
from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.errors import Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.index.rows import FIRST
from tellapart.index.vectors import DType, Vectors, check_output
from tellapart.records import Refusal
from tellapart.workflows.embedding import Embedder, NothingUsable, outcomes
from tellapart.workflows.facts import versions
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.vector_source import Source, open_source

if TYPE_CHECKING:
    import polars as pl


def embed(
    source: Classifier | str | Path,
    data: Dataset | str | Path,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    dtype: DType = "float32",
    size: int | None = None,
    preprocess: str | None = None,
    normalise: bool = True,
    store: Store | None = None,
    announce: Announce | None = None,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Vectors:
    """Turn the images of a data set, labelled or not, into vectors; refused images are listed, never raised.

    `source` is a model or a backbone (`open_source`), `data` a data set or anything `Dataset.read` takes. `normalise` gives
    every vector length 1, so that the scalar product of two is the cosine between them. `output` (.parquet or .npy) is
    written as `Vectors.write` does. Memory is that of the vectors, however many images there are.

    Raises:
        DataError: `dataset_empty` when no image can be used; `output_exists`; what reading and writing raise.
        SettingsError, BackboneError, ModelError, SpecError: as `open_source` and `check_output`.
    """
    started = time.perf_counter()
    if output is not None:
        check_output(Path(output), dtype=dtype, overwrite=overwrite)
        check_outside(Path(output), data)
    dataset = data if isinstance(data, Dataset) else Dataset.read(data)
    opened = open_source(
        source,
        dataset,
        size=size,
        preprocess=preprocess,
        store=store,
        announce=announce,
        provider=provider,
        limits=limits,
    )
    embedder = Embedder(opened.spec, opened.backbone, None if cache_dir is None else Path(cache_dir), limits, workers)
    vectors = _embedded(dataset, embedder, opened, normalise, progress)
    vectors = replace(vectors, facts=_facts(vectors, time.perf_counter() - started))
    if output is not None:
        progress("writing the vectors", 0, 0)
        vectors.write(output, overwrite=overwrite, dtype=dtype)
    return vectors


def _embedded(dataset: Dataset, embedder: Embedder, source: Source, normalise: bool, progress: Progress) -> Vectors:
    """Vectors of the images that could be read; the array is filled as they come."""
    values = np.empty((len(dataset), source.backbone.embedding_dim), np.float32)
    ids: list[str] = []
    rows: list[int] = []
    refusals: list[Refusal] = []
    for row, outcome in enumerate(outcomes(dataset, embedder, progress=progress)):
        if isinstance(outcome, Refusal):
            refusals.append(outcome)
            continue
        values[len(rows)] = outcome.embedding
        rows.append(row)
        ids.append(outcome.id)
    if not rows:
        raise NothingUsable(dataset.refusals, refusals)
    values = values[: len(rows)]
    if normalise:
        normalised(values)
    return Vectors(
        values,
        _table(dataset.subset(rows).with_ids(ids)),
        source.space(normalised=normalise),
        root=dataset.root,
        refusals=(*dataset.refusals, *refusals),
    )


def normalised(values: NDArray[np.float32], at_once: int = 16_384) -> NDArray[np.float32]:
    """Vectors (n, d) brought to length 1 in place; a vector of zeros stays one, it is like nothing else."""
    for start in range(0, len(values), at_once):
        part = values[start : start + at_once]
        lengths = np.sqrt(np.einsum("ij,ij->i", part, part, dtype=np.float64))
        part /= np.where(lengths > 0, lengths, 1)[:, None].astype(np.float32)
    return values


def _table(dataset: Dataset) -> pl.DataFrame:
    """The data set's columns, those that every file of vectors has first; regions and times only where there are any."""
    table = dataset.table
    kept = [name for name in table.columns if name not in FIRST and table[name].null_count() < table.height]
    return table.select(*FIRST, *kept)


def _facts(vectors: Vectors, seconds: float) -> Mapping[str, Any]:
    from datetime import UTC, datetime

    return {
        **vectors.facts,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "versions": versions(),
    }


def check_outside(output: Path, data: Dataset | str | Path) -> None:
    """A file of vectors inside a folder of images would be read as the data the next time."""
    if (
        isinstance(data, Dataset)
        or not Path(data).is_dir()
        or not output.resolve().is_relative_to(Path(data).resolve())
    ):
        return
    raise SettingsError(
        Reason.BAD_SETTING,
        f"the vectors {output} would lie inside the data {data}, where they would be read as data the next time; "
        "name an output outside of it",
    )
