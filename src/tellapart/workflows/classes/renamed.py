"""A class under another name, everywhere a model tells it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tellapart.evaluation.advice import Advice, advise
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.mistakes import Case, Cases
from tellapart.evaluation.scored import score
from tellapart.heads.aims import Aim, CostTable
from tellapart.heads.thresholds import Thresholds
from tellapart.records import Label, LabelSchema, Task
from tellapart.workflows.costs import cost_matrix

Rename = Callable[[str], str]


def renamed_schema(schema: LabelSchema, label: Label, name: str) -> LabelSchema:
    """The id stays."""
    labels = tuple(Label(one.id, name) if one == label else one for one in schema.labels)
    positive = name if schema.positive == label.name else schema.positive
    return LabelSchema(schema.task, labels, positive)


def renamed_thresholds(thresholds: Thresholds, schema: LabelSchema, rename: Rename) -> Thresholds:
    """A cost table names the labels, but for several labels per image: there it names present and absent."""
    costs = thresholds.aim.costs
    if costs is None or schema.task is Task.MULTILABEL:
        return thresholds
    table = CostTable(tuple((rename(actual), rename(said), cost) for actual, said, cost in costs.costs), costs.unknown)
    return replace(thresholds, aim=Aim(thresholds.aim.kind, thresholds.aim.value, table))


def renamed_counts(facts: Mapping[str, Any], counts: str, rename: Rename) -> dict[str, Any]:
    """Facts of the card with their counts by label under the new names; its sentences stay as they were said."""
    found = dict(facts)
    if isinstance(found.get(counts), Mapping):
        found[counts] = {rename(name): count for name, count in found[counts].items()}
    return found


def renamed_evaluation(data: bytes, rename: Rename, schema: LabelSchema, aim: Aim) -> Evaluation | None:
    """evaluation.json with the other name, None where there is none; `schema` and `aim` are the new ones."""
    if not data:
        return None
    found = Evaluation.from_json(json.loads(data))
    matrix, curves = found.confusion, found.curves
    return replace(
        found,
        labels=tuple(map(rename, found.labels)),
        positive=None if found.positive is None else rename(found.positive),
        per_class=tuple(replace(one, label=rename(one.label)) for one in found.per_class),
        confusion=matrix
        and replace(matrix, rows=tuple(map(rename, matrix.rows)), columns=tuple(map(rename, matrix.columns))),
        curves=replace(
            curves,
            roc=tuple(replace(one, label=rename(one.label)) for one in curves.roc),
            precision_recall=tuple(replace(one, label=rename(one.label)) for one in curves.precision_recall),
            thresholds=tuple(replace(one, label=rename(one.label)) for one in curves.thresholds),
        ),
        cases=_renamed_cases(found.cases, rename),
        advice=_advice(found, schema, aim, rename),
    )


def _advice(found: Evaluation, schema: LabelSchema, aim: Aim, rename: Rename) -> Advice:
    """What it says of classes by name; but for several labels per image it rests on the number of images alone."""
    if schema.task is Task.MULTILABEL:
        named = [(name, rename(name)) for name in found.labels if rename(name) != name]
        sentences = tuple(_counted(one, named) for one in found.advice.sentences)
        return replace(found.advice, sentences=sentences)
    counts = [one.support for one in found.per_class]
    targets = np.repeat(np.eye(len(counts), dtype=bool), counts, axis=0)
    nothing = np.zeros(targets.shape)
    return advise(score(nothing, targets.argmax(axis=1), schema, decisions=nothing > 0, costs=cost_matrix(aim, schema)))


def _counted(sentence: str, named: list[tuple[str, str]]) -> str:
    """A sentence that lists labels, as `advice` writes it, with the other name."""
    if not sentence.startswith(("Not one image of ", "Fewer than 20 images of ")):
        return sentence
    for old, new in named:
        found = re.search(rf" {re.escape(old)}(?=[ ,])", sentence)
        if found is not None:
            sentence = f"{sentence[: found.start()]} {new}{sentence[found.end() :]}"
    return sentence


def _renamed_cases(cases: Cases, rename: Rename) -> Cases:
    def one(case: Case) -> Case:
        return replace(case, actual=tuple(map(rename, case.actual)), predicted=tuple(map(rename, case.predicted)))

    return replace(
        cases,
        mistakes=tuple(map(one, cases.mistakes)),
        uncertain=tuple(map(one, cases.uncertain)),
        unknown=tuple(map(one, cases.unknown)),
    )
