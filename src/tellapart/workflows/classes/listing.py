"""The classes of a model as they are, and how they came to be so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.evaluation.evaluation import Evaluation, spoken
from tellapart.evaluation.intervals import Estimate
from tellapart.training.class_file import CLASSES
from tellapart.workflows.classes.history import Entry
from tellapart.workflows.classes.live import history_of, read_whole
from tellapart.workflows.classes.tables import table
from tellapart.workflows.classes.versions import versions_in


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """One class: images known of it, the version that brought it, recall and precision on held-out images."""

    id: int
    name: str
    images: int | None
    since: int
    held_out: int
    recall: Estimate | None
    precision: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """By field name; an estimate as `{"value": …, "low": …, "high": …, "n": …}` or None."""
        value = {name: getattr(self, name) for name in ("id", "name", "images", "since", "held_out")}
        return {**value, "recall": _plain(self.recall), "precision": _plain(self.precision)}


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a model, in the order of its answers; `dynamic` where they may be changed beside their names."""

    model: str
    model_id: str
    version: int
    dynamic: bool
    judged_on: str
    classes: tuple[ClassFacts, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        value = {name: getattr(self, name) for name in ("model", "model_id", "version", "dynamic", "judged_on")}
        return {**value, "classes": [one.to_json() for one in self.classes]}

    def lines(self) -> list[str]:
        """For a terminal."""
        rows = [
            (one.name, one.id, _count(one.images), one.since, one.held_out, _spoken(one.recall), _spoken(one.precision))
            for one in self.classes
        ]
        lines = [f"model       {self.model_id}   version {self.version}", f"judged on   {self.judged_on}", ""]
        return [*lines, *table(("class", "id", "images", "since", "held out", "recall", "precision"), rows)]


@dataclass(frozen=True, slots=True)
class Changes:
    """All versions of a model's classes; `kept` are those that can be brought back."""

    model: str
    entries: tuple[Entry, ...]
    kept: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"model": self.model, "kept": list(self.kept), "entries": [one.to_json() for one in self.entries]}

    def lines(self) -> list[str]:
        """For a terminal, the latest last."""
        latest = self.entries[-1].version
        rows = [
            (one.version, one.at, said(one), len(one.labels), f"{one.images:,}", self._state(one, latest), one.model_id)
            for one in self.entries
        ]
        return table(("version", "at", "change", "classes", "images", "undo", "model id"), rows, left=(1, 2, 5, 6))

    def _state(self, entry: Entry, latest: int) -> str:
        if entry.version == latest:
            return "now"
        return f"--to {entry.version}" if entry.version in self.kept else "-"


def list_classes(model: str | Path) -> Classes:
    """The classes of any model with what is known of each.

    Raises:
        ModelError: what reading a model raises.
    """
    card, enclosures = read_whole(model)
    history = history_of(model, card, enclosures.others)
    counts = card.data.get("by_label", {})
    found = Evaluation.from_json(json.loads(enclosures.evaluation)) if enclosures.evaluation else None
    judged = {} if found is None else {one.label: one for one in found.per_class}
    classes = []
    for label in card.schema.labels:
        one = judged.get(label.name)
        recall, precision = (None if one is None else one.metrics.get(name) for name in ("recall", "precision"))
        held_out = 0 if one is None else one.support
        since = history.since(label.id)
        classes.append(ClassFacts(label.id, label.name, counts.get(label.name), since, held_out, recall, precision))
    dynamic, judged_on = CLASSES in enclosures.others, str(card.training.get("judged_on", "not measured"))
    return Classes(str(model), card.model_id, history.latest.version, dynamic, judged_on, tuple(classes))


def class_history(model: str | Path) -> Changes:
    """All versions of a model's classes, and what became of every label from one to the next.

    Raises:
        ModelError: what reading a model raises.
    """
    card, enclosures = read_whole(model)
    history = history_of(model, card, enclosures.others)
    return Changes(str(model), history.entries, tuple(versions_in(enclosures.others)))


def said(entry: Entry) -> str:
    """A change in a few words."""
    asked = entry.arguments
    if entry.operation == "add":
        return "add " + ", ".join(f"{name} {count:,}" for name, count in asked.get("images", {}).items())
    if entry.operation == "split":
        return f"split {asked.get('name')} → " + ", ".join(map(str, asked.get("images", {})))
    told = {
        "rename": f"rename {asked.get('old')} → {asked.get('new')}",
        "merge": f"merge {' + '.join(map(str, asked.get('names', [])))} → {asked.get('into')}",
        "retire": f"retire {asked.get('name')}",
        "undo": f"undo, back to {asked.get('to')}",
    }
    return told.get(entry.operation, entry.operation)


def _spoken(estimate: Estimate | None) -> str:
    return "-" if estimate is None or estimate.value is None else spoken(estimate)


def _count(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
