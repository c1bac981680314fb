"""history.json: every version of a model's classes, and what became of each label from one to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tellapart.classifier.card import ModelCard
from tellapart.errors import ModelError, Reason, SettingsError, TellapartError
from tellapart.records import Label, Task

HISTORY = "history.json"
FORMAT = 1
Mapped = Mapping[int, tuple[int, ...]]
"""Label id of one version → label ids of another: one, several (split: one of them) or none (retired)."""


@dataclass(frozen=True)
class Entry:
    """One version.

    `mapping` leads from the label ids of the version before (`parent` is its model id) to those of this one. `images` is
    the number of images the classes rest on. `restores` names the version that an undo brought back. `effect` holds the
    figures of the change (docs/classes.md).
    """

    version: int
    at: str
    operation: str
    arguments: Mapping[str, Any]
    parent: str | None
    model_id: str
    images: int
    labels: tuple[Label, ...]
    task: Task
    mapping: Mapped = field(default_factory=dict)
    restores: int | None = None
    effect: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def ids(self) -> frozenset[int]:
        """Of its labels."""
        return frozenset(label.id for label in self.labels)

    def to_json(self) -> dict[str, Any]:
        """Plain values; label ids of a mapping are text, as JSON wants keys."""
        return {
            "version": self.version,
            "at": self.at,
            "operation": self.operation,
            "arguments": dict(self.arguments),
            "parent": self.parent,
            "model_id": self.model_id,
            "images": self.images,
            "task": self.task.value,
            "labels": [{"id": label.id, "name": label.name} for label in self.labels],
            "mapping": {str(old): list(new) for old, new in self.mapping.items()},
            "restores": self.restores,
            "effect": dict(self.effect),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Entry:
        """Inverse of `to_json`; raises what a wrong value raises."""
        plain = {name: value[name] for name in ("arguments", "effect")}
        if not all(isinstance(one, dict) for one in plain.values()):
            raise TypeError("arguments and effect are objects")
        return cls(
            version=int(value["version"]),
            at=str(value["at"]),
            operation=str(value["operation"]),
            parent=None if value["parent"] is None else str(value["parent"]),
            model_id=str(value["model_id"]),
            images=int(value["images"]),
            labels=tuple(Label(int(one["id"]), str(one["name"])) for one in value["labels"]),
            task=Task(value["task"]),
            mapping={int(old): tuple(int(one) for one in new) for old, new in value["mapping"].items()},
            restores=None if value["restores"] is None else int(value["restores"]),
            **plain,
        )


@dataclass(frozen=True, slots=True)
class History:
    """All versions, the first one first; their numbers are consecutive. A label id once given away is never used again."""

    entries: tuple[Entry, ...]

    @classmethod
    def begun(cls, card: ModelCard, *, n_images: int) -> History:
        """Of a model whose classes were never changed."""
        schema, training = card.schema, card.training
        return cls(
            (
                Entry(
                    version=int(training.get("version", 1)),
                    at=card.created_at,
                    operation="train",
                    arguments={},
                    parent=training.get("parent"),
                    model_id=card.model_id,
                    images=n_images,
                    labels=schema.labels,
                    task=schema.task,
                ),
            )
        )

    @property
    def latest(self) -> Entry:
        """The version that answers now."""
        return self.entries[-1]

    @property
    def next_label_id(self) -> int:
        """An id that no version has used."""
        return 1 + max(one for entry in self.entries for one in entry.ids)

    def with_entry(self, entry: Entry) -> History:
        """One version more."""
        return replace(self, entries=(*self.entries, entry))

    def version(self, number: int) -> Entry:
        """Raises `SettingsError` (`unknown_name`) for a number that there is not."""
        for entry in self.entries:
            if entry.version == number:
                return entry
        first, last = self.entries[0].version, self.latest.version
        raise SettingsError(Reason.UNKNOWN_NAME, f"there is no version {number}; this model has {first} to {last}")

    def of_model(self, model_id: str) -> Entry | None:
        """The last version that answered under this model id, None for a stranger."""
        return next((entry for entry in reversed(self.entries) if entry.model_id == model_id), None)

    def before(self) -> Entry | None:
        """The version that the last change changed, seen through what was undone; None where nothing is left to undo."""
        effective = self.latest
        while effective.restores is not None:
            effective = self.version(effective.restores)
        return next((entry for entry in self.entries if entry.version == effective.version - 1), None)

    def since(self, label_id: int) -> int:
        """The first version that had the label."""
        return next(entry.version for entry in self.entries if label_id in entry.ids)

    def mapping(self, start: int, end: int) -> dict[int, tuple[int, ...]]:
        """What became of the labels of version `start` by version `end`, which is not before it.

        A label that is there in both is itself, whatever happened in between: an id never changes its meaning.
        """
        steps = [entry for entry in self.entries if start < entry.version <= end]
        return {label.id: _followed(label.id, steps) for label in self.version(start).labels}

    def back(self, start: int, end: int) -> dict[int, tuple[int, ...]]:
        """The same towards an earlier version `end`: the labels that became the one, and for a later label none."""
        target, forth = self.version(end), self.mapping(end, start)
        found: dict[int, tuple[int, ...]] = {label.id: () for label in self.version(start).labels}
        for old, became in forth.items():
            found |= {new: (*found[new], old) for new in became}
        return {one: (one,) if one in target.ids else came for one, came in found.items()}

    def to_bytes(self) -> bytes:
        """history.json as people read it."""
        value = {"format": FORMAT, "entries": [entry.to_json() for entry in self.entries]}
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "backslashreplace") + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, *, location: str) -> History:
        """Inverse of `to_bytes`.

        Raises:
            ModelError: `model_damaged` when it is no history, `model_too_new` when a later tellapart wrote it.
        """
        try:
            value = json.loads(data)
            written_by = int(value["format"])
            if written_by <= FORMAT:
                entries = tuple(Entry.from_json(one) for one in value["entries"])
                return cls(_consecutive(entries))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, TellapartError) as exc:
            raise ModelError(
                Reason.MODEL_DAMAGED,
                f"the model {location} is damaged: {HISTORY} is not a history of classes ({exc!r}); copy it again",
            ) from exc
        raise ModelError(
            Reason.MODEL_TOO_NEW,
            f"the history of the model {location} has format {written_by}, this tellapart reads up to {FORMAT}: update "
            "tellapart",
        )


def _consecutive(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    numbers = [entry.version for entry in entries]
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise ValueError(f"its versions are {numbers}")
    if any(not entry.labels for entry in entries):
        raise ValueError("a version has no labels")
    return entries


def _followed(label_id: int, steps: list[Entry]) -> tuple[int, ...]:
    now: tuple[int, ...] = (label_id,)
    for step in steps:
        if label_id in step.ids:
            now = (label_id,)
            continue
        became = (new for one in now for new in ((one,) if one in step.ids else step.mapping.get(one, ())))
        now = tuple(dict.fromkeys(became))
    return now
