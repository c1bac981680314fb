"""Classes so unequal in size that the share of right answers says little."""

from __future__ import annotations

import numpy as np

from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Severity
from tellapart.data.hygiene.wording import percent

# From ten to one, always answering the larger of two classes is right nine times in ten; from a hundred to one, a
# batch or a fold of a hundred images has, by chance, often none of the smaller.
_UNEQUAL, _EXTREME = 10, 100


def find(evidence: Evidence) -> list[Finding]:
    """The largest class against the smallest; of several labels per image also one that hardly an image is without."""
    totals = evidence.labels.sum(axis=0, dtype=np.int64)
    found = [] if evidence.exclusive else _always(evidence, totals.tolist())
    present = np.flatnonzero(totals)
    if len(present) < 2:
        return found
    large, small = present[totals[present].argmax()], present[totals[present].argmin()]
    ratio = float(totals[large] / totals[small])
    return [*found, _unequal(evidence, int(large), int(small), ratio)] if ratio >= _UNEQUAL else found


def _unequal(evidence: Evidence, large: int, small: int, ratio: float) -> Finding:
    totals, names = evidence.labels.sum(axis=0, dtype=np.int64), evidence.schema.names
    sentence = (
        f"{names[large]!r} has {totals[large]:,} images, {ratio:,.0f} times as many as {names[small]!r} with "
        f"{totals[small]:,}"
    )
    if evidence.exclusive:
        sentence += (
            f": always answering {names[large]!r} would be right on {percent(totals[large] / len(evidence))} of all"
        )
    return Finding(
        "imbalance",
        Severity.WARNING if ratio >= _EXTREME else Severity.NOTE,
        sentence,
        f"judge by balanced accuracy or recall per class, not by accuracy, and add images of {names[small]!r}",
        rows=tuple(np.flatnonzero(evidence.labels[:, small]).tolist()),
        figures={"ratio": ratio},
    )


def _always(evidence: Evidence, totals: list[int]) -> list[Finding]:
    """Labels of which hardly an image is free: there is nothing to tell them from."""
    without = [len(evidence) - total for total in totals]
    return [
        Finding(
            "imbalance",
            Severity.WARNING,
            f"{name!r} is on {total:,} of {len(evidence):,} images: hardly any shows what its absence looks like",
            "add images without it, or leave the label out",
            rows=tuple(np.flatnonzero(evidence.labels[:, column] == 0).tolist()),
            figures={"without": left},
        )
        for column, (name, total, left) in enumerate(zip(evidence.schema.names, totals, without, strict=True))
        if total > _EXTREME * left
    ]


CHECK = Check("imbalance", "Imbalance", find)
