"""Which images to move so that what belongs together lies in one split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from tellapart.data.hygiene.protocol import Evidence, Int64, Proposal

# Where as many lie in each: another training image is easier to come by than one that judges.
KEPT_FIRST = ("test", "val", "train")


def to_one_split(evidence: Evidence, together: Int64, rows: Iterable[int]) -> list[Proposal]:
    """Moves after which every group of `together` (n,) that holds one of the `rows` lies in the split that has most of it.

    All that a chain of shared files and groups joins must be decided at once: repairs that each mend one link would tear
    another, and the next check would move the images back.
    """
    wanted = set(together[list(rows)].tolist())
    members: dict[int, dict[int, str]] = defaultdict(dict)
    for row, (group, split) in enumerate(zip(together.tolist(), evidence.dataset.splits, strict=True)):
        if split and group in wanted:
            members[group][row] = split
    return [
        Proposal(row, "move", home)
        for splits in members.values()
        for home in [_home(splits.values())]
        for row, split in splits.items()
        if split != home
    ]


def _home(splits: Iterable[str]) -> str:
    sizes = Counter(splits)
    return max(sizes, key=lambda split: (sizes[split], -KEPT_FIRST.index(split)))
