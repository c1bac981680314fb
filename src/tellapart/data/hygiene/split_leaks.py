"""The user's own splits, where they share an image or tear a declared group apart.

Near-duplicates on both sides are for `near_duplicates` to find, copies within one split for `exact_duplicates`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Proposal, Severity
from tellapart.data.hygiene.wording import count

Rows = list[int]
# Of copies that which judges is kept: another training image is easier to come by.
_KEPT_FIRST = ("test", "val", "train")
_ANEW = "split anew: without a split of their own, images are split by group"


def find(evidence: Evidence) -> list[Finding]:
    """Images that lie in several splits, then groups that do."""
    if len(set(evidence.dataset.splits) - {None}) < 2:
        return []
    images = [rows for rows in _torn(evidence, evidence.dataset.ids) if not _quarrel(evidence, rows)]
    repairs = [one for rows in images for one in _one_of_each(evidence, rows)]
    gone = {one.row for one in repairs if one.action == "drop"}
    groups = _torn(evidence, evidence.dataset.groups, without=gone)
    return [*_same_image(evidence, images, repairs), *_same_group(evidence, groups)]


def _torn(evidence: Evidence, names: Sequence[str | None], without: Collection[int] = ()) -> list[Rows]:
    """Rows of each name that is in several splits; rows without a name or a split count nowhere."""
    splits = evidence.dataset.splits
    together: dict[str, Rows] = defaultdict(list)
    for row, (name, split) in enumerate(zip(names, splits, strict=True)):
        if name and split and row not in without:
            together[name].append(row)
    return [rows for rows in together.values() if len({splits[row] for row in rows}) > 1]


def _quarrel(evidence: Evidence, rows: Rows) -> bool:
    """Whether copies differ in their labels: then that is what is told of them."""
    regions = evidence.dataset.table["roi"]
    return len({(regions[row], evidence.label_of(row)) for row in rows}) > len({regions[row] for row in rows})


def _one_of_each(evidence: Evidence, rows: Rows) -> list[Proposal]:
    """Copies dropped but for one; further regions of the same image moved to its split."""
    splits, regions = evidence.dataset.splits, evidence.dataset.table["roi"]
    order = sorted(rows, key=lambda row: _KEPT_FIRST.index(splits[row] or "train"))
    home, seen, repairs = splits[order[0]] or "", set(), list[Proposal]()
    for row in order:
        if regions[row] in seen:
            repairs.append(Proposal(row, "drop"))
        elif splits[row] != home:
            repairs.append(Proposal(row, "move", home))
        seen.add(regions[row])
    return repairs


def _same_image(evidence: Evidence, leaks: list[Rows], repairs: list[Proposal]) -> list[Finding]:
    if not leaks:
        return []
    sentence = f"{count(len(leaks), 'image')} {_lie(leaks)} in several splits, such as {_example(evidence, leaks[0])}"
    remedy = "keep each in one split only: what a model learned by heart tells nothing about it"
    return [_finding(evidence, leaks, sentence, remedy, repairs)]


def _same_group(evidence: Evidence, leaks: list[Rows]) -> list[Finding]:
    if not leaks:
        return []
    name = evidence.dataset.groups[leaks[0][0]]
    repairs = [one for rows in leaks for one in _to_the_most(evidence, rows)]
    sentence = f"{count(len(leaks), 'group')} {_lie(leaks)} in several splits, such as {name!r} with "
    if _empties(evidence, repairs):
        return [_finding(evidence, leaks, sentence + _example(evidence, leaks[0]), _ANEW, [])]
    remedy = "move each group to one split: images that belong together must not judge one another"
    return [_finding(evidence, leaks, sentence + _example(evidence, leaks[0]), remedy, repairs)]


def _to_the_most(evidence: Evidence, rows: Rows) -> list[Proposal]:
    """Moves to the split that has most of a group, on a tie to that which learns."""
    splits = [evidence.dataset.splits[row] or "" for row in rows]
    sizes = Counter(splits)
    home = max(sizes, key=lambda split: (sizes[split], _KEPT_FIRST.index(split)))
    return [Proposal(row, "move", home) for row, split in zip(rows, splits, strict=True) if split != home]


def _empties(evidence: Evidence, repairs: list[Proposal]) -> bool:
    """Whether a split would lose half of its images or more."""
    splits = evidence.dataset.splits
    sizes, lost = Counter(splits), Counter(splits[one.row] for one in repairs)
    return any(2 * n >= sizes[split] for split, n in lost.items())


def _lie(leaks: list[Rows]) -> str:
    return "lies" if len(leaks) == 1 else "lie"


def _example(evidence: Evidence, rows: Rows) -> str:
    """One image in each of two splits."""
    splits, uris = evidence.dataset.splits, evidence.dataset.uris
    other = next(row for row in rows if splits[row] != splits[rows[0]])
    return f"{uris[rows[0]]!r} in {splits[rows[0]]} and {uris[other]!r} in {splits[other]}"


def _finding(evidence: Evidence, leaks: list[Rows], sentence: str, remedy: str, repairs: Sequence[Proposal]) -> Finding:
    splits = evidence.dataset.splits
    judge = "test" if "test" in splits else "val"
    flattered = any(splits[row] == judge for rows in leaks for row in rows)
    return Finding(
        "split_leaks",
        Severity.ERROR if flattered else Severity.WARNING,
        sentence,
        remedy,
        rows=tuple(row for rows in leaks for row in rows),
        clusters=tuple(map(tuple, leaks)),
        figures={"leaks": len(leaks)},
        proposals=tuple(repairs),
    )


CHECK = Check("split_leaks", "Leaks between splits", find)
