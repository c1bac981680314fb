"""Labelled images for a live model: embedded by its own path, each counted once, put into a split with their look-alikes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.groups import combine_groups
from tellapart.data.splits import assign_splits
from tellapart.errors import DataError, Reason, SettingsError, TrainingError
from tellapart.image.quality import FIELDS
from tellapart.records import Refusal, Task
from tellapart.workflows.classes.change import How
from tellapart.workflows.classes.kin import ALONE, known_groups
from tellapart.workflows.classes.live import Live, real_path
from tellapart.workflows.classes.rows import ROW
from tellapart.workflows.embedding import EmbeddedDataset, Embedder, embed_dataset
from tellapart.workflows.fitting import schema_of
from tellapart.workflows.grouping import look_alikes
from tellapart.workflows.reference import pictures as thumbnail_column

if TYPE_CHECKING:
    import polars as pl

ALL_TEACH_BELOW = 50
"""A class with fewer images gives none away to be judged on: held-out folds judge it."""


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Images of a data set, each file once: `images` with one label each, their look-alike `groups` int64 (n,).

    `known` int64 (n,) is the group of remembered images that an image belongs to, `ALONE` for none. `n_seen` counts what was
    read, refused and repeated images among it; `n_repeated` are further copies of a file.
    """

    images: EmbeddedDataset
    groups: NDArray[np.int64]
    known: NDArray[np.int64]
    refusals: tuple[Refusal, ...]
    n_seen: int
    n_repeated: int

    def __len__(self) -> int:
        return len(self.images)

    @property
    def ids(self) -> tuple[str, ...]:
        """sha256 of each image's bytes."""
        return self.images.dataset.ids

    @property
    def labels(self) -> list[str]:
        """The label of each image."""
        return [str(names[0]) for names in self.images.dataset.table["labels"].to_list()]

    def subset(self, chosen: NDArray[np.bool_]) -> Arrivals:
        """Images at a bool (n,) mask."""
        return replace(self, images=self.images.subset(chosen), groups=self.groups[chosen], known=self.known[chosen])

    def path(self, row: int) -> str:
        """Where an image lies."""
        uri, root = self.images.dataset.uris[row], self.images.dataset.root
        return uri if root is None else str(root / uri)


def arrived(live: Live, data: Dataset | str | Path, how: How) -> Arrivals:
    """Read and embed labelled images.

    Raises:
        TrainingError: `unlabelled`.
        DataError: `label_conflict` for images of several labels, and what reading raises.
    """
    dataset = data if isinstance(data, Dataset) else Dataset.read(data)
    _check_outside(live, dataset)
    schema_of(dataset)
    if dataset.task is Task.MULTILABEL:
        raise DataError(
            Reason.LABEL_CONFLICT,
            "some of the images have several labels or an empty one, and this model gives each image exactly one class; "
            "name one label for each image",
        )
    classifier = live.classifier
    embedder = Embedder(classifier.spec, classifier.backbone, how.cache_dir, how.limits, how.workers)
    images = embed_dataset(dataset.subset(dataset.labelled), embedder, progress=how.progress)
    how.progress("finding near-duplicates", 0, 0)
    looks = look_alikes(images, how.cache_dir)
    keys = [
        f"{uri}\0{roi}" for uri, roi in zip(images.dataset.uris, images.dataset.table["roi"].to_list(), strict=True)
    ]
    groups = combine_groups(images.dataset.ids, images.dataset.groups, looks.groups, keys=keys)
    known = known_groups(live.rows, images, groups)
    refusals = images.dataset.refusals
    return _once(Arrivals(images, groups, known, refusals, len(dataset) + len(dataset.refusals), 0))


def _check_outside(live: Live, dataset: Dataset) -> None:
    model, root = real_path(live.path), dataset.root
    if root is None or not model.is_relative_to(root.resolve()):
        return
    inside = f"{model.relative_to(root.resolve()).as_posix()}/"
    if any(uri.startswith(inside) for uri in dataset.uris):
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the model {live.path} lies inside the data {root}, where its golden images would be read as images of a class; "
            "move one of the two",
        )


def _once(every: Arrivals) -> Arrivals:
    """Each file (or region of one) once; those under several labels are refused."""
    seen: dict[tuple[str, str], list[int]] = defaultdict(list)
    regions = every.images.dataset.table["roi"].to_list()
    for row, (image_id, region) in enumerate(zip(every.ids, regions, strict=True)):
        seen[image_id, str(region)].append(row)
    labels, uris = every.labels, every.images.dataset.uris
    torn = [rows for rows in seen.values() if len({labels[row] for row in rows}) > 1]
    refused = tuple(_torn(uris[rows[0]], {labels[row] for row in rows}) for rows in torn)
    lost = {row for rows in torn for row in rows}
    chosen = np.zeros(len(every), bool)
    chosen[[rows[0] for rows in seen.values() if rows[0] not in lost]] = True
    n_repeated = len(every) - int(chosen.sum()) - len(lost)
    return replace(every.subset(chosen), refusals=(*every.refusals, *refused), n_repeated=n_repeated)


