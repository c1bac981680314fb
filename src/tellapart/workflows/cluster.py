"""Groups among images that nobody named, and a map on which they can be looked at."""

from __future__ import annotations

import time
from pathlib import Path

from tellapart.backbones.store import Store
from tellapart.classifier.classifier import Classifier
from tellapart.clusters.agreement import agreement
from tellapart.clusters.find import Method, find_clusters
from tellapart.clusters.layout import Layout, lay_out
from tellapart.clusters.naming import name_clusters
from tellapart.clusters.typical import distances
from tellapart.data.dataset import Dataset
from tellapart.image.types import DecodeLimits
from tellapart.index.vectors import Vectors
from tellapart.workflows.cluster_result import Clustered, label_names
from tellapart.workflows.cluster_source import Opening, open_pool
from tellapart.workflows.progress import Progress, silent


def cluster(
    source: Vectors | Dataset | str | Path,
    *,
    model: Classifier | str | Path | None = None,
    backbone: str | Path | None = None,
    preprocess: str | None = None,
    method: Method = "auto",
    k: int | None = None,
    min_size: int | None = None,
    layout: Layout | None = "auto",
    images: str | Path | None = None,
    seed: int = 0,
    store: Store | None = None,
    workers: int = 0,
    provider: str = "cpu",
    cache_dir: str | Path | None = None,
    limits: DecodeLimits = DecodeLimits(),
    progress: Progress = silent,
) -> Clustered:
    """Put images into groups by what a network sees in them; labels are not needed, and only name and judge what is found.

    `source` is vectors (in memory, or a file that `embed` or anybody wrote), or a data set or anything `Dataset.read`
    takes, whose images are embedded by `model` or `backbone` (default: that of `train`). With a model its answers are told
    too; a file of vectors must then be what the model's network gave, not normalised. `images` is the folder that
    relative file names start at, where the source does not know. `method`, `k` and `min_size` are those of
    `clusters.find.find_clusters`, `layout` is that of `clusters.layout.lay_out`, None for no map. Nothing is changed.

    Raises:
        SettingsError: `bad_setting`, for what cannot be or does not go together.
        DataError: `dataset_empty`, `foreign_vectors`; what reading raises.
        MissingExtra: for the layout `umap` where it is not installed.
        BackboneError, ModelError, SpecError.
    """
    started = time.perf_counter()
    opening = Opening(
        model=model,
        backbone=backbone,
        preprocess=preprocess,
        images=None if images is None else Path(images),
        store=store,
        workers=workers,
        provider=provider,
        cache_dir=None if cache_dir is None else Path(cache_dir),
        limits=limits,
        progress=progress,
    )
    pool = open_pool(source, opening)
    progress("looking for clusters", 0, 0)
    found = find_clusters(pool.vectors, method=method, k=k, min_size=min_size, groups=pool.groups.tolist(), seed=seed)
    labels = label_names(pool.dataset)
    if layout is not None:
        progress("drawing the map", 0, 0)
    return Clustered(
        pool=pool,
        clusters=found,
        names=name_clusters(found.of, found.points, labels),
        far=distances(found),
        agreement=agreement(found.of, labels),
        map=None if layout is None else lay_out(found.points, layout, of=found.of, seed=seed),
        seed=seed,
        seconds=time.perf_counter() - started,
    )
