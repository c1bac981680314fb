"""One picture more than once, edited: under one label, under several, or on both sides of a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tellapart.data.groups import combine_groups
from tellapart.data.hygiene.near_copies import near_copies
from tellapart.data.hygiene.one_split import to_one_split
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Proposal, Severity
from tellapart.data.hygiene.wording import count, some
from tellapart.data.labels import format_labels

Rows = Sequence[int]
_MAJORITY = 2 / 3


def find(evidence: Evidence) -> list[Finding]:
    """Quarrels over the label first, then leaks, then what only counts twice; each set of images is told once."""
    clusters: dict[str, list[Rows]] = {"labels": [], "splits": [], "none": []}
    for rows in near_copies(evidence):
        several = len({evidence.label_of(row) for row in rows}) > 1
        clusters["labels" if several else "splits" if len(_splits(evidence, rows)) > 1 else "none"].append(rows)
    return [
        *_several_labels(evidence, clusters["labels"]),
        *_several_splits(evidence, clusters["splits"]),
        *_same_label(evidence, clusters["none"]),
    ]


def _several_labels(evidence: Evidence, clusters: Sequence[Rows]) -> list[Finding]:
    if not clusters:
        return []
    example = clusters[0]
    labels = some(sorted({evidence.label_of(row) for row in example}))
    sentence = (
        f"{_more_than_once(clusters)} under several labels, such as {evidence.dataset.uris[example[0]]} as {labels}"
    )
    remedy = "decide on one label for each: nobody can learn both"
    repairs = tuple(repair for rows in clusters for repair in _agreed(evidence, rows))
    return [_finding(Severity.WARNING, sentence, remedy, clusters, repairs)]


def _agreed(evidence: Evidence, rows: Rows) -> list[Proposal]:
    """The label of a clear majority for the others; where there is none, all are dropped, as nobody knows which is right."""
    labels = Counter(evidence.dataset.samples[row].labels or () for row in rows)
    usual, n = labels.most_common(1)[0]
    if n < _MAJORITY * len(rows) or not usual:
        return [Proposal(row, "drop") for row in rows]
    others = [row for row in rows if (evidence.dataset.samples[row].labels or ()) != usual]
    return [Proposal(row, "relabel", format_labels(usual)) for row in others]


def _several_splits(evidence: Evidence, clusters: Sequence[Rows]) -> list[Finding]:
    if not clusters:
        return []
    example = clusters[0]
    splits = some(sorted(_splits(evidence, example)))
    sentence = f"{_more_than_once(clusters)} in several splits, such as {evidence.dataset.uris[example[0]]} in {splits}"
    remedy = "move each into one split: a model is judged on what it has seen"
    return [_finding(Severity.ERROR, sentence, remedy, clusters, tuple(_moves(evidence, clusters)))]


def _same_label(evidence: Evidence, clusters: Sequence[Rows]) -> list[Finding]:
    if not clusters:
        return []
    n = sum(len(rows) - 1 for rows in clusters)
    sentence = (
        f"{count(n, 'image')} {'is' if n == 1 else 'are'} hardly changed from others with the same label, such as "
        f"{evidence.dataset.uris[clusters[0][1]]} from {evidence.dataset.uris[clusters[0][0]]}"
    )
    remedy = "keep them in one group, so that no split tears them apart, and drop what is only an edited copy"
    groups = tuple(group for rows in clusters for group in _groups(evidence, rows))
    return [_finding(Severity.NOTE, sentence, remedy, clusters, groups)]


def _finding(
    severity: Severity, sentence: str, remedy: str, clusters: Sequence[Rows], proposals: tuple[Proposal, ...]
) -> Finding:
    return Finding(
        "near_duplicates",
        severity,
        sentence,
        remedy,
        rows=tuple(row for rows in clusters for row in rows),
        clusters=tuple(map(tuple, clusters)),
        figures={"pictures": len(clusters)},
        proposals=proposals,
    )


def _more_than_once(clusters: Sequence[Rows]) -> str:
    is_ = "is" if len(clusters) == 1 else "are"
    return f"{count(len(clusters), 'picture')} {is_} there more than once, hardly changed,"


def _splits(evidence: Evidence, rows: Rows) -> set[str]:
    return {split for row in rows if (split := evidence.dataset.splits[row])}


def _moves(evidence: Evidence, clusters: Sequence[Rows]) -> list[Proposal]:
    """With what shares a file or a declared group with them: else the repair would tear those."""
    number = [-1] * len(evidence)
    for i, rows in enumerate(clusters):
        for row in rows:
            number[row] = i
    together = combine_groups(number, evidence.dataset.ids, evidence.dataset.groups)
    return to_one_split(evidence, together, [row for rows in clusters for row in rows])


def _groups(evidence: Evidence, rows: Rows) -> list[Proposal]:
    """None where the user's own groups say otherwise."""
    known = {group for row in rows if (group := evidence.dataset.groups[row])}
    if len(known) > 1:
        return []
    name = next(iter(known), f"near-{evidence.dataset.ids[rows[0]][:12]}")
    return [Proposal(row, "group", name) for row in rows if evidence.dataset.groups[row] != name]


CHECK = Check("near_duplicates", "Near-duplicates", find, ("embeddings", "look_alikes"))
