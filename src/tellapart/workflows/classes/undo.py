"""An earlier version of a model's classes answers again, exactly as it did."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.classifier.card import ModelCard
from tellapart.classifier.classifier import Classifier
from tellapart.classifier.enclosures import EVALUATION, REPORT
from tellapart.classifier.folder import CARD
from tellapart.classifier.golden import record
from tellapart.classifier.head_file import head_from_bytes, kinds_of
from tellapart.classifier.storage import HEAD
from tellapart.errors import Reason, SettingsError
from tellapart.heads.thresholds import Thresholds
from tellapart.image.types import DecodeLimits
from tellapart.training.class_file import CLASSES, from_bytes
from tellapart.workflows.classes.change import Change, now, put
from tellapart.workflows.classes.effect import Effect, effect
from tellapart.workflows.classes.history import Entry, Mapped
from tellapart.workflows.classes.live import Live, alone, opened
from tellapart.workflows.classes.rows import Rows
from tellapart.workflows.classes.state import State
from tellapart.workflows.classes.versions import ROWS, read_gone, restored_files, restored_rows

if TYPE_CHECKING:
    import polars as pl


def undo_change(
    model: str | Path,
    *,
    to: int | None = None,
    preview: bool = False,
    provider: str = "cpu",
    limits: DecodeLimits = DecodeLimits(),
) -> Change:
    """Bring an earlier version of a live model's classes back, as a new version of the same answers and the same model id.

    `to` is the number of a version (None: the one before the last change that still counts). The last five versions are
    kept. `preview` writes nothing.

    Raises:
        SettingsError: `unknown_name` for a version that is not kept, `bad_setting` when there is nothing to undo.
        ModelError: `model_in_use`, `model_changed`, `write_failed`, and what loading raises.
    """
    with nullcontext() if preview else alone(model):
        live = opened(model, provider=provider, limits=limits)
        target = _target(live, to)
        files = restored_files(live.files, target.version)
        rows, left = _rows(live, files)
        classifier = _restored(live, files, rows)
        mapping = live.history.back(live.history.latest.version, target.version)
        found = _effect(live, classifier, files, rows, mapping)
        saved = None if preview else _put(live, classifier, target, files, left, mapping, found)
    return Change(
        model=str(model),
        operation="undo",
        arguments={"to": target.version},
        version=live.history.latest.version + (saved is not None),
        parent=live.classifier.card.model_id,
        model_id=None if saved is None else saved.card.model_id,
        labels=classifier.labels,
        told=(f"restored    version {target.version} of {target.at}: {target.operation}",),
        refusals=(),
        effect=found,
        classifier=saved or classifier,
    )


def _target(live: Live, to: int | None) -> Entry:
    history = live.history
    target = history.before() if to is None else history.version(to)
    if target is None:
        message = f"the classes of {live.path} were never changed, so there is nothing to undo"
        if history.latest.version > 1:
            message = f"no change of {live.path} is left to undo; `tellapart classes history` shows them all"
        raise SettingsError(Reason.BAD_SETTING, message)
    if target.version == history.latest.version:
        raise SettingsError(Reason.BAD_SETTING, f"version {target.version} is the one that answers now")
    return target


def _rows(live: Live, files: dict[str, bytes]) -> tuple[Rows | None, pl.DataFrame | None]:
    """The images as they were, and those that were not there yet or lose their vector; None without a reference."""
    if ROWS not in files or not live.classifier.enclosures.reference:
        return None, None
    import polars as pl

    rows, left = restored_rows(live.rows, read_gone(live.files), files[ROWS])
    bounded = rows.in_bounds()
    return bounded, pl.concat([left, rows.lost(bounded)])


def _restored(live: Live, files: dict[str, bytes], rows: Rows | None) -> Classifier:
    """The classifier of an earlier card and head; golden images answer anew."""
    card = ModelCard.from_bytes(files[CARD], location=str(live.path))
    head, ood = head_from_bytes(files[HEAD], card.schema.task, **kinds_of(card))
    training = {
        **card.training,
        "version": live.history.latest.version + 1,
        "parent": live.classifier.card.model_id,
    }
    classifier = replace(
        live.classifier,
        card=replace(card, training=training, created_at=now()),
        head=head,
        ood=ood,
        thresholds=Thresholds.from_json(card.thresholds),
    )
    enclosures = replace(
        live.classifier.enclosures,
        reference=b"" if rows is None else rows.to_parquet(),
        evaluation=files.get(EVALUATION, b""),
        report=files.get(REPORT, b""),
        golden=record(classifier, {image.name: image.data for image in live.classifier.enclosures.golden}),
    )
    return classifier.enclosing(enclosures)


def _effect(
    live: Live, classifier: Classifier, files: dict[str, bytes], rows: Rows | None, mapping: Mapped
) -> Effect | None:
    if rows is None or CLASSES not in files or CLASSES not in live.files:
        return None
    before = State(live.classifier, live.statistics, live.rows)
    return effect(before, State(classifier, from_bytes(files[CLASSES]), rows), mapping)


def _put(
    live: Live,
    classifier: Classifier,
    target: Entry,
    files: dict[str, bytes],
    left: pl.DataFrame | None,
    mapping: Mapped,
    found: Effect | None,
) -> Classifier:
    entry = Entry(
        version=live.history.latest.version + 1,
        at=classifier.card.created_at,
        operation="undo",
        arguments={"to": target.version},
        parent=live.classifier.card.model_id,
        model_id="",
        images=target.images,
        labels=classifier.schema.labels,
        task=classifier.schema.task,
        mapping=mapping,
        restores=target.version,
        effect={} if found is None else found.moved().to_json(),
    )
    state = {CLASSES: files[CLASSES]} if CLASSES in files else {}
    return put(live, classifier, entry, left, state)
