"""`classes rename`: for every kind of model, because nothing of the head changes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from tellapart.classifier.classifier import Classifier
from tellapart.classifier.enclosures import Enclosures
from tellapart.data.dataset import Dataset
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.report import Background
from tellapart.image.types import DecodeLimits
from tellapart.records import Label, Sample
from tellapart.training.class_file import CLASSES
from tellapart.workflows.classes.change import Change, now, put
from tellapart.workflows.classes.history import Entry
from tellapart.workflows.classes.live import Live, alone, opened
from tellapart.workflows.classes.naming import free_name, label_named
from tellapart.workflows.classes.renamed import (
    renamed_counts,
    renamed_evaluation,
    renamed_schema,
    renamed_thresholds,
)
from tellapart.workflows.classes.rows import Rows
from tellapart.workflows.report import Report, render


def rename_class(
    model: str | Path,
    old: str,
    new: str,
    *,
    preview: bool = False,
    pictures: str | Path | None = None,
    provider: str = "cpu",
    limits: DecodeLimits = DecodeLimits(),
) -> Change:
    """Call a class of a live model by another name. Its id and every answer stay; any kind of model can do it.

    `preview` writes nothing. The report shows images whose uri leads somewhere from the folder `pictures` on.

    Raises:
        DataError: `unknown_label`, `label_conflict` when another class is called so.
        ModelError: `model_in_use`, `model_changed`, `write_failed`, and what loading raises.
    """
    shown = None if pictures is None else Path(pictures)
    with nullcontext() if preview else alone(model):
        live = opened(model, provider=provider, limits=limits)
        label = label_named(live.classifier.schema, old, live.history)
        name = free_name(live.classifier.schema, new)
        classifier = _renamed(live, label, name, shown)
        saved = None if preview else _put(live, classifier, label, name)
    version, told = live.history.latest.version, (f"renamed     {label.name} → {name}",)
    return Change(
        model=str(model),
        operation="rename",
        arguments={"old": label.name, "new": name},
        version=version + (saved is not None),
        parent=live.classifier.card.model_id,
        model_id=None if saved is None else saved.card.model_id,
        labels=classifier.labels,
        told=told,
        refusals=(),
        effect=None,
        classifier=saved or classifier,
    )


def _renamed(live: Live, label: Label, name: str, pictures: Path | None) -> Classifier:
    classifier, enclosures = live.classifier, live.classifier.enclosures

    def rename(one: str) -> str:
        return name if one == label.name else one

    schema = renamed_schema(classifier.schema, label, name)
    thresholds = renamed_thresholds(classifier.thresholds, classifier.schema, rename)
    card = replace(
        classifier.card,
        schema=schema,
        thresholds=thresholds.to_json(),
        head=renamed_counts(classifier.card.head, "images", rename),
        data=renamed_counts(classifier.card.data, "by_label", rename),
        training={
            **classifier.card.training,
            "version": live.history.latest.version + 1,
            "parent": classifier.card.model_id,
        },
        created_at=now(),
    )
    changed = replace(classifier, card=card, thresholds=thresholds)
    evaluation = renamed_evaluation(enclosures.evaluation, rename, schema, thresholds.aim)
    report = _report(changed, evaluation, pictures)
    reference = _reference(enclosures, {label.name: name})
    return changed.enclosing(replace(enclosures, reference=reference, evaluation=report.evaluation, report=report.html))


def _reference(enclosures: Enclosures, names: dict[str, str]) -> bytes:
    if not enclosures.reference:
        return b""
    return Rows.read(enclosures.reference).relabelled(names).to_parquet()


def _put(live: Live, classifier: Classifier, label: Label, name: str) -> Classifier:
    latest = live.history.latest
    entry = Entry(
        version=latest.version + 1,
        at=classifier.card.created_at,
        operation="rename",
        arguments={"old": label.name, "new": name},
        parent=live.classifier.card.model_id,
        model_id="",
        images=latest.images,
        labels=classifier.schema.labels,
        task=classifier.schema.task,
        mapping={one.id: (one.id,) for one in classifier.schema.labels},
    )
    state = {CLASSES: live.files[CLASSES]} if CLASSES in live.files else {}
    return put(live, classifier, entry, None, state)


def _report(classifier: Classifier, evaluation: Evaluation | None, pictures: Path | None) -> Report:
    """Written anew; what the training told beside the figures is on the card."""
    if evaluation is None:
        return Report(b"", b"")
    background = Background(reproduce=[f"tellapart evaluate {classifier.card.name} DATA --split test"])
    dataset = _cases(evaluation, pictures)
    return render(classifier, evaluation, dataset, title=classifier.card.name, background=background)


def _cases(evaluation: Evaluation, pictures: Path | None) -> Dataset:
    """The evaluated images as far as the evaluation names them: those that its report shows."""
    cases = evaluation.cases
    uris = {case.index: case.uri for case in (*cases.mistakes, *cases.uncertain, *cases.unknown)}
    samples = [Sample(uris.get(index, f"{index}")) for index in range(max(uris, default=-1) + 1)]
    return Dataset.from_samples(samples, root=pictures)
