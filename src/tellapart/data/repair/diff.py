"""What differs between two data sets: which images, and what is said about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.data.labels import format_labels
from tellapart.data.repair.applying import keys_of
from tellapart.data.writers.images import location


@dataclass(frozen=True, slots=True)
class Change:
    """One image: its uri, what was said and what is said now."""

    uri: str
    was: str
    now: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """From one data set to another. Each list is sorted by uri.

    `dropped` and `added` carry the labels, `changed` (the bytes of a file) the ids, `renamed` the uris.
    """

    dropped: tuple[Change, ...] = ()
    added: tuple[Change, ...] = ()
    relabelled: tuple[Change, ...] = ()
    regrouped: tuple[Change, ...] = ()
    moved: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    renamed: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return any(len(getattr(self, entry.name)) for entry in fields(self))

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {entry.name: len(getattr(self, entry.name)) for entry in fields(self)}

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            entry.name: [
                {"uri": one.uri, "was": one.was, "now": one.now} | ({"region": one.region} if one.region else {})
                for one in getattr(self, entry.name)
            ]
            for entry in fields(self)
        }


def difference(before: Dataset, after: Dataset) -> Difference:
    """Compare two data sets: images are the same where file and region are, else where the bytes are (renamed).

    Bytes are compared by ids where both have them (`identify` fills them in).
    """
    pairs, gone, new = _matched(before, after)
    old, now = before.samples, after.samples
    regions = [region for _, region in keys_of(after)]

    def changes(told: list[tuple[str, str]]) -> tuple[Change, ...]:
        found = [
            Change(now[j].uri, was, becomes, regions[j])
            for (_, j), (was, becomes) in zip(pairs, told, strict=True)
            if was != becomes
        ]
        return tuple(sorted(found, key=_order))

    return Difference(
        dropped=_alone(before, gone, dropped=True),
        added=_alone(after, new, dropped=False),
        relabelled=changes([(format_labels(old[i].labels), format_labels(now[j].labels)) for i, j in pairs]),
        regrouped=changes([(old[i].group or "", now[j].group or "") for i, j in pairs]),
        moved=changes([(old[i].split or "", now[j].split or "") for i, j in pairs]),
        changed=changes([(old[i].id, now[j].id) if old[i].id and now[j].id else ("", "") for i, j in pairs]),
        renamed=changes(_places(before, after, pairs)),
    )


def _alone(dataset: Dataset, rows: Sequence[int], *, dropped: bool) -> tuple[Change, ...]:
    keys = keys_of(dataset)
    labels = [format_labels(dataset.samples[row].labels) for row in rows]
    found = [
        Change(keys[row][0], told, "", keys[row][1]) if dropped else Change(keys[row][0], "", told, keys[row][1])
        for row, told in zip(rows, labels, strict=True)
    ]
    return tuple(sorted(found, key=_order))


def _places(before: Dataset, after: Dataset, pairs: Sequence[tuple[int, int]]) -> list[tuple[str, str]]:
    old, new = _locations(before), _locations(after)
    return [(before.uris[i], after.uris[j]) if old[i] != new[j] else ("", "") for i, j in pairs]


def _matched(before: Dataset, after: Dataset) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pairs of rows, rows of `before` without partner, rows of `after` without partner."""
    pairs, gone, new = _pair(_locations(before), _locations(after), range(len(before)), range(len(after)))
    by_bytes, gone, new = _pair(_contents(before), _contents(after), gone, new)
    return sorted([*pairs, *by_bytes]), gone, new


def _pair(
    old: Sequence[object], new: Sequence[object], old_rows: Sequence[int], new_rows: Sequence[int]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Rows with equal values, each taken once, in order; None equals nothing."""
    waiting: dict[object, list[int]] = {}
    for row in reversed(new_rows):
        if new[row] is not None:
            waiting.setdefault(new[row], []).append(row)
    pairs, alone = [], []
    for row in old_rows:
        found = waiting.get(old[row]) if old[row] is not None else None
        if found:
            pairs.append((row, found.pop()))
        else:
            alone.append(row)
    taken = {j for _, j in pairs}
    return pairs, alone, [row for row in new_rows if row not in taken]


def _locations(dataset: Dataset) -> list[tuple[str, str]]:
    """Absolute file (with the row of a container) and region of every sample."""
    found: dict[str, str] = {}
    for uri in dataset.uris:
        if uri not in found:
            found[uri] = location(uri, dataset.root) + ("#" + uri.rpartition("#")[2] if "#row=" in uri else "")
    return [(found[uri], region) for uri, region in keys_of(dataset)]


def _contents(dataset: Dataset) -> list[tuple[str, str] | None]:
    return [(id_, region) if id_ else None for id_, (_, region) in zip(dataset.ids, keys_of(dataset), strict=True)]


def _order(change: Change) -> tuple[str, str]:
    return change.uri, change.region
