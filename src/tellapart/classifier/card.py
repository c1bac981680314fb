"""The model card, `model.json`: everything about a model that is not an array."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any

from tellapart.errors import ModelError, Reason, TellapartError
from tellapart.records import Label, LabelSchema, Task

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the model is, how it came about, how good it was. Free-form parts are plain JSON values.

    `thresholds` and `calibration` are read by the heads room; `backbone` is its card (name, licence, sha256 …);
    `data` holds the fingerprint, counts by split and refusals by reason; `metrics` the headline figures with intervals.
    `files` maps each other file of the model to its sha256.
    """

    name: str
    schema: LabelSchema
    preprocess: str
    preprocess_hash: str
    backbone: Mapping[str, Any]
    head: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    calibration: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    created_at: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def model_id(self) -> str:
        """`name@` and 12 hex digits over everything that decides an answer: two models that agree share them."""
        decisive = {
            "labels": _schema_json(self.schema),
            "preprocess": self.preprocess_hash,
            "thresholds": self.thresholds,
            "files": {name: self.files.get(name) for name in ("backbone.onnx", "head.safetensors")},
        }
        return f"{self.name}@{sha256(_canonical(decisive)).hexdigest()[:12]}"

    def to_json(self) -> dict[str, Any]:
        """The content of model.json."""
        value: dict[str, Any] = {"format": FORMAT, "model_id": self.model_id, **_schema_json(self.schema)}
        for item in fields(self):
            if item.name != "schema":
                value[item.name] = getattr(self, item.name)
        return value

    def to_bytes(self) -> bytes:
        """model.json as people read it: indented UTF-8."""
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        # The name is that of a folder, which may be no text: JSON reads such an escape back as it was.
        return text.encode("utf-8", "backslashreplace") + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, *, location: str) -> ModelCard:
        """Parse model.json.

        Raises:
            ModelError: `model_damaged` when it is not a card, `model_too_new` when a later tellapart wrote it.
        """
        try:
            value = json.loads(data)
            written_by = int(value["format"])
            if written_by <= FORMAT:
                schema = _schema_from_json(value)
                card = cls(schema=schema, **{f.name: value[f.name] for f in fields(cls) if f.name != "schema"})
                # No checksum guards model.json itself; its id covers the parts of it that decide answers.
                if card.model_id != value["model_id"]:
                    raise ValueError("its labels, thresholds or checksums are not those of its model_id")
                _expect_inside(card.files)
                return card
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, TellapartError) as exc:
            raise ModelError(
                Reason.MODEL_DAMAGED,
                f"the model {location} is damaged: model.json is not a model card ({exc!r}); copy it again",
            ) from exc
        raise ModelError(
            Reason.MODEL_TOO_NEW,
            f"the model {location} has format {written_by}, this tellapart reads up to {FORMAT}: update tellapart",
        )


def _expect_inside(names: Iterable[str]) -> None:
    # They are read and written as paths below the model's folder.
    outside = [name for name in names if name.startswith("/") or "\\" in name or ".." in name.split("/")]
    if outside:
        raise ValueError(f"its file {outside[0]!r} lies outside of it")


def _schema_json(schema: LabelSchema) -> dict[str, Any]:
    labels = [{"id": label.id, "name": label.name} for label in schema.labels]
    return {"task": schema.task.value, "labels": labels, "positive": schema.positive}


def _schema_from_json(value: Mapping[str, Any]) -> LabelSchema:
    labels = tuple(Label(int(item["id"]), str(item["name"])) for item in value["labels"])
    return LabelSchema(Task(value["task"]), labels, value["positive"])


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
