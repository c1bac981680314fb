"""One change of a model's classes from the first look to the new version: edit, fit, judge, describe, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.classifier.classifier import Classifier
from tellapart.classifier.golden import record
from tellapart.classifier.head_file import head_to_bytes
from tellapart.classifier.storage import BACKBONE, HEAD
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.image.types import DecodeLimits
from tellapart.records import LabelSchema, Refusal
from tellapart.training.class_file import CLASSES, to_bytes
from tellapart.training.linear_probe import Probe, ProbeOptions
from tellapart.workflows.classes.describe import described
from tellapart.workflows.classes.effect import Effect, effect
from tellapart.workflows.classes.history import HISTORY, Entry, History, Mapped
from tellapart.workflows.classes.live import Live, alone, opened
from tellapart.workflows.classes.prices import aim_after
from tellapart.workflows.classes.rows import ROW, Rows
from tellapart.workflows.classes.state import State, fitted, options_of
from tellapart.workflows.classes.versions import GONE, kept_rows, kept_versions, read_gone
from tellapart.workflows.facts import versions
from tellapart.workflows.progress import Progress, silent

if TYPE_CHECKING:
    import polars as pl

MIN_IMAGES = 5
"""A class needs so many images, near-duplicates counted as one."""


@dataclass(frozen=True, slots=True)
class How:
    """What any change may be asked: `preview` writes nothing; relative uris of remembered images start at `pictures`."""

    preview: bool = False
    pictures: Path | None = None
    cache_dir: Path | None = None
    workers: int = 0
    provider: str = "cpu"
    limits: DecodeLimits = DecodeLimits()
    progress: Progress = silent


@dataclass(frozen=True, eq=False)
class Draft:
    """What is to become of the classes, before a head is fitted.

    `left` are the rows that leave `rows`, as they were. `mapping` leads from old label ids to new ones, `told` are lines for
    people, `paths` say where images that came with this change lie, by their row.
    """

    operation: str
    arguments: Mapping[str, Any]
    schema: LabelSchema
    statistics: ClassStatistics
    rows: Rows
    left: pl.DataFrame
    mapping: Mapped
    told: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    n_seen: int = 0
    paths: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Change:
    """A change that was made, or only looked at: `model_id` is None for a preview, `effect` for a change of names.

    `paths` say where images lie that came with the change, by their id.
    """

    model: str
    operation: str
    arguments: Mapping[str, Any]
    version: int
    parent: str
    model_id: str | None
    labels: tuple[str, ...]
    told: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    effect: Effect | None
    classifier: Classifier
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def preview(self) -> bool:
        """True where nothing was written."""
        return self.model_id is None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "model": self.model,
            "operation": self.operation,
            "arguments": dict(self.arguments),
            "preview": self.preview,
            "version": self.version,
            "parent": self.parent,
            "model_id": self.model_id,
            "labels": list(self.labels),
            "told": list(self.told),
            "refused": [one.to_json() for one in self.refusals],
            "effect": None if self.effect is None else self.effect.to_json(),
        }


def changed(model: str | Path, edit: Callable[[Live], Draft], how: How) -> Change:
    """Change the classes of a model that rests on class statistics; the file appears whole or not at all.

    Raises:
        ModelError: `classes_fixed`, `model_in_use`, `model_changed`, `write_failed`, and what opening raises.
        TellapartError: what `edit` raises.
    """
    with nullcontext() if how.preview else alone(model):
        how.progress("opening the model", 0, 0)
        live = opened(model, provider=how.provider, limits=how.limits)
        before = State(live.classifier, live.statistics, live.rows)
        draft = edit(live)
        how.progress("fitting the head", 0, 0)
        options, draft = _asked(live, draft)
        probe = fitted(draft.statistics, draft.rows, draft.schema, options)
        after = State(refitted(live.classifier, draft.schema, probe), draft.statistics, draft.rows)
        after.__dict__["probe"] = probe
        how.progress("judging", 0, 0)
        found = effect(before, after, draft.mapping)
        if how.preview:
            return _told(live, draft, found, after.classifier, None)
        saved = _written(live, draft, after, found, how)
    return _told(live, draft, found, saved, saved.card.model_id)


def _asked(live: Live, draft: Draft) -> tuple[ProbeOptions, Draft]:
    """What the next head is to be fitted for, and the draft, which tells of a cost table that became another."""
    before = options_of(live.classifier)
    aim = aim_after(before.aim, live.classifier.schema, draft.schema, draft.mapping)
    if aim == before.aim:
        return before, draft
    assert aim.costs is not None
    told = f"costs       the cost table has {len(aim.costs.costs)} prices of the classes as they are now"
    return replace(before, aim=aim), replace(draft, told=(*draft.told, told))


def refitted(classifier: Classifier, schema: LabelSchema, probe: Probe) -> Classifier:
    """The same model with another head; its card still tells the old figures."""
    calibration = probe.head.calibration
    card = replace(
        classifier.card,
        schema=schema,
        head={**classifier.card.head, "kind": probe.head.kind, "rejection": probe.ood.kind, **probe.facts},
        thresholds=probe.thresholds.to_json(),
        calibration={
            "temperature": [float(t) for t in calibration.temperature],
            "offset": [float(o) for o in calibration.offset],
        },
        versions=versions(),
        created_at=now(),
    )
    return replace(classifier, card=card, head=probe.head, thresholds=probe.thresholds, ood=probe.ood)


def now() -> str:
    """The time as a card has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _written(live: Live, draft: Draft, after: State, found: Effect, how: How) -> Classifier:
    import polars as pl

    how.progress("writing the report", 0, 0)
    answered = draft.rows.answered(after.answers)
    rows = answered.in_bounds()
    left = pl.concat([draft.left, answered.lost(rows)])
    number = live.history.latest.version + 1
    whole = described(live, after, draft, number, how)
    enclosures = replace(whole.enclosures, reference=rows.to_parquet())
    golden = record(whole, {image.name: image.data for image in live.classifier.enclosures.golden})
    entry = Entry(
        version=number,
        at=whole.card.created_at,
        operation=draft.operation,
        arguments=draft.arguments,
        parent=live.classifier.card.model_id,
        model_id="",
        images=len(draft.rows),
        labels=draft.schema.labels,
        task=draft.schema.task,
        mapping=draft.mapping,
        effect=found.moved().to_json(),
    )
    state = {CLASSES: to_bytes(after.statistics)}
    return put(live, whole.enclosing(replace(enclosures, golden=golden)), entry, left, state)


