"""One evaluation: every number with its interval, curves, slices, advice and the images worth a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason
from tellapart.evaluation.advice import Advice, advise
from tellapart.evaluation.curves import Confusion, Curves, confusion, curves
from tellapart.evaluation.intervals import LEVEL, Estimate, Estimates, estimate_all
from tellapart.evaluation.metrics import Measurer
from tellapart.evaluation.mistakes import Cases, cases
from tellapart.evaluation.plain import from_plain, to_plain
from tellapart.evaluation.scored import Bools, Floats, Scored, score
from tellapart.evaluation.slices import Slice, slices
from tellapart.evaluation.units import units_of
from tellapart.evaluation.wording import percent
from tellapart.records import LabelSchema

FORMAT = "tellapart-evaluation"
VERSION = 1


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One class: images that carry it (`support`), images answered with it (`predicted`), metrics by name."""

    label: str
    support: int
    predicted: int
    metrics: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known about a model's answers on one data set; plain values only, made by `evaluate`.

    `level` is the coverage of all intervals, `n_groups` the number of independent groups (None: every image counts),
    `headline_metric` the key of the metric to trust for this data.
    """

    task: str
    labels: tuple[str, ...]
    positive: str | None
    n: int
    n_groups: int | None
    level: float
    n_resamples: int
    seed: int
    headline_metric: str
    metrics: dict[str, Estimate]
    per_class: tuple[ClassMetrics, ...]
    advice: Advice
    confusion: Confusion | None
    curves: Curves
    slices: tuple[Slice, ...]
    cases: Cases

    @property
    def headline(self) -> Estimate:
        """The metric to trust with its interval; its name is `headline_metric`."""
        return self.metrics[self.headline_metric]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; keys are the field names (docs/evaluation.md), None stands for NaN."""
        return {"format": FORMAT, "version": VERSION, **to_plain(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evaluation:
        """Inverse of `to_json`.

        Raises:
            DataError: dataset_format when the value is not an evaluation or was written by a newer version.
        """
        if value.get("format") != FORMAT or value.get("version") != VERSION:
            found = f"format {value.get('format')!r}, version {value.get('version')!r}"
            message = (
                f"not an evaluation that this tellapart can read: expected {FORMAT!r}, version {VERSION}, got {found}"
            )
            raise DataError(Reason.DATASET_FORMAT, message)
        try:
            return from_plain(cls, value)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            message = (
                f"the evaluation is damaged ({type(exc).__name__}: {exc}); write it anew with `tellapart evaluate`"
            )
            raise DataError(Reason.DATASET_FORMAT, message) from exc

    def summary(self) -> tuple[str, ...]:
        """Short lines for a terminal, the metric to trust first."""
        names = list(dict.fromkeys([self.headline_metric, *self.advice.also, "accuracy", "f1_macro", "ece"]))
        behind = f"{self.n:,} images" + ("" if self.n_groups is None else f" in {self.n_groups:,} groups")
        lines = [f"{name:<24}{spoken(self.metrics[name])}" for name in names if name in self.metrics]
        lines[0] += f"   ← trust this one ({behind})"
        coverage = self.metrics.get("coverage")
        if coverage is not None and coverage.value is not None and coverage.value < 1:
            lines.append(f"{'answered':<24}{percent(coverage.value)} of the images; the rest is unknown")
        lines.extend(f"low in {s.column} = {s.value}: {s.metric} {spoken(s.estimate)}" for s in self.slices if s.below)
        return tuple(lines)


def spoken(estimate: Estimate) -> str:
    """`0.912 (0.88–0.94)`, or what is missing."""
    if estimate.value is None:
        return "not measurable here"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f} (no interval)"
    return f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def evaluate(
    probabilities: Floats,
    targets: NDArray[np.integer[Any]],
    schema: LabelSchema,
    *,
    decisions: Bools | None = None,
    ood_scores: Floats | None = None,
    groups: Sequence[str | None] | None = None,
    metadata: Mapping[str, Sequence[str]] | None = None,
    uris: Sequence[str] | None = None,
    costs: Floats | None = None,
    ranks: bool = False,
    seed: int = 0,
) -> Evaluation:
    """Evaluate answers on labelled images.

    Args:
        probabilities: (n, k) calibrated, columns in the order of `schema`.
        targets: int (n,) columns of the true labels, or 0/1 (n, k) for a multi-label task.
        schema: task, names, and for a binary task the positive class.
        decisions: bool (n, k) after thresholds; a row of an exclusive task with none set is "unknown". None takes the
            most likely label (multi-label: p ≥ 0.5).
        ood_scores: (n,) distance from the training images; ranks the unknowns.
        groups: what was drawn independently (part, camera, day), one per image; intervals resample these.
        metadata: columns of n values each; each becomes a set of slices.
        uris: (n,) where each image came from, for the gallery.
        costs: see `score`.
        ranks: the threshold was set for a rate of false alarms: the ranking is what to trust (binary tasks).
        seed: of the bootstrap; the same seed gives the same intervals.

    Raises:
        TrainingError: no_test_data.
        DataError: label_conflict when shapes or values contradict each other.
    """
    scored = score(probabilities, targets, schema, decisions=decisions, costs=costs)
    columns = dict(metadata or {})
    _check_lengths(len(scored), {"ood_scores": ood_scores, "uris": uris, **columns})
    unit = units_of(groups, len(scored))
    measurer = Measurer.of(scored, unit=unit)
    found = estimate_all(measurer, seed=seed)
    advice = advise(scored, ranks=ranks)
    parts = slices(
        scored, columns, metric=advice.headline, overall=found.overall[advice.headline], unit=unit, seed=seed
    )
    return Evaluation(
        task=schema.task.value,
        labels=schema.names,
        positive=schema.positive,
        n=len(scored),
        n_groups=None if unit is None else measurer.n_units,
        level=LEVEL,
        n_resamples=found.n_resamples,
        seed=seed,
        headline_metric=advice.headline,
        metrics=found.overall,
        per_class=_class_by_class(scored, found),
        advice=advice,
        confusion=confusion(scored) if scored.exclusive else None,
        curves=curves(scored),
        slices=parts,
        cases=cases(scored, uris=uris, ood_scores=ood_scores),
    )


def _class_by_class(scored: Scored, found: Estimates) -> tuple[ClassMetrics, ...]:
    supports, answers = scored.targets.sum(axis=0).tolist(), scored.decided.sum(axis=0).tolist()
    return tuple(
        ClassMetrics(name, supports[j], answers[j], {metric: values[j] for metric, values in found.per_class.items()})
        for j, name in enumerate(scored.schema.names)
    )


def _check_lengths(n: int, columns: Mapping[str, Sequence[Any] | Floats | None]) -> None:
    for name, values in columns.items():
        if values is not None and len(values) != n:
            raise DataError(Reason.LABEL_CONFLICT, f"{name} wants one entry per image, {n}, got {len(values)}")
