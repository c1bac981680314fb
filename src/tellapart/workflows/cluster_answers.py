"""The answers of a model beside the labels that people gave."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.data.labels import format_labels
from tellapart.records import Task
from tellapart.workflows.cluster_source import Pool

Verdict = Literal["right", "wrong", "unknown", "unlabelled"]
UNKNOWN = "(unknown)"


@dataclass(frozen=True, slots=True)
class Told:
    """For each image the answer as one text ("(unknown)" where the model does not answer), its confidence float (n,), 0 to 1,
    and what the label makes of it.
    """

    names: tuple[str, ...]
    confidence: NDArray[np.float64]
    verdicts: tuple[Verdict, ...]

    def counts(self) -> dict[str, int]:
        """Images by verdict."""
        found = Counter(self.verdicts)
        return {name: found[name] for name in ("right", "wrong", "unknown", "unlabelled")}

    @property
    def sentence(self) -> str:
        """The counts in words."""
        n = self.counts()
        return (
            f"{n['right']:,} right, {n['wrong']:,} wrong, {n['unknown']:,} not answered, {n['unlabelled']:,} unlabelled"
        )


def told(pool: Pool) -> Told | None:
    """What the pool's model says of its images; None where there is no model."""
    if pool.answers is None or pool.model is None:
        return None
    exclusive = pool.model.schema.task is not Task.MULTILABEL
    decided, p = pool.answers.decisions, np.asarray(pool.answers.probabilities, np.float64)
    labels = pool.dataset.table["labels"].to_list()
    silent = pool.answers.unknown | (~decided.any(axis=1) & exclusive)
    names: list[str] = []
    verdicts: list[Verdict] = []
    for row, actual in enumerate(labels):
        said = tuple(pool.model.labels[column] for column in np.flatnonzero(decided[row]))
        names.append(UNKNOWN if silent[row] else format_labels(said) if said else "(none)")
        verdicts.append(_verdict(said, actual, bool(silent[row])))
    return Told(tuple(names), p.max(axis=1) if exclusive else np.maximum(p, 1 - p).min(axis=1), tuple(verdicts))


def _verdict(said: tuple[str, ...], actual: list[str] | None, silent: bool) -> Verdict:
    if actual is None:
        return "unlabelled"
    if silent:
        return "unknown"
    return "right" if set(said) == set(actual) else "wrong"
