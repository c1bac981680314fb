"""The user's own splits, where they share an image or tear a declared group apart.

Near-duplicates on both sides are for `near_duplicates` to find, copies within one split for `exact_duplicates`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence

from tellapart.data.groups import combine_groups
from tellapart.data.hygiene.one_split import KEPT_FIRST, to_one_split
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Int64, Proposal, Severity
from tellapart.data.hygiene.wording import count

Rows = list[int]
_ANEW = "split anew: without a split of their own, images are split by group"


def find(evidence: Evidence) -> list[Finding]:
    """Images that lie in several splits, then groups that do."""
    if len(set(evidence.dataset.splits) - {None}) < 2:
        return []
    images = [rows for rows in _torn(evidence, evidence.dataset.ids) if not _quarrel(evidence, rows)]
    copies = {row for rows in images for row in _copies(evidence, rows)}
    groups = _torn(evidence, evidence.dataset.groups, without=copies)
    together = _together(evidence, images, copies)
    drops = [Proposal(row, "drop") for row in sorted(copies)]
    return [
        *_same_image(evidence, images, drops + _moves(evidence, together, images)),
        *_same_group(evidence, groups, _moves(evidence, together, groups)),
    ]


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


def _copies(evidence: Evidence, rows: Rows) -> Iterator[int]:
    """The rows that repeat a region of an image, but for the one that judges."""
    splits, regions = evidence.dataset.splits, evidence.dataset.table["roi"]
    seen = set()
    for row in sorted(rows, key=lambda row: KEPT_FIRST.index(splits[row] or "train")):
        if regions[row] in seen:
            yield row
        seen.add(regions[row])


def _together(evidence: Evidence, images: Sequence[Rows], copies: Collection[int]) -> Int64:
    """Number of what the files of these images and declared groups join, once the copies are dropped."""
    shared = {row for rows in images for row in rows}.difference(copies)
    files = [id_ if row in shared else None for row, id_ in enumerate(evidence.dataset.ids)]
    groups = [None if row in copies else group for row, group in enumerate(evidence.dataset.groups)]
    return combine_groups(files, groups)


def _moves(evidence: Evidence, together: Int64, leaks: Sequence[Rows]) -> list[Proposal]:
    """Each leak to one split; none where a split would lose half of its images or more."""
    moves = to_one_split(evidence, together, [row for rows in leaks for row in rows])
    splits = evidence.dataset.splits
    sizes, lost = Counter(splits), Counter(splits[one.row] for one in moves)
    return [] if any(2 * n >= sizes[split] for split, n in lost.items()) else moves


def _same_image(evidence: Evidence, leaks: list[Rows], repairs: Sequence[Proposal]) -> list[Finding]:
    if not leaks:
        return []
    sentence = f"{count(len(leaks), 'image')} {_lie(leaks)} in several splits, such as {_example(evidence, leaks[0])}"
    remedy = "keep each in one split only: what a model learned by heart tells nothing about it"
    return [_finding(evidence, leaks, sentence, remedy, repairs)]


def _same_group(evidence: Evidence, leaks: list[Rows], repairs: Sequence[Proposal]) -> list[Finding]:
    if not leaks:
        return []
    name = evidence.dataset.groups[leaks[0][0]]
    sentence = f"{count(len(leaks), 'group')} {_lie(leaks)} in several splits, such as {name!r} with "
    remedy = (
        "move each group to one split: images that belong together must not judge one another" if repairs else _ANEW
    )
    return [_finding(evidence, leaks, sentence + _example(evidence, leaks[0]), remedy, repairs)]


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
