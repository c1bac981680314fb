"""Accepted fixes on a data set: checked all together first, then applied, on a copy of the table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from tellapart.data import table as tables
from tellapart.data.dataset import Dataset
from tellapart.data.labels import Labels, format_labels, infer_schema, parse_labels
from tellapart.data.repair.fixes import Fault, Fix, faults_of, refuse_faults
from tellapart.data.split_names import normalise_split
from tellapart.records import LabelSchema, Sample, Task

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Applied:
    """The repaired data set. `counts` are the fixes that changed something, by action; `n_idle` accepted ones did not
    (the image was dropped, or is already as it should be), `n_declined` were not accepted."""

    dataset: Dataset
    counts: Mapping[str, int]
    n_idle: int = 0
    n_declined: int = 0


def apply_fixes(
    dataset: Dataset,
    fixes: Sequence[Fix],
    *,
    new_labels: bool = False,
    faults: Sequence[Fault] = (),
    where: str = "the list of fixes",
) -> Applied:
    """Apply the accepted fixes: relabel first, then merge, group and move; what is dropped is dropped whatever else.

    Ids of the data set must be those of the files as they are now (`identify`). `new_labels` allows labels that no image
    has yet. `faults` were found in the file already and are told together with those found here. The schema stays while
    the label names do; otherwise the task is found out anew, but multi-label stays so.

    Raises:
        DataError: bad_row, with all faults at once: images that are not there or were changed since, labels nobody knows,
            fixes that contradict each other.
    """
    accepted = [fix for fix in fixes if fix.accept]
    rows = _rows(dataset)
    refuse_faults([*faults, *_faults(dataset, rows, accepted, new_labels)], where)
    table = _Table(list(dataset.samples))
    gone = {row for fix in accepted if fix.action == "drop" for row in rows[fix.key]}
    merges = {fix.was: fix for fix in accepted if fix.action == "merge"}
    counts: Counter[str] = Counter({"drop": len({fix.key for fix in accepted if fix.action == "drop"})})
    for fix in accepted:
        if fix.action not in ("drop", "merge"):
            left = [row for row in rows[fix.key] if row not in gone]
            counts[fix.action] += table.change(fix, left)
    counts["merge"] += len(table.merge(merges, gone))
    kept = [sample for row, sample in enumerate(table.samples) if row not in gone]
    counts = Counter({action: n for action, n in counts.items() if n})
    return Applied(_rebuilt(dataset, kept), counts, len(accepted) - counts.total(), len(fixes) - len(accepted))


class _Table:
    """Samples that change one by one."""

    def __init__(self, samples: list[Sample]) -> None:
        self.samples = samples

    def change(self, fix: Fix, rows: Iterable[int]) -> bool:
        """Whether anything is different now."""
        before = [self.samples[row] for row in rows]
        after = [_changed(sample, fix) for sample in before]
        for row, sample in zip(rows, after, strict=True):
            self.samples[row] = sample
        return before != after

    def merge(self, merges: Mapping[str, Fix], gone: set[int]) -> set[str]:
        """Replace labels by others everywhere; the old names that were met."""
        new = {old: _end(old, merges) for old in merges}
        met = set()
        for row, sample in enumerate(self.samples):
            found = new.keys() & set(sample.labels or ())
            if found and row not in gone:
                met |= found
                names = {new.get(name, name) for name in sample.labels or ()}
                self.samples[row] = replace(sample, labels=tuple(sorted(names)))
        return met


def _changed(sample: Sample, fix: Fix) -> Sample:
    if fix.action == "relabel":
        return replace(sample, labels=new_names(fix))
    if fix.action == "group":
        return replace(sample, group=fix.value)
    return replace(sample, split=normalise_split(fix.value))


def new_names(fix: Fix) -> tuple[str, ...]:
    """The labels a relabelling gives, sorted as in every data set."""
    return tuple(sorted(parse_labels(fix.value) or ()))


def _end(name: str, merges: Mapping[str, Fix]) -> str:
    """Where a chain of merges ends; circles were refused before."""
    while name in merges:
        name = merges[name].value
    return name


def _rebuilt(dataset: Dataset, samples: Sequence[Sample]) -> Dataset:
    schema = _schema(dataset.schema, [sample.labels for sample in samples])
    return replace(dataset, table=tables.from_samples(samples), schema=schema)


def _schema(before: LabelSchema | None, labels: Sequence[Labels]) -> LabelSchema | None:
    names = {name for entry in labels for name in entry or ()}
    if before is not None and names == set(before.names):
        return before
    several = before is not None and before.task is Task.MULTILABEL
    after = infer_schema(labels, task=Task.MULTILABEL if several else None)
    if after is not None and before is not None and after.task is Task.BINARY and before.positive in after.names:
        return replace(after, positive=before.positive)
    return after


def _rows(dataset: Dataset) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = defaultdict(list)
    for row, key in enumerate(keys_of(dataset)):
        found[key].append(row)
    return found


def keys_of(dataset: Dataset) -> list[Key]:
    """What names each sample: its uri and its region's JSON, "" for a whole image."""
    regions = dataset.table["roi"].to_list()
    return [(uri, roi or "") for uri, roi in zip(dataset.uris, regions, strict=True)]