def put(
    live: Live, classifier: Classifier, entry: Entry, left: pl.DataFrame | None, state: Mapping[str, bytes]
) -> Classifier:
    """Write `classifier` as the version of `entry`, with its history and what undoing it needs.

    `left` are the rows that are not in its reference any more, or without their vector, `state` its own further files.
    """
    enclosures = classifier.enclosures
    strangers = {n: d for n, d in live.classifier.enclosures.others.items() if not _ours(n)}
    head = head_to_bytes(classifier.head, classifier.ood)
    after = {**replace(enclosures, others={}).files(), **state, HEAD: head}
    others = {**strangers, **state}
    rows = live.rows if live.classifier.enclosures.reference else None
    others |= kept_versions(live.files, live.history.latest.version, rows, after)
    if gone := kept_rows(read_gone(live.files), left, others):
        others[GONE] = gone
    entry = replace(entry, model_id=_model_id(classifier, head))
    others[HISTORY] = History.with_entry(live.history, entry).to_bytes()
    return live.written(classifier.enclosing(replace(enclosures, others=others)))


def _model_id(classifier: Classifier, head: bytes) -> str:
    """The id under which it will answer: it depends on two of its files."""
    checksums = {BACKBONE: classifier.backbone.sha256, HEAD: sha256(head).hexdigest()}
    return classifier.with_card(files=checksums).card.model_id


def _ours(name: str) -> bool:
    return name in (HISTORY, CLASSES) or name.startswith("versions/")


def _told(live: Live, draft: Draft, found: Effect, classifier: Classifier, model_id: str | None) -> Change:
    ids = dict(zip(draft.rows.table[ROW].to_list(), draft.rows.ids, strict=True))
    return Change(
        model=str(live.path),
        operation=draft.operation,
        arguments=draft.arguments,
        version=live.history.latest.version + (0 if model_id is None else 1),
        parent=live.classifier.card.model_id,
        model_id=model_id,
        labels=draft.schema.names,
        told=draft.told,
        refusals=draft.refusals,
        effect=found,
        classifier=classifier,
        paths={ids[row]: path for row, path in draft.paths.items()},
    )


def refused_lines(refusals: Sequence[Refusal], n: int = 10) -> list[str]:
    """The first refusals as lines of a summary."""
    more = [f"refused     … and {len(refusals) - n:,} more"] if len(refusals) > n else []
    return [*(f"refused     {one.sentence}" for one in refusals[:n]), *more]
