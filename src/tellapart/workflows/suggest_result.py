"""Suggestions as values, as a list that a person edits, as JSON and as lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.wording import count
from tellapart.data.labels import format_labels
from tellapart.data.repair.applying import keys_of
from tellapart.data.repair.fixes import Fix, write_fixes
from tellapart.heads.acceptance import Acceptance
from tellapart.workflows.embedding import Embedder
from tellapart.workflows.suggest_advice import Advice
from tellapart.workflows.suggest_choice import Choice
from tellapart.workflows.suggest_known import Accepted, Known

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is suggested for one unlabelled image, by its `row` in the data set.

    `labels` are proposed with `confidence` (calibrated, 0 to 1), None while no head could be fitted; `accepted` says
    whether the agreed precision covers them. `rank` 1 is to be labelled first, 0 not now. `unlike` marks an image unlike
    all labelled ones. `why` is for people.
    """

    row: int
    labels: tuple[str, ...] | None
    confidence: float | None
    accepted: bool
    rank: int
    unlike: bool
    why: str


@dataclass(frozen=True, slots=True)
class Suggested:
    """Suggestions for every unlabelled image of `dataset`: those to label first, by rank, then the rest, the surest first.

    `how` they were chosen, what `acceptance` promises (None: nobody asked), and what the `advice` is about going on.
    """

    dataset: Dataset
    suggestions: tuple[Suggestion, ...]
    how: str
    acceptance: Acceptance | None
    advice: Advice
    embedder: Embedder
    seconds: float

    @property
    def to_label(self) -> tuple[Suggestion, ...]:
        """Those to label next, in that order."""
        return tuple(one for one in self.suggestions if one.rank)

    @property
    def accepted(self) -> tuple[Suggestion, ...]:
        """Those whose label the agreed precision covers, the surest first."""
        return tuple(one for one in self.suggestions if one.accepted)

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """What `labels.csv` proposes: a label for every unlabelled image, accepted or for a person to give."""
        keys = keys_of(self.dataset)
        return tuple(
            Fix(
                "relabel",
                *(keys[one.row][0], "" if one.labels is None else format_labels(one.labels)),
                check="suggest",
                why=one.why,
                id=self.dataset.ids[one.row],
                region=keys[one.row][1],
                accept=one.accepted,
            )
            for one in self.suggestions
        )

    def write_fixes(self, path: str | Path) -> tuple[Fix, ...]:
        """Write `labels.csv`, which `data fix` applies once a person edited it, and return what stands in it."""
        fixes = self.fixes
        confidences = ["" if one.confidence is None else f"{one.confidence:.4f}" for one in self.suggestions]
        ranks = [str(one.rank or "") for one in self.suggestions]
        write_fixes(fixes, Path(path), more={"confidence": confidences, "rank": ranks})
        return fixes

    def lines(self) -> list[str]:
        """A short report for a terminal."""
        n, refused = len(self.dataset), len(self.dataset.refusals)
        labelled = n - len(self.suggestions)
        return [
            f"data      {n + refused:,} images seen: {labelled:,} labelled, {n - labelled:,} unlabelled, {refused:,} refused",
            *self._proposed(),
            f"accepted  {self.accepted_sentence}",
            f"to label  {self._chosen}",
            *(f"          {one.rank:>3}  {self.dataset.uris[one.row]}  {one.why}" for one in self.to_label[:_SHOWN]),
            *([f"          … and {len(self.to_label) - _SHOWN:,} more"] if len(self.to_label) > _SHOWN else []),
            f"advice    {self.advice.sentence}",
        ]

    def by_label(self) -> list[tuple[str, int, int]]:
        """For each proposed label (several as one) how often it is proposed and how often accepted, most frequent first."""
        proposed = Counter(format_labels(one.labels) for one in self.suggestions if one.labels is not None)
        accepted = Counter(format_labels(one.labels) for one in self.accepted)
        return [(name, n, accepted[name]) for name, n in sorted(proposed.items(), key=lambda pair: (-pair[1], pair[0]))]

    @property
    def accepted_sentence(self) -> str:
        """What is accepted, and on what grounds."""
        if self.acceptance is None:
            return "none, for no precision was agreed on"
        if not self.acceptance.promised:
            return f"none: {self.acceptance.why_not}"
        one = self.acceptance
        return (
            f"{len(self.accepted):,} of {count(len(self.suggestions), 'image')}, those with a confidence of at least "
            f"{one.threshold:.3f}: of {one.support:,} such answers on held-out images {one.achieved:.3f} were right, which "
            f"promises {one.precision:g}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values; images by uri."""
        return {
            "images": len(self.dataset),
            "unlabelled": len(self.suggestions),
            "refused": [refusal.to_json() for refusal in self.dataset.refusals],
            "how": self.how,
            "acceptance": self._acceptance_json(),
            "advice": {"stop": self.advice.stop, "sentence": self.advice.sentence},
            "suggestions": [self._suggestion_json(one) for one in self.suggestions],
        }

    @property
    def _chosen(self) -> str:
        return f"{count(len(self.to_label), 'image')}: {self.how}" if self.to_label else "none"

    def _proposed(self) -> list[str]:
        told = [f"{name} {n:,}" for name, n, _ in self.by_label()]
        more = [f"{len(told) - _SHOWN:,} more"] if len(told) > _SHOWN else []
        unlike = sum(one.unlike for one in self.suggestions)
        return [
            *([f"proposed  {', '.join(told[:_SHOWN] + more)}"] if told else []),
            *([f"unlike    {count(unlike, 'image')} unlike all labelled ones, never accepted"] if unlike else []),
        ]

    def _acceptance_json(self) -> dict[str, Any] | None:
        one = self.acceptance
        if one is None:
            return None
        return {
            "precision": one.precision,
            "promised": one.promised,
            "threshold": one.threshold if one.promised else None,
            "achieved": None if math.isnan(one.achieved) else one.achieved,
            "support": one.support,
            "accepted": len(self.accepted),
            "why_not": one.why_not,
        }

    def _suggestion_json(self, one: Suggestion) -> dict[str, Any]:
        return {
            "uri": self.dataset.uris[one.row],
            "labels": None if one.labels is None else list(one.labels),
            "confidence": one.confidence,
            "accepted": one.accepted,
            "rank": one.rank or None,
            "unlike": one.unlike,
            "why": one.why,
        }


def suggestions(known: Known, accepted: Accepted, choice: Choice) -> tuple[Suggestion, ...]:
    """One for every unlabelled image, in their order."""
    rank = {row: i for i, row in enumerate(choice.rows.tolist(), 1)}
    reasons = _Reasons(known, accepted, dict(zip(choice.rows.tolist(), choice.why, strict=True)))
    rows = np.flatnonzero(~known.labelled).tolist()
    confidences, unlike = _sureness(known)
    found = [
        Suggestion(
            row,
            None if known.answers is None else tuple(sorted(known.answers.labels(row))),
            None if known.answers is None else confidences[row],
            bool(accepted.rows[row]),
            rank.get(row, 0),
            unlike[row],
            reasons.of(row),
        )
        for row in rows
    ]
    return tuple(sorted(found, key=_order))


def _sureness(known: Known) -> tuple[list[float], list[bool]]:
    """Confidence of each image, and whether it is unlike the labelled ones; nothing without a head."""
    if known.answers is None:
        return [], [False] * len(known.things)
    return known.answers.confidences.astype(float).tolist(), known.answers.unlike.tolist()


def _order(one: Suggestion) -> tuple[float, ...]:
    return one.rank or math.inf, -(one.confidence or 0), one.row


class _Reasons:
    """Why each image is to be labelled, accepted, or neither."""

    def __init__(self, known: Known, accepted: Accepted, chosen: dict[int, str]) -> None:
        self._known, self._accepted, self._chosen = known, accepted, chosen
        self._labelled_twin = known.twins()
        self._chosen_twin = {int(known.things[row]): row for row in chosen}

    def of(self, row: int) -> str:
        """For people, in a few words."""
        return "; ".join(self._parts(row))

    def _parts(self, row: int) -> Iterator[str]:
        samples, thing = self._known.images.dataset.samples, int(self._known.things[row])
        answers = self._known.answers
        if row in self._chosen:
            yield self._chosen[row]
        elif self._accepted.rows[row] and self._accepted.by is not None:
            yield f"sure enough for a precision of {self._accepted.by.precision:g}"
        if answers is not None and answers.unlike[row]:
            yield "unlike all labelled images"
        if (twin := self._labelled_twin.get(thing)) is not None:
            yield f"near-duplicate of {samples[twin].uri}, labelled {format_labels(samples[twin].labels)}"
        elif row not in self._chosen and (twin := self._chosen_twin.get(thing)) is not None:
            yield f"near-duplicate of {samples[twin].uri}, which is to be labelled"
