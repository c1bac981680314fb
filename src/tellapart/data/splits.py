"""Train, validation and test parts that do not leak, are stratified, and stay what they are when the data grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tellapart.data.split_names import is_unassigned, normalise_split
from tellapart.data.stratify import Groups, Ints, deal, scramble
from tellapart.errors import DataError, Reason

DEFAULT_FRACTIONS: Mapping[str, float] = MappingProxyType({"train": 0.64, "val": 0.16, "test": 0.20})
# Of a label in more groups than this, the ones that must be in train and in test are drawn, not chosen by size.
_FEW_GROUPS = 20


@dataclass(frozen=True, slots=True)
class Leak:
    """A group that somebody's own split tears apart: rows of it by split, ascending."""

    group: int
    rows: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Splits:
    """The split of every sample, and how well it came out.

    `counts` is int (len(names), k): samples per split (rows, in the order of `names`) and label; `sizes` per split.
    `leaks` are groups torn by the existing assignment, which is honoured all the same.
    """

    assigned: tuple[str, ...]
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    counts: Ints
    leaks: tuple[Leak, ...] = ()
    warnings: tuple[str, ...] = ()

    def rows(self, name: str) -> Ints:
        """Indices of the samples in a split, ascending."""
        return np.flatnonzero(np.array(self.assigned, dtype=object) == name)


def assign_splits(
    *,
    label_matrix: NDArray[np.generic],
    groups: NDArray[np.generic],
    existing: Sequence[str | None] | None = None,
    fractions: Mapping[str, float] = DEFAULT_FRACTIONS,
    seed: int = 0,
    label_names: Sequence[str] | None = None,
) -> Splits:
    """Assign every sample to a split; groups are never torn.

    Args:
        label_matrix: (n, k), non-zero where a label applies; rows of zeros (unlabelled) are dealt out by size.
        groups: int (n,): samples with equal numbers stay together (see `groups.combine_groups`).
        existing: split or None per sample. Assigned samples never move; their group's new members join them.
        fractions: wanted share of the samples per split, sum 1; a share of 0 is allowed.
        seed: draws among equals. The result depends on group numbers, not on the order of rows.
        label_names: for the warnings, in place of column numbers.

    A label in one group is in train; in two or more, in train and in test; in three or more, in val as well. Where
    images have several labels these wishes can contradict each other: then a warning says what is missing.

    Raises:
        DataError: bad_setting, for arrays or fractions that do not fit.
    """
    names, shares = _checked_fractions(fractions)
    labels = np.asarray(label_matrix)
    given = _normalised(existing, len(labels), names)
    if labels.ndim != 2 or np.shape(groups) != (len(labels),):
        message = f"expected labels (n, k) and groups (n,), got {labels.shape} and {np.shape(groups)}"
        raise DataError(Reason.BAD_SETTING, message)
    gathered = Groups.of_samples(labels, groups)
    before = _votes(gathered, given, len(names))
    fixed = _majority(before)
    seeded = _seed_rare(gathered, fixed, names, shares, seed)
    parts = deal(gathered, shares, seeded, seed)
    each = np.where(given >= 0, given, parts[gathered.of])
    torn = np.flatnonzero((before > 0).sum(axis=1) > 1)
    leaks = tuple(_leak(gathered, int(group), given, names) for group in torn)
    return _report(each, leaks, names, shares, labels != 0, label_names)


def group_folds(
    label_matrix: NDArray[np.generic], groups: NDArray[np.generic], n_folds: int, seed: int = 0
) -> NDArray[np.int64]:
    """Fold 0 … n_folds-1 of every sample, int64 (n,): stratified by label, groups never torn, any row order.

    With fewer groups than folds some folds stay empty.

    Raises:
        DataError: bad_setting, for fewer than two folds.
    """
    if n_folds < 2:
        raise DataError(Reason.BAD_SETTING, f"cross-validation needs at least 2 folds, got {n_folds}")
    gathered = Groups.of_samples(np.asarray(label_matrix), groups)
    free = np.full(len(gathered.keys), -1, np.int64)
    return deal(gathered, [1.0 / n_folds] * n_folds, free, seed)[gathered.of]


def _checked_fractions(fractions: Mapping[str, float]) -> tuple[tuple[str, ...], list[float]]:
    unknown = [name for name in fractions if normalise_split(name) != name]
    shares = [float(value) for value in fractions.values()]
    if unknown or not shares or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        message = f"fractions are shares of train, val and test that sum to 1, got {dict(fractions)}"
        raise DataError(Reason.BAD_SETTING, message)
    return tuple(fractions), shares


