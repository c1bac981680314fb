"""Which images belong together, and hence which split each goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.groups import combine_groups
from tellapart.data.splits import DEFAULT_FRACTIONS, Splits, assign_splits
from tellapart.errors import Reason, SettingsError
from tellapart.records import LabelSchema
from tellapart.workflows.embedding import EmbeddedDataset
from tellapart.workflows.grouping import LookAlikes, look_alikes
from tellapart.workflows.memory import GROUPED, RANDOM, Memory

_UNDECIDED_SHARE = 0.2
_MOST = 0.5
"""A group of more than this share of all images leaves nothing to judge by."""
_FIXED_CAMERA = (
    "pictures of different groups look alike, as those of a fixed camera do: together they would be one group and could not be "
    "split. Only the declared groups are kept together: make sure that no part is in two of them"
)
_ALL_TEACH = {"train": 1.0, "val": 0.0, "test": 0.0}
NOTHING = Memory()


@dataclass(frozen=True, slots=True)
class Partition:
    """The split of every image and the groups (int64 (n,)) that were kept on one side.

    `n_found` images were put together with another by their looks alone (near-duplicates, the same object again),
    `n_kept` stayed where an earlier model's training had them. Of `n_undecided` looks do not tell whether they belong
    together.
    """

    splits: Splits
    groups: NDArray[np.int64]
    how: str
    n_found: int
    n_kept: int
    n_undecided: int = 0
    warnings: tuple[str, ...] = ()

    def rows(self, *names: str) -> NDArray[np.bool_]:
        """bool (n,): in one of these splits."""
        return np.isin(np.array(self.splits.assigned), names)

    def summary(self) -> tuple[str, ...]:
        """Lines for people: sizes, groups, warnings."""
        sizes = ", ".join(f"{size:,} {name}" for name, size in zip(self.splits.names, self.splits.sizes, strict=True))
        n_groups = len(np.unique(self.groups))
        lines = [f"split       {sizes}"]
        if n_groups < len(self.groups):
            lines.append(
                f"groups      {n_groups:,} groups kept together ({self.n_found:,} images have a near-duplicate)"
            )
        if self.n_kept:
            lines.append(f"kept        {self.n_kept:,} images stay in the split they had in the earlier model")
        if self.n_undecided > _UNDECIDED_SHARE * len(self.groups):
            lines.append(
                f"warning     {self.n_undecided:,} images look almost like another one, and looks do not tell whether they "
                "show the same part; if they do, the figures will be far too good: name the part in a column 'group'"
            )
        return (*lines, *(f"warning     {text}" for text in (*self.warnings, *self.splits.warnings)))


def partition(
    images: EmbeddedDataset,
    schema: LabelSchema,
    *,
    how: str,
    memory: Memory = NOTHING,
    seed: int,
    cache_dir: Path | None = None,
    all_teach: bool = False,
) -> Partition:
    """Split labelled images: the user's own split first, then that of an earlier model (`memory`), then by group.

    `how` is "grouped", or "random" to see what a leaking split would have promised. `cache_dir` keeps the groups. With
    `all_teach` no image is held back but those that either names: a handful per class is too few to give some away.

    Raises:
        SettingsError: `bad_setting` for another `how`.
    """
    if how not in (GROUPED, RANDOM):
        raise SettingsError(Reason.BAD_SETTING, f"the split is 'grouped' or 'random', got {how!r}")
    dataset = images.dataset
    labels = dataset.label_matrix(schema)
    fractions = _ALL_TEACH if all_teach else DEFAULT_FRACTIONS
    if how == RANDOM:
        alone = np.arange(len(dataset), dtype=np.int64)
        splits = assign_splits(
            label_matrix=labels, groups=alone, fractions=fractions, seed=seed, label_names=schema.names
        )
        return Partition(splits, alone, how, n_found=0, n_kept=0)
    looks = look_alikes(images, cache_dir)
    groups, doubts = _together(dataset, looks)
    own = dataset.splits
    kept = [memory.splits.get(image_id) for image_id in dataset.ids]
    existing = [mine or before for mine, before in zip(own, kept, strict=True)]
    splits = assign_splits(
        label_matrix=labels,
        groups=groups,
        existing=existing if any(existing) else None,
        fractions=fractions,
        seed=seed,
        label_names=schema.names,
    )
    n_kept = sum(1 for mine, before in zip(own, kept, strict=True) if before and not mine)
    undecided = looks.undecided & np.array([group is None for group in dataset.groups], bool)
    found = 0 if doubts else _n_with_company(looks.groups)
    return Partition(splits, groups, how, found, n_kept, int(undecided.sum()), (*memory.warnings, *doubts))


def _together(dataset: Dataset, looks: LookAlikes) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Groups by declaration and by looks, and a warning where looks must not count.

    A fixed camera sees the same background in every picture: looks then join what somebody who named a group for every
    picture knows to be apart, until a single group is left and nothing can be held back.
    """
    keys = _keys(dataset)
    groups = combine_groups(dataset.ids, dataset.groups, looks.groups, keys=keys)
    if all(dataset.groups) and _largest(groups) > _MOST:
        declared = combine_groups(dataset.ids, dataset.groups, keys=keys)
        if _largest(declared) <= _MOST:
            return declared, (_FIXED_CAMERA,)
    return groups, ()


def _largest(groups: NDArray[np.int64]) -> float:
    """Share of the images that the largest group has."""
    return float(np.bincount(groups).max(initial=0) / max(len(groups), 1))


def _keys(dataset: Dataset) -> Sequence[str]:
    """A name per row that does not depend on the order of rows: several regions of a file are told apart."""
    return [f"{uri}\0{roi}" for uri, roi in zip(dataset.uris, dataset.table["roi"].to_list(), strict=True)]


def _n_with_company(groups: NDArray[np.int64]) -> int:
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return int((counts[inverse] > 1).sum())
