"""Vectors of a data set's images, as a file and in memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.backbones.registry import Announce
from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.errors import Reason, SettingsError
from tellapart.image.types import DecodeLimits
from tellapart.index.vectors import DType, Vectors, check_output
from tellapart.workflows.embedding import Embedder
from tellapart.workflows.facts import versions
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.projecting import LearnedProjection, check_projection_output
from tellapart.workflows.projection_learning import Plan, chosen_to_learn, learn_projection
from tellapart.workflows.vector_source import Source, open_source
from tellapart.workflows.vectorising import vectorise


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
    project: str | None = None,
    save_projection: str | Path | None = None,
    projection: LearnedProjection | str | Path | None = None,
    store: Store | None = None,
    announce: Announce | None = None,
    seed: int = 0,
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

    `project` ("pca:128", "pca-whitened:128", "supcon:64") learns a projection from these images and applies it,
    `save_projection` (.safetensors) keeps it, and `projection` applies one that was kept; a backbone then sees images as it
    did when that was learned.

    Raises:
        DataError: `dataset_empty` when no image can be used; `output_exists`; `foreign_vectors` for a projection that was
            learned on other vectors; what reading and writing raise.
        SettingsError, TrainingError: what is asked for cannot be, or not be learned from these images.
        BackboneError, ModelError, SpecError: as `open_source`.
    """
    started = time.perf_counter()
    plan = _plan(project, projection, save_projection)
    _check_outputs(output, save_projection, data, dtype=dtype, overwrite=overwrite)
    given = LearnedProjection.read(projection) if isinstance(projection, str | Path) else projection
    dataset = data if isinstance(data, Dataset) else Dataset.read(data)
    opened = open_source(
        source,
        dataset,
        size=size,
        preprocess=preprocess,
        otherwise=None if given is None else given.space.preprocess,
        store=store,
        announce=announce,
        provider=provider,
        limits=limits,
    )
    if given is not None:
        _check_reads(given, opened, "the projection" if isinstance(projection, LearnedProjection) else str(projection))
    embedder = Embedder(opened.spec, opened.backbone, None if cache_dir is None else Path(cache_dir), limits, workers)
    images = vectorise(
        dataset,
        opened,
        embedder,
        normalise=normalise,
        projection=given,
        thumbnails_of=None if plan is None else chosen_to_learn(dataset.labelled, plan, seed),
        progress=progress,
    )
    vectors = images.vectors
    if plan is not None:
        given = learn_projection(images, plan, seed=seed, progress=progress)
        vectors = given.apply(vectors, normalise=normalise)
    vectors = replace(vectors, facts=_facts(given, time.perf_counter() - started))
    if save_projection is not None and given is not None:
        given.write(save_projection, overwrite=overwrite)
    if output is not None:
        progress("writing the vectors", 0, 0)
        vectors.write(output, overwrite=overwrite, dtype=dtype)
    return vectors


def _plan(project: str | None, projection: object, save_projection: object) -> Plan | None:
    if project is not None and projection is not None:
        message = "project learns a projection, projection applies one that was learned: name one of them"
        raise SettingsError(Reason.BAD_SETTING, message)
    if project is None and save_projection is not None:
        message = "there is no projection to save: say by project what to learn, such as pca:128"
        raise SettingsError(Reason.BAD_SETTING, message)
    return None if project is None else Plan.parse(project)


def _check_outputs(
    output: str | Path | None,
    save_projection: str | Path | None,
    data: Dataset | str | Path,
    *,
    dtype: DType,
    overwrite: bool,
) -> None:
    if output is not None:
        check_output(Path(output), dtype=dtype, overwrite=overwrite)
        check_outside(Path(output), data)
    if save_projection is not None:
        check_projection_output(Path(save_projection), overwrite=overwrite)


def _check_reads(projection: LearnedProjection, source: Source, name: str) -> None:
    projection.check_reads(source.space(normalised=projection.space.normalised), name)


def _facts(projection: LearnedProjection | None, seconds: float) -> Mapping[str, Any]:
    return {
        **({} if projection is None else {"projection": dict(projection.facts)}),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "versions": versions(),
    }


def check_outside(output: Path, data: Dataset | str | Path) -> None:
    """A file of vectors inside a folder of images would be read as the data the next time.

    Raises:
        SettingsError: `bad_setting`.
    """
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