def _normalised(existing: Sequence[str | None] | None, n: int, names: tuple[str, ...]) -> Ints:
    """Index of the split per sample, -1 for none; DataError for words that are no split of this run."""
    if existing is None:
        return np.full(n, -1, np.int64)
    if len(existing) != n:
        raise DataError(Reason.BAD_SETTING, f"existing: one split or None per sample, {n}, got {len(existing)}")
    place: dict[str | None, int] = {}
    for word in set(existing):
        split = normalise_split(word)
        if split in names:
            place[word] = names.index(split)
        elif is_unassigned(word):
            place[word] = -1
        else:
            raise DataError(Reason.BAD_SETTING, f"existing split {word!r} is none of {', '.join(names)}")
    return np.array([place[word] for word in existing], np.int64)


def _votes(groups: Groups, given: Ints, n_splits: int) -> Ints:
    """Samples per group and split that are assigned already, (g, s)."""
    votes = np.zeros((len(groups.keys), n_splits), np.int64)
    known = given >= 0
    np.add.at(votes, (groups.of[known], given[known]), 1)
    return votes


def _majority(votes: Ints) -> Ints:
    """Where a group's new members go: the split that has most of it, the first of equals; -1 for new groups."""
    return np.where(votes.sum(axis=1) > 0, votes.argmax(axis=1), -1).astype(np.int64)


def _seed_rare(groups: Groups, fixed: Ints, names: tuple[str, ...], shares: list[float], seed: int) -> Ints:
    """Give every label, the rarest first, a group in train, then test, then val, as far as it has groups."""
    parts = fixed.copy()
    order = [names.index(name) for name in ("train", "test", "val") if name in names and shares[names.index(name)] > 0]
    has = groups.counts[:, :-1] > 0
    n_groups = has.sum(axis=0)
    ticket = scramble(groups.keys, seed)
    # Columns with equally many groups are visited in a fixed order: that of the columns.
    for column in np.argsort(n_groups, kind="stable").tolist():
        members = np.flatnonzero(has[:, column])
        sizes = groups.counts[members, column]
        largest_first = np.lexsort((ticket[members], -sizes) if len(members) <= _FEW_GROUPS else (ticket[members],))
        for i, part in enumerate(order[: len(members)]):
            here = parts[members]
            if not (here == part).any():
                open_ = [m for m in members[largest_first].tolist() if parts[m] < 0]
                if open_:
                    parts[open_[0] if i == 0 else open_[-1]] = part
    return parts


def _report(
    each: Ints,
    leaks: tuple[Leak, ...],
    names: tuple[str, ...],
    shares: list[float],
    present: NDArray[np.bool_],
    label_names: Sequence[str] | None,
) -> Splits:
    counts = np.stack([present[each == part].sum(axis=0) for part in range(len(names))]).astype(np.int64)
    sizes = np.bincount(each, minlength=len(names))
    warnings = _warnings(counts, sizes, names, shares, label_names)
    if leaks:
        warnings.insert(0, _leaking(leaks))
    assigned = tuple(names[part] for part in each.tolist())
    return Splits(assigned, names, tuple(int(size) for size in sizes), counts, leaks, tuple(warnings))


def _leak(groups: Groups, group: int, given: Ints, names: tuple[str, ...]) -> Leak:
    rows = np.flatnonzero((groups.of == group) & (given >= 0))
    by_split = {name: tuple(rows[given[rows] == part].tolist()) for part, name in enumerate(names)}
    return Leak(int(groups.keys[group]), {name: found for name, found in by_split.items() if found})


def _leaking(leaks: Sequence[Leak]) -> str:
    n_images = sum(len(rows) for leak in leaks for rows in leak.rows.values())
    torn = "1 group is" if len(leaks) == 1 else f"{len(leaks):,} groups are"
    return (
        f"the split that images have already leaks: {torn} torn apart ({n_images:,} images that belong together or are nearly "
        f"the same), so the figures will be too good; the first has {_told(leaks[0])}"
    )


def _told(leak: Leak) -> str:
    return " and ".join(f"{len(rows)} in {name} (row {rows[0]})" for name, rows in leak.rows.items())


def _warnings(
    counts: Ints, sizes: Ints, names: tuple[str, ...], shares: list[float], label_names: Sequence[str] | None
) -> list[str]:
    told = [
        f"no sample is in {name}" for name, size, share in zip(names, sizes, shares, strict=True) if not size and share
    ]
    for column, per_split in enumerate(counts.T.tolist()):
        label = repr(label_names[column]) if label_names is not None else f"column {column}"
        lacking = [name for name, n, s in zip(names, per_split, sizes, strict=True) if not n and s]
        if lacking and sum(per_split):
            total = sum(per_split)
            told.append(
                f"label {label} is missing in {' and '.join(lacking)}: its {total} images are in too few groups"
            )
    return told
