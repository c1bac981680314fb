"""What a change of classes does: the same images answered before and after, none of which taught either head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tellapart.evaluation.paired import UNKNOWN, Paired, paired
from tellapart.workflows.classes.history import Mapped
from tellapart.workflows.classes.rows import ROW
from tellapart.workflows.classes.state import Bools, Ints, State

EXAMPLES = 5
"""Images of a class that a change would cost, at most so many named."""


MANY = 40
"""Of more classes a history and a terminal tell only those that change."""


@dataclass(frozen=True, slots=True)
class Example:
    """An image whose answer changes: `before` and `after` are label names or "unknown", in the terms of after."""

    uri: str
    id: str
    before: str
    after: str

    def to_json(self) -> dict[str, str]:
        """By field name."""
        return {"uri": self.uri, "id": self.id, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class ClassEffect:
    """One class: `images` known of it, `held_out` that judge; recall before (None: there was no such class) and after.

    Of `compared` images that both heads answered, `lost` were right before and are not after, `won` the other way.
    """

    label: str
    images: int
    held_out: int
    recall_before: float | None
    recall_after: float | None
    compared: int
    lost: int
    won: int
    examples: tuple[Example, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """By field name."""
        value = {name: getattr(self, name) for name in self.__slots__ if name != "examples"}
        return {**value, "examples": [one.to_json() for one in self.examples]}


@dataclass(frozen=True, slots=True)
class Effect:
    """Figures of a change; `comparisons` by metric (empty where no image judges both), over `n` images in both's terms."""

    judged_on: str
    n: int
    comparisons: Mapping[str, Paired]
    classes: tuple[ClassEffect, ...]

    def moved(self) -> Effect:
        """Of many classes only those that are new or answer otherwise."""
        if len(self.classes) <= MANY:
            return self
        return replace(self, classes=tuple(one for one in self.classes if one.lost or one.won or not one.compared))

    def to_json(self) -> dict[str, Any]:
        """`{"judged_on": …, "n": …, "accuracy": {"before": …, "after": …, "difference": …, "low": …, "high": …}, …}`."""
        value: dict[str, Any] = {"judged_on": self.judged_on, "n": self.n}
        for name, found in self.comparisons.items():
            value[name] = {
                "before": found.before,
                "after": found.after,
                "difference": found.difference.value,
                "low": found.difference.low,
                "high": found.difference.high,
            }
        return {**value, "classes": [one.to_json() for one in self.classes]}


@dataclass(frozen=True, slots=True)
class _Answered:
    """Held-out images of after: `rows` int64 (m,) of its `Rows`, and columns int64 (m,) of the truth and of both answers.

    Both are in the terms of after, `UNKNOWN` for none; `both` bool (m,) are those that the old head has answered too, and
    not learned from.
    """

    rows: Ints
    truth: Ints
    before: Ints
    after: Ints
    both: Bools


def effect(before: State, after: State, mapping: Mapped, *, seed: int = 0) -> Effect:
    """Judge both on the held-out images of `after` whose class was there before.

    Old answers are read in new terms by `mapping` (label ids): of classes that were merged any counts as the one, an answer
    that has no successor, or several, counts as "unknown".
    """
    held = after.held_out
    truth = after.rows.columns(after.schema)[held.rows]
    became = _became(before, after, mapping)
    old, usable = _old_answers(before, after)
    old = np.where(old == UNKNOWN, UNKNOWN, became[old])
    both = usable & np.isin(truth, became[became >= 0])
    found = _Answered(held.rows, truth, old, columns_of(held.decisions), both)
    return Effect(held.judged_on, int(both.sum()), _compared(after, found, seed), _by_class(after, found))


def columns_of(decisions: Bools) -> Ints:
    """Column of the one label that each row of decisions (m, k) gives, `UNKNOWN` for none."""
    return np.where(decisions.any(axis=1), decisions.argmax(axis=1), UNKNOWN)


