"""What a change of classes does: the same images answered before and after, none of which taught either head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.compare import Comparison, compare
from tellapart.evaluation.scored import score
from tellapart.workflows.classes.history import Mapped
from tellapart.workflows.classes.state import Bools, HeldOut, Ints, State, names_of

EXAMPLES = 5
"""Images of a class that a change would cost, at most so many named."""
_METRICS = ("accuracy", "f1_macro")


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
    comparisons: Mapping[str, Comparison]
    classes: tuple[ClassEffect, ...]

    def to_json(self) -> dict[str, Any]:
        """`{"judged_on": …, "n": …, "accuracy": {"before": …, "after": …, "difference": …, "low": …, "high": …}, …}`."""
        value: dict[str, Any] = {"judged_on": self.judged_on, "n": self.n}
        for name, found in self.comparisons.items():
            value[name] = {
                "before": found.first,
                "after": found.second,
                "difference": found.difference.value,
                "low": found.difference.low,
                "high": found.difference.high,
            }
        return {**value, "classes": [one.to_json() for one in self.classes]}


def effect(before: State, after: State, mapping: Mapped, *, seed: int = 0) -> Effect:
    """Judge both on the held-out images of `after` whose class was there before.

    Old answers are read in new terms by `mapping` (label ids): of classes that were merged any counts as the one, an answer
    that has no successor, or several, counts as "unknown".
    """
    held = after.held_out
    columns = after.rows.columns(after.schema)[held.rows]
    old, usable = _old_answers(before, after, mapping)
    both = usable & np.isin(columns, _known_columns(before, after, mapping))
    classes = _by_class(after, held, columns, old, both)
    comparisons = {} if not both.any() else _compared(after, held, columns, old, both, seed)
    return Effect(held.judged_on, int(both.sum()), comparisons, classes)


def _known_columns(before: State, after: State, mapping: Mapped) -> Ints:
    """Columns of after that were there before, alone or in parts."""
    here = {label.id: column for column, label in enumerate(after.schema.labels)}
    ids = [became[0] for label in before.schema.labels if len(became := mapping.get(label.id, ())) == 1]
    return np.array(sorted({here[one] for one in ids if one in here}), np.int64)


def _old_answers(before: State, after: State, mapping: Mapped) -> tuple[Bools, Bools]:
    """The old model's decisions (m, k) in the columns of after, and bool (m,) where it has not learned from the image."""
    held, rows = after.held_out, after.rows
    place = np.cumsum(rows.has_vector) - 1
    decisions = before.classifier.answer(rows.embeddings[place[held.rows]]).decisions
    test = ~rows.teaches[held.rows]
    usable = test.copy()
    if not test.all():
        _put_crossed(before, rows.table["row"].to_numpy()[held.rows], ~test, decisions, usable)
    return decisions @ _columns_of(before, after, mapping) > 0, usable


def _put_crossed(before: State, numbers: Ints, crossed: Bools, decisions: Bools, usable: Bools) -> None:
    """Where an image taught, the answer of the head that was fitted without its fold, as far as there is one."""
    was = before.held_out
    at = {int(number): i for i, number in enumerate(before.rows.table["row"].to_numpy()[was.rows])}
    for i in np.flatnonzero(crossed):
        found = at.get(int(numbers[i]))
        if found is not None:
            decisions[i], usable[i] = was.decisions[found], True


def _columns_of(before: State, after: State, mapping: Mapped) -> NDArray[np.int64]:
    """0/1 (k before, k after): which answer an answer became."""
    matrix = np.zeros((len(before.schema.labels), len(after.schema.labels)), np.int64)
    here = {label.id: column for column, label in enumerate(after.schema.labels)}
    for column, label in enumerate(before.schema.labels):
        became = [one for one in mapping.get(label.id, ()) if one in here]
        if len(became) == 1:
            matrix[column, here[became[0]]] = 1
    return matrix


def _by_class(after: State, held: HeldOut, columns: Ints, old: Bools, both: Bools) -> tuple[ClassEffect, ...]:
    counts, at = after.rows.counts(after.schema), np.arange(len(columns))
    was, now = old[at, columns] & both, held.decisions[at, columns]
    found = []
    for column, name in enumerate(after.schema.names):
        own, shared = columns == column, (columns == column) & both
        n, n_shared = int(own.sum()), int(shared.sum())
        lost = shared & was & ~now
        found.append(
            ClassEffect(
                label=name,
                images=counts[name],
                held_out=n,
                recall_before=float(was[shared].mean()) if n_shared else None,
                recall_after=float(now[own].mean()) if n else None,
                compared=n_shared,
                lost=int(lost.sum()),
                won=int((shared & ~was & now).sum()),
                examples=_examples(after, held, old, lost, shared & (was == now)),
            )
        )
    return tuple(found)


def _examples(after: State, held: HeldOut, old: Bools, lost: Bools, wrong: Bools) -> tuple[Example, ...]:
    """Images that were answered rightly and are not any more, then those that are wrong in another way."""
    other = wrong & (old != held.decisions).any(axis=1)
    chosen = [*np.flatnonzero(lost).tolist(), *np.flatnonzero(other).tolist()][:EXAMPLES]
    uris, schema = after.rows.table["uri"], after.schema
    return tuple(
        Example(
            str(uris[int(held.rows[i])]),
            after.rows.ids[int(held.rows[i])],
            names_of(schema, old[i]),
            names_of(schema, held.decisions[i]),
        )
        for i in chosen
    )


def _compared(after: State, held: HeldOut, columns: Ints, old: Bools, both: Bools, seed: int) -> dict[str, Comparison]:
    """Paired intervals over the images that both answered; groups of look-alikes count as one."""
    answers = held.probabilities[both]
    first, second = (
        score(answers, columns[both], after.schema, decisions=decided[both]) for decided in (old, held.decisions)
    )
    groups = [str(group) for group in after.rows.groups[held.rows][both]]
    names = ("before", "after")
    return {metric: compare(first, second, metric=metric, names=names, groups=groups, seed=seed) for metric in _METRICS}