def _faults(dataset: Dataset, rows: Mapping[Key, list[int]], fixes: Sequence[Fix], new_labels: bool) -> list[Fault]:
    names = {name for sample in dataset.samples for name in sample.labels or ()}
    found = [(fix, fault) for fix in fixes for fault in _own_faults(fix, dataset, rows, names, new_labels)]
    found += _contradictions(fixes)
    found += _circles({fix.was: fix for fix in fixes if fix.action == "merge"})
    return [(fix.line, f"{fix.named}: {fault}") for fix, fault in found]


def _own_faults(
    fix: Fix, dataset: Dataset, rows: Mapping[Key, list[int]], names: set[str], new_labels: bool
) -> list[str]:
    if wrong := faults_of(fix):
        return wrong
    if fix.action == "merge":
        there = [] if fix.was in names else [f"no image has the label {fix.was!r}{_near(fix.was, names)}"]
        return there + ([] if new_labels else _unknown([fix.value], names))
    if fix.key not in rows:
        return [f"the data set has no image {fix.uri!r}" + (" with this region" if fix.region else "")]
    row = rows[fix.key][0]
    faults = _changed_since(fix, dataset.ids[row], dataset.samples[row])
    if fix.action == "relabel":
        wanted = new_names(fix)
        exclusive = dataset.task is not None and dataset.task is not Task.MULTILABEL
        if exclusive and len(wanted) != 1:
            faults.append(f"images have exactly one label here, got {fix.value!r}")
        faults += [] if new_labels else _unknown(wanted, names)
    return faults


def _changed_since(fix: Fix, id_: str, sample: Sample) -> list[str]:
    if fix.id and not id_:
        return [f"{fix.uri!r} cannot be read any more"]
    if fix.id and fix.id != id_:
        return [f"{fix.uri!r} is another image than the one that was checked (its bytes changed); check the data again"]
    now = current(fix, sample)
    if fix.was and fix.was != now:
        return [f"{fix.uri!r} was {fix.was!r} when it was checked and is {now!r} now; check the data again"]
    return []


def current(fix: Fix, sample: Sample) -> str:
    """What `value` would replace, as `was` writes it."""
    if fix.action == "group":
        return sample.group or ""
    if fix.action == "move":
        return sample.split or ""
    return format_labels(sample.labels)


def _unknown(wanted: Iterable[str], names: set[str]) -> list[str]:
    return [
        f"no image has the label {name!r}{_near(name, names)}; allow new labels if it is meant"
        for name in wanted
        if name not in names
    ]


def _near(name: str, names: set[str]) -> str:
    near = get_close_matches(name, sorted(names), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _contradictions(fixes: Sequence[Fix]) -> list[tuple[Fix, str]]:
    first: dict[tuple[object, ...], Fix] = {}
    found = []
    for fix in fixes:
        if fix.action == "drop":
            continue
        earlier = first.setdefault((fix.action, fix.was if fix.action == "merge" else fix.key), fix)
        if earlier.value != fix.value:
            about = fix.was if fix.action == "merge" else fix.uri
            wish = f"{earlier.named} wants {earlier.value!r} for {about!r}, this one {fix.value!r}"
            found.append((fix, f"{wish}; accept one of them"))
    return found


def _circles(merges: Mapping[str, Fix]) -> list[tuple[Fix, str]]:
    found = []
    for old, fix in merges.items():
        seen, name = {old}, fix.value
        while name in merges and name not in seen:
            seen.add(name)
            name = merges[name].value
        if name == old:
            found.append((fix, f"{old!r} is merged into itself; leave out one of the lines"))
    return found
