"""The card, the evaluation and the report of a model whose classes have changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.evaluation.evaluation import Evaluation, evaluate
from tellapart.evaluation.intervals import wilson
from tellapart.evaluation.report import Background
from tellapart.records import LabelSchema
from tellapart.workflows.classes.live import Live
from tellapart.workflows.classes.rows import ROW
from tellapart.workflows.classes.state import HeldOut, State
from tellapart.workflows.costs import cost_matrix
from tellapart.workflows.report import counts_by_split, render, warnings_of

if TYPE_CHECKING:
    from tellapart.workflows.classes.change import Draft, How

# Images times classes that an evaluation with all of its intervals and curves takes, at most: more would take minutes.
_MOST_ANSWERS = 5_000_000
MANY_CLASSES = 1000
"""Of more there is no evaluation and no report: a table of what is taken for what would have millions of cells."""


def described(live: Live, after: State, draft: Draft, number: int, how: How) -> Classifier:
    """The classifier of `after` with its card, evaluation and report; its golden answers and reference are the old ones."""
    held = _affordable(after.held_out, len(after.schema.labels))
    judged = _judged(after, held, draft, how)
    judgeable = len(held.rows) > 0 and len(after.schema.labels) <= MANY_CLASSES
    evaluation = _evaluated(after, held) if judgeable else None
    card = after.classifier.card
    training = {**card.training, **training_facts(live, after, number), "summary": _summary(after, draft, number)}
    classifier = after.classifier.with_card(
        data=_data_facts(card.data, after, draft), training=training, metrics=_metrics(evaluation, after)
    )
    enclosures = replace(live.classifier.enclosures, evaluation=b"", report=b"")
    if evaluation is None:
        return classifier.enclosing(enclosures)
    background = Background(
        splits=counts_by_split(
            after.rows.dataset(after.schema, range(len(after.rows)), None), after.rows.splits.tolist()
        ),
        refusals=draft.refusals,
        notes=warnings_of([*classifier.card.data["summary"], *training["summary"]]),
        reproduce=[f"tellapart evaluate {card.name} DATA --split test"],
    )
    report = render(classifier, evaluation, judged, title=card.name, background=background)
    return classifier.enclosing(replace(enclosures, evaluation=report.evaluation, report=report.html))


def _affordable(held: HeldOut, n_classes: int) -> HeldOut:
    """All of them, or as many drawn evenly as there is time for: with thousands of classes."""
    most = max(_MOST_ANSWERS // n_classes, 1)
    if len(held.rows) <= most:
        return held
    chosen = np.sort(np.random.default_rng(0).permutation(len(held.rows))[:most])
    scores = None if held.ood_scores is None else held.ood_scores[chosen]
    return replace(
        held,
        rows=held.rows[chosen],
        probabilities=held.probabilities[chosen],
        decisions=held.decisions[chosen],
        ood_scores=scores,
    )


def _judged(after: State, held: HeldOut, draft: Draft, how: How) -> Dataset:
    """The images that judge; those that came with this change lie where they were read."""
    import polars as pl

    dataset = after.rows.dataset(after.schema, held.rows.tolist(), None)
    root = how.pictures or Path()
    numbers = after.rows.table[ROW].gather(held.rows).to_list()
    uris = [draft.paths.get(row) or str(root / uri) for row, uri in zip(numbers, dataset.uris, strict=True)]
    return replace(dataset, table=dataset.table.with_columns(pl.Series("uri", uris)))


def _metrics(evaluation: Evaluation | None, after: State) -> dict[str, Any]:
    """The card's figures."""
    if evaluation is None:
        return {"summary": [_one_figure(after)]}
    value = evaluation.to_json()
    return {"headline": value["headline_metric"], "summary": list(evaluation.summary()), **value["metrics"]}


def _one_figure(after: State) -> str:
    """What is said without an evaluation."""
    held = after.held_out
    if not len(held.rows):
        return "not measured: no image is left to judge on"
    right = held.decisions[np.arange(len(held.rows)), after.rows.columns(after.schema)[held.rows]]
    low, high = wilson(float(right.mean()), len(right), 1.96)
    return (
        f"{'accuracy':<24}{right.mean():.3f} ({low:.3f}–{high:.3f}) on {len(right):,} images; of more than {MANY_CLASSES:,} "
        "classes nothing else is told"
    )


def _evaluated(after: State, held: HeldOut) -> Evaluation:
    schema, classifier = after.schema, after.classifier
    return evaluate(
        held.probabilities,
        after.rows.columns(schema)[held.rows],
        schema,
        decisions=held.decisions,
        ood_scores=held.ood_scores,
        groups=[str(group) for group in after.rows.groups[held.rows]],
        uris=after.rows.table["uri"].gather(held.rows).to_list(),
        costs=cost_matrix(classifier.thresholds.aim, schema),
        seed=int(classifier.card.training.get("seed", 0)),
    )


def training_facts(live: Live, after: State, number: int) -> dict[str, Any]:
    """What the card tells of the training that has changed."""
    splits = Counter(after.rows.splits.tolist())
    return {
        "version": number,
        "parent": live.classifier.card.model_id,
        "judged_on": after.held_out.judged_on,
        "folds": after.probe.n_folds,
        "splits": {name: splits[name] for name in ("train", "val", "test") if name in splits},
        "groups": len(np.unique(after.rows.groups)),
    }


def _summary(after: State, draft: Draft, number: int) -> list[str]:
    splits = Counter(after.rows.splits.tolist())
    sizes = ", ".join(f"{splits[name]:,} {name}" for name in ("train", "val", "test") if name in splits)
    lines = [f"version     {number}: {draft.operation}", *draft.told, f"split       {sizes}"]
    lines += [f"judged on   {after.held_out.judged_on}", *after.probe.notes]
    missed = [
        name
        for name, reached in zip(after.schema.names, after.classifier.thresholds.reached, strict=True)
        if not reached
    ]
    if missed:
        aim = after.classifier.thresholds.aim
        lines.append(f"warning     the aim {aim} is not reached with confidence for: {', '.join(missed)}")
    return lines


def _data_facts(before: Any, after: State, draft: Draft) -> dict[str, Any]:
    rows, schema = after.rows, after.schema
    refused = Counter(dict(before.get("refused", {})))
    refused.update(one.code for one in draft.refusals)
    return {
        **before,
        "fingerprint": rows.dataset(schema, range(len(rows)), None).fingerprint,
        "seen": int(before.get("seen", 0)) + draft.n_seen,
        "used": len(rows),
        "refused": dict(sorted(refused.items())),
        "by_label": rows.counts(schema),
        "summary": [f"data        {len(rows):,} images known", task_line(schema, rows.counts(schema))],
    }


def task_line(schema: LabelSchema, counts: dict[str, int]) -> str:
    """Task and number of images by label."""
    looking_for = f", looking for {schema.positive}" if schema.positive else ""
    return f"task        {schema.task.value}{looking_for}: " + ", ".join(f"{n} {c:,}" for n, c in counts.items())
