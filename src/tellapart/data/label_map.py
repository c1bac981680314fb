"""A label map: rename labels, merge several into one, ignore some, leave images with some out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tellapart.data.labels import is_multilabel
from tellapart.errors import DataError, Reason
from tellapart.records import Refusal, Sample

_KEYS = ("rename", "ignore", "drop")


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What to do with labels, by name. Two names renamed to the same one are merged.

    `ignore` removes labels from images (an image left without any is unlabelled, or "nothing present" in multi-label
    data); `drop` leaves out the images that have one of these labels. Renaming comes last.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    @classmethod
    def load(cls, source: LabelMap | Mapping[str, Any] | str | Path) -> LabelMap:
        """From a mapping, or a YAML or JSON file with the keys `rename`, `ignore`, `drop`.

        Raises:
            DataError: bad_label_map, with all faults at once and a suggestion for unknown keys.
        """
        if isinstance(source, LabelMap):
            return source
        where = "label map" if isinstance(source, Mapping) else str(source)
        value = source if isinstance(source, Mapping) else _load_file(Path(source))
        return _validated(value, where)

    def apply(self, samples: Sequence[Sample]) -> tuple[list[Sample], list[Refusal], list[str]]:
        """Samples with mapped labels, those left out (code `excluded`), and a warning per name that never occurs."""
        multilabel = is_multilabel(sample.labels for sample in samples)
        present = {name for sample in samples for name in sample.labels or ()}
        kept, refused = [], []
        for sample in samples:
            unwanted = sorted(set(sample.labels or ()).intersection(self.drop))
            if unwanted:
                told = ", ".join(map(repr, unwanted))
                message = f"{sample.uri!r} is left out: the label map drops images with {told}"
                refused.append(Refusal(sample.uri, Reason.EXCLUDED.value, message))
            else:
                kept.append(self._mapped(sample, multilabel))
        return kept, refused, self._unused(present)

    def _mapped(self, sample: Sample, multilabel: bool) -> Sample:
        if sample.labels is None:
            return sample
        left = [name for name in sample.labels if name not in self.ignore]
        labels = tuple(dict.fromkeys(self.rename.get(name, name) for name in left))
        unlabelled = not labels and bool(sample.labels) and not multilabel
        return replace(sample, labels=None if unlabelled else labels)

    def _unused(self, present: set[str]) -> list[str]:
        asked = dict.fromkeys([*self.rename, *self.ignore, *self.drop])
        return [
            f"the label map speaks of {name!r}, which no image has{_suggest(name, present)}"
            for name in asked
            if name not in present
        ]


def _load_file(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(Reason.BAD_LABEL_MAP, f"the label map {path} cannot be read ({exc})") from exc
    if path.suffix.lower() == ".json":
        try:
            return json.loads(text)
        except ValueError as exc:
            raise DataError(Reason.BAD_LABEL_MAP, f"{path} is not JSON: {exc}") from exc
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise DataError(Reason.BAD_LABEL_MAP, f"{path} is not YAML: {' '.join(str(exc).split())}") from exc


def _validated(value: object, where: str) -> LabelMap:
    import pydantic

    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="forbid", strict=True)
        rename: dict[str, str] = {}
        ignore: list[str] = []
        drop: list[str] = []

    try:
        model = Model.model_validate(dict(value) if isinstance(value, Mapping) else value)
    except pydantic.ValidationError as exc:
        faults = "; ".join(_fault(error["loc"], error["type"], error["msg"]) for error in exc.errors())
        raise DataError(Reason.BAD_LABEL_MAP, f"{where}: {faults}") from exc
    rename = {old.strip(): new.strip() for old, new in model.rename.items()}
    label_map = LabelMap(rename, _stripped(model.ignore), _stripped(model.drop))
    _check(label_map, where)
    return label_map


def _check(label_map: LabelMap, where: str) -> None:
    empty = [old for old, new in label_map.rename.items() if not new]
    if empty:
        message = f"{where}: {empty[0]!r} is renamed to nothing; list it under ignore instead"
        raise DataError(Reason.BAD_LABEL_MAP, message)
    twice = sorted(set(label_map.rename).intersection(label_map.ignore + label_map.drop))
    twice += sorted(set(label_map.ignore).intersection(label_map.drop))
    if twice:
        message = f"{where}: {twice[0]!r} stands under more than one of {', '.join(_KEYS)}"
        raise DataError(Reason.BAD_LABEL_MAP, message)


def _fault(place: tuple[int | str, ...], kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"unknown key {place[0]!r}{_suggest(str(place[0]), set(_KEYS))} (known: {', '.join(_KEYS)})"
    shown = ".".join(str(step) for step in place) or "label map"
    return f"{shown}: {message[:1].lower()}{message[1:]}"


def _suggest(name: str, known: set[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _stripped(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in names))