def _became(before: State, after: State, mapping: Mapped) -> Ints:
    """Column of after that each column of before became (k,), `UNKNOWN` for several or none."""
    here = {label.id: column for column, label in enumerate(after.schema.labels)}
    ids = [mapping.get(label.id, ()) for label in before.schema.labels]
    return np.array([here.get(one[0], UNKNOWN) if len(one) == 1 else UNKNOWN for one in ids], np.int64)


def _old_answers(before: State, after: State) -> tuple[Ints, Bools]:
    """Columns of the old model's answers (m,), and bool (m,) where it has not learned from the image."""
    held, rows = after.held_out, after.rows
    place = np.cumsum(rows.has_vector) - 1
    answers = columns_of(before.classifier.answer(rows.embeddings[place[held.rows]]).decisions)
    test = ~rows.teaches[held.rows]
    usable = test.copy()
    if not test.all():
        _put_crossed(before, rows.table[ROW].to_numpy()[held.rows], ~test, answers, usable)
    return answers, usable


def _put_crossed(before: State, numbers: Ints, crossed: Bools, answers: Ints, usable: Bools) -> None:
    """Where an image taught, the answer of the head that was fitted without its fold, as far as there is one."""
    known = set(before.rows.table[ROW].to_list())
    if not any(int(numbers[i]) in known for i in np.flatnonzero(crossed)):
        return  # all of them are new: the old head need not be fitted again
    was = before.held_out
    at = {int(number): i for i, number in enumerate(before.rows.table[ROW].to_numpy()[was.rows])}
    said = columns_of(was.decisions)
    for i in np.flatnonzero(crossed):
        found = at.get(int(numbers[i]))
        if found is not None:
            answers[i], usable[i] = said[found], True


def _by_class(after: State, found: _Answered) -> tuple[ClassEffect, ...]:
    counts = after.rows.counts(after.schema)
    order = np.argsort(found.truth, kind="stable")
    ends = np.searchsorted(found.truth[order], np.arange(len(after.schema.labels) + 1))
    return tuple(
        _class_effect(after, found, name, counts[name], order[ends[column] : ends[column + 1]])
        for column, name in enumerate(after.schema.names)
    )


def _class_effect(after: State, found: _Answered, name: str, images: int, own: Ints) -> ClassEffect:
    """Of the class whose images are at `own`."""
    shared = own[found.both[own]]
    was, now = found.before[shared] == found.truth[shared], found.after[shared] == found.truth[shared]
    lost = shared[was & ~now]
    other = shared[~was & ~now & (found.before[shared] != found.after[shared])]
    right = found.after[own] == found.truth[own]
    return ClassEffect(
        label=name,
        images=images,
        held_out=len(own),
        recall_before=float(was.mean()) if len(shared) else None,
        recall_after=float(right.mean()) if len(own) else None,
        compared=len(shared),
        lost=len(lost),
        won=int((~was & now).sum()),
        examples=_examples(after, found, [*lost.tolist(), *other.tolist()][:EXAMPLES]),
    )


def _examples(after: State, found: _Answered, chosen: list[int]) -> tuple[Example, ...]:
    """The lost ones come first, then those that are wrong in another way."""
    uris, labels = after.rows.table["uri"], after.schema.labels

    def named(column: int) -> str:
        return "unknown" if column == UNKNOWN else labels[column].name

    return tuple(
        Example(
            str(uris[int(found.rows[i])]),
            after.rows.ids[int(found.rows[i])],
            named(int(found.before[i])),
            named(int(found.after[i])),
        )
        for i in chosen
    )


def _compared(after: State, found: _Answered, seed: int) -> dict[str, Paired]:
    """Paired intervals over the images that both answered; groups of look-alikes count as one."""
    both = found.both
    if not both.any():
        return {}
    groups = [str(group) for group in after.rows.groups[found.rows][both]]
    k = len(after.schema.labels)
    results = paired(found.truth[both], found.before[both], found.after[both], n_classes=k, groups=groups, seed=seed)
    return {one.metric: one for one in results}