def _torn(uri: str, names: set[str]) -> Refusal:
    told = " and ".join(map(repr, sorted(names)))
    return Refusal(uri, Reason.LABEL_CONFLICT.value, f"the same image has the labels {told}; keep it under one of them")


def check_enough(arrivals: Arrivals, names: Sequence[str], min_images: int) -> None:
    """Raise `TrainingError` (`too_few_images`) unless each of the classes `names` has so many images, look-alikes as one."""
    labels = np.array(arrivals.labels)
    for name in names:
        mask = labels == name
        n, n_groups = int(mask.sum()), len(np.unique(arrivals.groups[mask]))
        if n_groups < min_images:
            alike = f", {n_groups} when near-duplicates count as one" if n_groups < n else ""
            raise TrainingError(
                Reason.TOO_FEW_IMAGES,
                f"the class {name!r} would have {n} images{alike}, and {min_images} are asked for; add more images of it, "
                "or ask for fewer with --min-images",
            )


def check_taught(arrivals: Arrivals, splits: Sequence[str], names: Sequence[str]) -> None:
    """Raise `TrainingError` (`too_few_images`) for one of the classes `names` of which every image is held back."""
    taught = {label for label, split in zip(arrivals.labels, splits, strict=True) if split != "test"}
    for name in names:
        if name not in taught:
            raise TrainingError(
                Reason.TOO_FEW_IMAGES,
                f"every image of the class {name!r} is of the split 'test', so none would teach it; put some into 'train'",
            )


def partitioned(
    live: Live, arrivals: Arrivals, teaching: Mapping[str, int], known: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """The split of each image.

    Images that are `known` (id → split) stay there; then the data's own split counts, then where the image was before, then
    that of the remembered images it belongs to.
    `teaching` is the number of images a class has already: where these and the new ones are fewer than `ALL_TEACH_BELOW`, or
    the model has no test split, all teach.
    """
    labels = np.array(arrivals.labels)
    names, column = np.unique(labels, return_inverse=True)
    counts = {str(name): int(count) for name, count in zip(names, np.bincount(column), strict=True)}
    no_test = live.rows.teaches.all()
    few = {name for name, n in counts.items() if no_test or n + teaching.get(name, 0) < ALL_TEACH_BELOW}
    before = dict(zip(live.rows.gone["id"].to_list(), live.rows.gone["split"].to_list(), strict=True))
    sides = dict(zip(live.rows.groups.tolist(), live.rows.splits.tolist(), strict=True))
    own = zip(arrivals.images.dataset.splits, arrivals.ids, labels.tolist(), arrivals.known.tolist(), strict=True)
    existing = [
        known.get(one) or split or before.get(one) or sides.get(kin) or ("train" if label in few else None)
        for split, one, label, kin in own
    ]
    matrix = (column[:, None] == np.arange(len(names))).astype(np.uint8)
    seed = int(live.classifier.card.training.get("seed", 0))
    return list(assign_splits(label_matrix=matrix, groups=arrivals.groups, existing=existing, seed=seed).assigned)


def table_of(live: Live, arrivals: Arrivals, splits: Sequence[str]) -> pl.DataFrame:
    """The images as rows of the reference, their answers still unknown (0)."""
    import polars as pl

    n, rows = len(arrivals), live.rows
    first = next_row(live)
    group = 1 + max([-1, *rows.table["group"].to_list()])
    images = arrivals.images
    table = images.dataset.table.select("id", "uri", "labels").with_columns(
        pl.Series("split", splits, dtype=pl.String),
        pl.Series("group", np.where(arrivals.known == ALONE, arrivals.groups + group, arrivals.known)),
        pl.Series("confidence", np.zeros(n, np.float32)),
        pl.Series("ood_score", np.zeros(n, np.float32)),
        *(pl.Series(name, images.statistics[:, i]) for i, name in enumerate(FIELDS)),
        pl.Series(ROW, np.arange(first, first + n)),
        pl.Series("embedding", list(images.embeddings), dtype=pl.List(pl.Float32)),
        thumbnail_column(images.thumbnails),
    )
    return table.select(rows.table.columns).cast(dict(rows.table.schema))  # type: ignore[arg-type]


def next_row(live: Live) -> int:
    """A row number that no image of any kept version has."""
    from tellapart.workflows.classes.versions import read_gone

    gone = read_gone(live.files)
    used = [*live.rows.table[ROW].to_list(), *([] if gone is None else gone[ROW].to_list())]
    return 1 + int(max([-1, *used]))
