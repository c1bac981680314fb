"""Shortcuts: the label can be told without looking at what is shown, and so a model would tell it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.groups import combine_groups
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Severity
from tellapart.data.hygiene.shortcut_sources import Source, sources
from tellapart.data.hygiene.told_by import Told, told_by
from tellapart.data.hygiene.wording import percent, some

# The lower limit of a balanced accuracy. By nature it is at most 0.70 for one class of CIFAR-10 against the rest, 0.77 for one
# against another; under a lamp over one class 0.84, although one label in ten is wrong and one image in ten was not under it.
_SHORTCUT = 0.8
_ENOUGH = 20


def find(evidence: Evidence) -> list[Finding]:
    """One finding for each source that tells a label, the labels it tells best first."""
    if len(evidence) < _ENOUGH or (evidence.exclusive and len(evidence.schema.names) < 2):
        return []
    groups = combine_groups(evidence.dataset.ids, evidence.dataset.groups)
    judged = [(source, told_by(source.features, evidence.labels, groups)) for source in sources(evidence)]
    # A lamp lights the border, too: of what is measured on the same pixels the clearest is told.
    best = np.max([told.accuracy for source, told in judged if source.of_pixels], axis=0, initial=0)
    return [
        found
        for source, told in judged
        for found in _told(evidence, source, told, told.accuracy >= (best if source.of_pixels else 0))
    ]


def _told(evidence: Evidence, source: Source, told: Told, clearest: NDArray[np.bool_]) -> list[Finding]:
    columns = [column for column in _asked(evidence) if clearest[column] and told.low[column] >= _SHORTCUT]
    if not columns:
        return []
    columns.sort(key=lambda column: -told.accuracy[column])
    first, names = columns[0], [evidence.schema.names[column] for column in columns]
    given_away = np.flatnonzero(told.hits[:, first] & (evidence.labels[:, first] == 1))
    return [
        Finding(
            "shortcuts",
            Severity.WARNING,
            f"{source.name} alone tells {some(names)} from {_others(evidence)}, {percent(told.accuracy[first])} right "
            "where guessing has 50 %: a model may learn that instead of what is shown",
            source.remedy,
            rows=tuple(given_away.tolist()),
            figures={"balanced_accuracy": float(told.accuracy[first]), "labels": len(columns)},
        )
    ]


def _asked(evidence: Evidence) -> list[int]:
    """Columns to tell from the rest; of two classes only the one that is looked for, for the other is the rest."""
    positive = evidence.schema.positive
    return [evidence.schema.index(positive)] if positive is not None else list(range(evidence.labels.shape[1]))


def _others(evidence: Evidence) -> str:
    positive = evidence.schema.positive
    return "the rest" if positive is None else some([name for name in evidence.schema.names if name != positive])


CHECK = Check("shortcuts", "Shortcuts", find)
