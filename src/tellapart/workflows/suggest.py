"""Which images to label next, and which labels a model may give without a person."""

from __future__ import annotations

import time
from pathlib import Path

from tellapart.backbones.registry import DEFAULT_BACKBONE, load_backbone
from tellapart.backbones.store import Store
from tellapart.data.dataset import Dataset
from tellapart.data.joining import joined
from tellapart.errors import DataError, Reason, SettingsError
from tellapart.heads.acceptance import check_precision
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import DecodeLimits
from tellapart.workflows.embedding import Embedder, embed_dataset
from tellapart.workflows.image_size import own_spec
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.suggest_advice import advise
from tellapart.workflows.suggest_choice import choose
from tellapart.workflows.suggest_known import find_out
from tellapart.workflows.suggest_result import Suggested, suggestions


def suggest(
    data: Dataset | str | Path,
    *,
    pool: Dataset | str | Path | None = None,
    n: int = 20,
    precision: float | None = None,
    hunt: str | None = None,
    backbone: str | Path = DEFAULT_BACKBONE,
    store: Store | None = None,
    preprocess: str | None = None,
    seed: int = 0,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Suggested:
    """Propose labels for unlabelled images, and say which `n` of them a person should label next.

    `data` is a data set or anything `Dataset.read` takes; its images without a label count, and all images of `pool`.
    `precision` agrees on a share of right labels: proposals are accepted above the confidence that promises it. `hunt`
    names a label of which more images are wanted. The rest is as for `train`, which shares the cache. It works without a
    single label. Nothing is changed.

    Raises:
        DataError: dataset_empty, when nothing is unlabelled; what reading raises.
        SettingsError: unknown_name, for a label nobody knows; bad_setting.
        TrainingError: when `hunt` is asked for and the labels do not suffice for a head.
        BackboneError, SpecError.
    """
    started = time.perf_counter()
    _check(n, precision)
    dataset = _read(data, pool)
    network = load_backbone(backbone, provider=provider, store=store)
    spec = PreprocessSpec.parse(preprocess) if preprocess else own_spec(network, dataset, limits)
    embedder = Embedder(spec, network, None if cache_dir is None else Path(cache_dir), limits, workers)
    images = embed_dataset(dataset, embedder, progress=progress)
    if images.dataset.labelled.all():
        raise DataError(Reason.DATASET_EMPTY, "none of the unlabelled images can be used: all of them were refused")
    known = find_out(images, seed=seed, cache_dir=embedder.cache_dir, progress=progress)
    accepted = known.accepted(precision)
    progress("choosing what to label", 0, 0)
    choice = choose(known, accepted.rows, n=n, hunt=hunt, seed=seed)
    progress("asking whether more labels pay", 0, 0)
    return Suggested(
        dataset=images.dataset,
        suggestions=suggestions(known, accepted, choice),
        how=choice.how,
        acceptance=accepted.by,
        advice=advise(known, choice.n_open, seed=seed),
        embedder=embedder,
        seconds=time.perf_counter() - started,
    )


def _check(n: int, precision: float | None) -> None:
    if n < 0:
        raise SettingsError(Reason.BAD_SETTING, f"the number of images to label is 0 or more, got {n}")
    if precision is not None:
        check_precision(precision)


def _read(data: Dataset | str | Path, pool: Dataset | str | Path | None) -> Dataset:
    dataset = joined(data, pool)
    if dataset.labelled.all():
        raise DataError(
            Reason.DATASET_EMPTY,
            f"all {len(dataset):,} images have a label: there is nothing to suggest; name unlabelled ones as the pool, or "
            "lay them beside the class folders",
        )
    return dataset
