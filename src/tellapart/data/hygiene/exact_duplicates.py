"""The same file more than once, under one label or under several."""

from __future__ import annotations

from collections import defaultdict

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Proposal, Severity
from tellapart.data.hygiene.wording import count, some


def find(evidence: Evidence) -> list[Finding]:
    """Copies within one label are dropped but for one; under several labels nobody knows which is right.

    Copies in several of the user's own splits are worse than copies: `split_leaks` tells of those.
    """
    copies = defaultdict(list)
    for row, sample in enumerate(evidence.dataset.samples):
        copies[sample.id, sample.roi].append(row)
    clusters = [rows for (image, _), rows in copies.items() if image and len(rows) > 1]
    agreeing = [rows for rows in clusters if len({evidence.label_of(row) for row in rows}) == 1]
    quarrelling = [rows for rows in clusters if len({evidence.label_of(row) for row in rows}) > 1]
    splits = evidence.dataset.splits
    together = [rows for rows in agreeing if len({splits[row] for row in rows} - {None}) < 2]
    return [*_same_label(evidence, together), *_several_labels(evidence, quarrelling)]


def _same_label(evidence: Evidence, clusters: list[list[int]]) -> list[Finding]:
    if not clusters:
        return []
    spare = tuple(row for rows in clusters for row in rows[1:])
    copies = "is a byte-identical copy of another" if len(spare) == 1 else "are byte-identical copies of others"
    example = evidence.dataset.uris[spare[0]]
    return [
        Finding(
            "exact_duplicates",
            Severity.NOTE,
            f"{count(len(spare), 'image')} {copies} with the same label, such as {example!r}",
            "drop the copies: they stay on one side of every split, but count twice",
            rows=spare,
            clusters=tuple(map(tuple, clusters)),
            figures={"copies": len(spare)},
            proposals=tuple(Proposal(row, "drop") for row in spare),
        )
    ]


def _several_labels(evidence: Evidence, clusters: list[list[int]]) -> list[Finding]:
    if not clusters:
        return []
    rows = tuple(row for rows in clusters for row in rows)
    example = clusters[0]
    labels = some(sorted({evidence.label_of(row) for row in example}))
    lie = "lies" if len(clusters) == 1 else "lie"
    return [
        Finding(
            "exact_duplicates",
            Severity.ERROR,
            f"{count(len(clusters), 'image')} {lie} in the data under several labels at once, such as "
            f"{evidence.dataset.uris[example[0]]} as {labels}",
            "decide on one label for each: nobody can learn both",
            rows=rows,
            clusters=tuple(map(tuple, clusters)),
            figures={"images": len(clusters)},
            # Dropping all is the one repair that needs no knowledge; a person may know better.
            proposals=tuple(Proposal(row, "drop", sure=False) for row in rows),
        )
    ]


CHECK = Check("exact_duplicates", "Exact duplicates", find)
