"""The job of a fine-tuning, written from a data set: pixels as the network will see them, targets, a teacher's answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.backbones.onnx import OnnxBackbone
from tellapart.classifier.cores import available_cores
from tellapart.data.containers import read_bytes
from tellapart.data.dataset import Dataset
from tellapart.errors import ImageError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.types import RgbImage
from tellapart.training.augmentation.contact_sheet import contact_sheet, rows_to_show
from tellapart.training.augmentation.presets import explain
from tellapart.training.finetune.job import Job, Labelled, write_job
from tellapart.training.head_start import head_start
from tellapart.training.networks.build import build_network, describe_network
from tellapart.training.tuned_head import Roles
from tellapart.workflows.embedding import embed_again
from tellapart.workflows.fitting import Fitting
from tellapart.workflows.progress import Progress
from tellapart.workflows.run_folder import SHEET, RunFolder
from tellapart.workflows.wish import Wish

T = TypeVar("T")


def spec_of(quick: Fitting, wish: Wish) -> PreprocessSpec:
    """What is asked for; else what suits the frozen network and these images, where it is the same; else the network's own."""
    recipe = wish.recipe
    if recipe.preprocess:
        return PreprocessSpec.parse(recipe.preprocess)
    if recipe.backbone == "builtin":
        own = quick.embedder.spec
        return own.at_size(recipe.size) if recipe.size else own
    facts = describe_network(recipe.backbone, size=recipe.size, start=recipe.finetune.start, store=wish.store)
    return PreprocessSpec.parse(facts.spec)


def write(folder: Path, quick: Fitting, roles: Roles, wish: Wish, spec: PreprocessSpec, progress: Progress) -> Job:
    train, val = np.flatnonzero(roles.learns), np.flatnonzero(roles.validates)
    labels = quick.labels
    return write_job(
        folder,
        finetune=wish.recipe.finetune,
        network=wish.recipe.backbone,
        size=max(spec.size),
        spec=str(spec),
        task=quick.schema.task,
        n_classes=labels.shape[1],
        train=Labelled(_images(quick, train, spec), labels[train].astype(np.float32)),
        val=Labelled(_images(quick, val, spec), labels[val].astype(np.float32)),
        seed=quick.options.seed,
        store=None if wish.store is None else str(wish.store.folder),
        teacher=_teacher(quick, train, wish, progress),
        head=_head(quick, train, wish, spec, progress),
        identity=_identity(quick.images.dataset, train, val),
        progress=progress,
    )


def _images(quick: Fitting, rows: NDArray[np.int64], spec: PreprocessSpec) -> Iterator[RgbImage | None]:
    """Decoded in threads, a few ahead; None where an image cannot be read any more."""
    dataset, limits = quick.images.dataset, quick.embedder.limits
    samples = dataset.samples

    def load(row: int) -> RgbImage | None:
        try:
            return spec.load(read_bytes(samples[row].uri, root=dataset.root, limits=limits), samples[row].roi, limits)
        except ImageError:
            return None

    workers = quick.embedder.workers or available_cores()
    with ThreadPoolExecutor(workers) as pool:
        yield from _ahead(pool, load, rows.tolist(), 4 * workers)


def _ahead(pool: ThreadPoolExecutor, work: Callable[[int], T], items: Sequence[int], n: int) -> Iterator[T]:
    """Results in order, computed at most `n` items early: memory does not grow with their number."""
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= n:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _head(
    quick: Fitting, rows: NDArray[np.int64], wish: Wish, spec: PreprocessSpec, progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """What the head starts from, fitted on the images to learn from alone: the others are to judge it."""
    finetune = wish.recipe.finetune
    if finetune.start == "scratch" or finetune.head_start == "random":
        if wish.recipe.backbone != "builtin":
            _as_it_is(quick, wish, spec)  # what cannot be written is better known before the hours than after them
        return None
    embeddings = _frozen_embeddings(quick, rows, wish, spec, progress)
    progress("fitting the head to start from", 0, 0)
    return head_start(
        embeddings,
        quick.labels[rows],
        quick.parted.groups[rows],
        quick.schema,
        class_weight=quick.options.class_weight,
        seed=quick.options.seed,
    )


def _frozen_embeddings(
    quick: Fitting, rows: NDArray[np.int64], wish: Wish, spec: PreprocessSpec, progress: Progress
) -> NDArray[np.float32]:
    """As the network embeds before it learns, float32 (m, d). What the frozen probe reads may be more than that."""
    backbone = quick.embedder.backbone
    if wish.recipe.backbone != "builtin":
        backbone = _as_it_is(quick, wish, spec)
    elif spec == quick.embedder.spec:
        return quick.images.embeddings[rows]
    embedder = replace(quick.embedder, spec=spec, backbone=backbone)
    return embed_again(quick.images.dataset.subset(rows), embedder, progress=progress).embeddings


def _as_it_is(quick: Fitting, wish: Wish, spec: PreprocessSpec) -> OnnxBackbone:
    """The network before it learns.

    Raises:
        BackboneError: `backbone_invalid` where it cannot be written as ONNX.
    """
    from tellapart.training.networks.export import canonical_bytes

    network = build_network(
        wish.recipe.backbone,
        n_classes=len(quick.schema.labels),
        size=max(spec.size),
        start=wish.recipe.finetune.start,
        store=wish.store,
    )
    return OnnxBackbone.open(canonical_bytes(network, network.name), provider=wish.provider)


def _teacher(quick: Fitting, rows: NDArray[np.int64], wish: Wish, progress: Progress) -> NDArray[np.float32] | None:
    """What the teacher of a distillation answers for the images to learn from: logits (m, k), in the order of the schema."""
    wanted = wish.recipe.finetune.distillation
    if wanted is None:
        return None
    from tellapart.training.finetune.distillation import Teacher

    teacher = Teacher.open(wanted.teacher, quick.schema)
    embedder = replace(quick.embedder, spec=teacher.classifier.spec, backbone=teacher.classifier.backbone)
    images = embed_again(quick.images.dataset.subset(rows), embedder, progress=progress)
    return teacher.logits(images.embeddings)


def _identity(dataset: Dataset, *rows: NDArray[np.int64]) -> str:
    """Which images and regions, in which order."""
    regions = [str(roi) for roi in dataset.table["roi"].to_list()]
    return "|".join(f"{dataset.ids[row]} {regions[row]}" for part in rows for row in part.tolist())


def sheet(run: RunFolder, quick: Fitting, roles: Roles, wish: Wish, spec: PreprocessSpec) -> tuple[bytes, str]:
    """The picture of what the network will see, written before the hours are spent."""
    augmentation = wish.recipe.finetune.augmentation
    rows = np.flatnonzero(roles.learns)
    shown = rows[rows_to_show(quick.labels[rows], seed=quick.options.seed)]
    images = [image.pixels for image in _images(quick, shown, spec) if image is not None]
    if not images:
        return b"", ""
    picture = contact_sheet(images, augmentation, spec, quick.options.seed)
    run.keep(SHEET, picture)
    return picture, "; ".join(explain(augmentation))
