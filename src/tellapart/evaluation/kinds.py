"""How well each kind of anomaly is found: every defect against all good images, and the false alarms among these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.evaluation import spoken
from tellapart.evaluation.intervals import Estimate, estimate_all, wilson
from tellapart.evaluation.markup import paragraph, section, table, text
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.mistakes import LIMIT, Case
from tellapart.evaluation.plain import to_plain
from tellapart.evaluation.scored import Bools, Floats, Scored, score
from tellapart.evaluation.units import units_of
from tellapart.evaluation.wording import percent
from tellapart.records import LabelSchema

_RESAMPLES = 300
_METRICS = ("roc_auc", "average_precision", "recall")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of anomaly against all good images: `recall` is the share of its `n` images that raised an alarm."""

    name: str
    n: int
    roc_auc: Estimate
    average_precision: Estimate
    recall: Estimate


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds, most images first, and the share of the `n_good` good images that raised an alarm.

    `found` are some of the anomalies that did, the surest first, for a gallery.
    """

    kinds: tuple[Kind, ...]
    n_good: int
    false_alarms: Estimate
    found: tuple[Case, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """For a terminal."""
        alarms = f"{'false alarms':<24}{spoken(self.false_alarms)} of {self.n_good:,} good images"
        found = [
            f"{one.name:<24}AUROC {spoken(one.roc_auc)}, found {percent(one.recall.value or 0.0)} of {one.n:,}"
            for one in self.kinds
        ]
        return (alarms, *found)

    def to_json(self) -> dict[str, Any]:
        """Plain values, by the names of the fields."""
        return {"kinds": [to_plain(one) for one in self.kinds], "n_good": self.n_good,
                "false_alarms": to_plain(self.false_alarms)}  # fmt: skip


def by_kind(
    probabilities: Floats,
    targets: NDArray[np.integer[Any]],
    schema: LabelSchema,
    kinds: Sequence[str | None],
    *,
    decisions: Bools,
    groups: Sequence[str | None] | None = None,
    uris: Sequence[str] | None = None,
    seed: int = 0,
) -> Kinds:
    """Judge each kind of the positive label's images; the arguments are those of `evaluate`, `kinds` one name per image."""
    scored = score(probabilities, targets, schema, decisions=decisions)
    unit = units_of(groups, len(scored))
    positive = schema.index(schema.positive or "")
    bad = np.asarray(targets) == positive
    names = np.array(["" if name is None else name for name in kinds], dtype=object)
    ranked = [
        _kind(scored, name, ~bad | (bad & (names == name)), int((bad & (names == name)).sum()), unit, seed)
        for name in sorted(set(names[bad].tolist()))
    ]
    alarms = Estimate(None, None, None, 0)
    if not bad.all():
        alarms = _false_alarms(decisions[~bad, positive], None if unit is None else unit[~bad])
    found = bad & decisions[:, positive]
    surest = np.flatnonzero(found)[np.argsort(-probabilities[found, positive], kind="stable")][:LIMIT]
    cases = tuple(
        Case(int(row), uris[row] if uris else "", (names[row] or schema.names[positive],), (schema.names[positive],),
             float(probabilities[row, positive]), 0.0)
        for row in surest
    )  # fmt: skip
    return Kinds(tuple(sorted(ranked, key=lambda one: (-one.n, one.name))), int((~bad).sum()), alarms, cases)


def _kind(scored: Scored, name: str, rows: Bools, n: int, unit: Any, seed: int) -> Kind:
    own = None if unit is None else np.unique(unit[rows], return_inverse=True)[1].astype(np.int64)
    measurer = Measurer.of(scored.subset(np.flatnonzero(rows)), unit=own, ranking=True)
    values = [
        estimate_all(measurer, seed=seed, n_resamples=_RESAMPLES, only=metric).overall.get(metric)
        for metric in _METRICS
    ]
    nothing = Estimate(None, None, None, n)
    auroc, precision, recall = (nothing if value is None else value for value in values)
    return Kind(name, n, auroc, precision, recall)


def _false_alarms(alarms: Bools, unit: Any) -> Estimate:
    """The share with its Wilson interval; a group counts as one image."""
    value = float(alarms.mean())
    n_groups = None if unit is None else len(np.unique(unit))
    low, high = wilson(value, float(n_groups or len(alarms)), 1.959964)
    return Estimate(value, low, high, len(alarms), n_groups, "wilson")


def kinds_section(found: Kinds) -> str:
    """For the report."""
    rows = [
        [text(one.name or "(unnamed)"), text(spoken(one.roc_auc)), text(spoken(one.average_precision)),
         text(spoken(one.recall)), f"{one.n:,}"]
        for one in found.kinds
    ]  # fmt: skip
    heads = ["Kind", "AUROC against good", "Average precision", "Found", "Images"]
    intro = (
        f"Each kind of anomaly against the {found.n_good:,} good images. Share of good images that raised an alarm: "
        f"{spoken(found.false_alarms)}."
    )
    shown = table("Anomalies by kind", heads, rows, numeric=[4]) if rows else ""
    return section("kinds", "Kinds of anomalies", paragraph(intro), shown)
