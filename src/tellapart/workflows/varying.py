"""How well held-out heads recognise augmented images: for a few hundred images, each run once per augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.cores import available_cores
from tellapart.data.containers import read_bytes
from tellapart.data.hygiene.protocol import Evidence
from tellapart.data.hygiene.variants import AUGMENTATIONS, Variants
from tellapart.data.splits import group_folds
from tellapart.errors import Reason, TrainingError
from tellapart.files import replacing
from tellapart.heads.selection import select_regularisation
from tellapart.image.augment import Pixels, flipped, half_turned, other_hue, quarter_turned, upside_down
from tellapart.records import Task
from tellapart.training.linear_probe import targets_of
from tellapart.workflows.embedding import EmbeddedDataset, Embedder

MOST_IMAGES = 500
_FOLDS = 3
_CHANGE: tuple[Callable[[Pixels], Pixels], ...] = (
    flipped,
    upside_down,
    quarter_turned,
    half_turned,
    other_hue,
)


def variants(
    images: EmbeddedDataset, evidence: Evidence, groups: NDArray[np.int64], embedder: Embedder, seed: int
) -> Variants:
    """Of at most 500 images, as many of each class.

    A head that merely never saw turned images fails on them, which is no fault of the turning. So the head that judges an
    augmentation has learned from it, as a training with it would. Groups are never torn.

    Raises:
        TrainingError: `too_few_images`, where held-out heads cannot be fitted.
    """
    rows = _chosen(evidence.labels, seed)
    if len(np.unique(groups[rows])) < _FOLDS or (evidence.labels[rows].any(axis=0).sum() < 2 and evidence.exclusive):
        message = f"it takes images of at least two classes and {_FOLDS} groups that are not near-duplicates"
        raise TrainingError(Reason.TOO_FEW_IMAGES, message)
    changed = _embedded(images, rows, embedder)
    plain, labels = images.embeddings[rows], evidence.labels[rows]
    folds = group_folds(labels, groups[rows], _FOLDS, seed)
    twice = (np.tile(labels, (2, 1)), np.tile(folds, 2), evidence.schema.task)
    varied = {
        name: _recognised(np.concatenate([plain, changed[:, i]]), *twice).reshape(2, *labels.shape)
        for i, name in enumerate(AUGMENTATIONS)
    }
    return Variants(rows, _recognised(plain, labels, folds, evidence.schema.task), varied)


def _chosen(labels: NDArray[np.uint8], seed: int) -> NDArray[np.int64]:
    """Rows of images drawn at random, of each class its share of the 500, or all where there are fewer."""
    rng = np.random.default_rng(seed)
    each = -(-MOST_IMAGES // max(1, labels.shape[1]))
    of_class = [rng.permutation(np.flatnonzero(labels[:, column]))[:each] for column in range(labels.shape[1])]
    rows = np.unique(np.concatenate([*of_class, np.zeros(0, np.int64)]))
    return np.sort(rng.permutation(rows)[:MOST_IMAGES]).astype(np.int64)


def _embedded(images: EmbeddedDataset, rows: NDArray[np.int64], embedder: Embedder) -> NDArray[np.float32]:
    """float32 (m, a, d), from the cache where they were made before."""
    if embedder.cache_dir is None:
        return _embed(images, rows, embedder)
    chosen = images.dataset.subset(rows.tolist())
    what = [*chosen.ids, *map(str, chosen.table["roi"].to_list()), *AUGMENTATIONS]
    key = sha256("|".join([embedder.spec.hash, embedder.backbone.sha256, *what]).encode()).hexdigest()
    path = embedder.cache_dir / "variants" / f"{key[:32]}.npy"
    try:
        found: NDArray[np.float32] = np.load(path, allow_pickle=False)
        if found.shape[:2] == (len(rows), len(AUGMENTATIONS)):
            return found
    except (OSError, ValueError, EOFError):
        pass  # not there yet, or damaged: made again and written anew
    made = _embed(images, rows, embedder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, made)
    except OSError:
        pass  # a full or read-only disk costs the speed-up, not the run
    return made


def _embed(images: EmbeddedDataset, rows: NDArray[np.int64], embedder: Embedder) -> NDArray[np.float32]:
    """float32 (m, a, d)."""
    samples, root, limits = images.dataset.samples, images.dataset.root, embedder.limits

    def run(row: int) -> NDArray[np.float32]:
        sample = samples[row]
        pixels = embedder.spec.apply(read_bytes(sample.uri, root=root, limits=limits), sample.roi, limits)
        return embedder.backbone.run(np.stack(list(_forms(pixels)))).embedding

    with ThreadPoolExecutor(embedder.workers or available_cores()) as pool:
        return np.stack(list(pool.map(run, rows.tolist())))


def _forms(pixels: Pixels) -> Iterator[Pixels]:
    """One for each augmentation; a picture that is not square is turned by being squeezed to its own size."""
    height, width = pixels.shape[:2]
    for change in _CHANGE:
        made = change(pixels)
        yield made if made.shape == pixels.shape else made[_spread(width, height)][:, _spread(height, width)]


def _spread(n: int, wanted: int) -> NDArray[np.int64]:
    return np.arange(wanted) * n // wanted


def _recognised(
    embeddings: NDArray[np.float32], labels: NDArray[np.uint8], folds: NDArray[np.int64], task: Task
) -> NDArray[np.bool_]:
    """bool (n, k): the labels that a head on the other folds gives."""
    k = labels.shape[1]
    found = select_regularisation(
        embeddings, targets_of(labels, task), folds, task=task, n_classes=k, class_weight="balanced"
    )
    if task is Task.MULTILABEL:
        return np.asarray(found.logits > 0)
    return np.asarray(np.eye(k, dtype=bool)[found.logits.argmax(axis=1)])
