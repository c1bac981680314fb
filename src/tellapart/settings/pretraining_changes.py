"""A pre-training from options and `--set NAME=VALUE`, with every fault in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from tellapart.errors import Reason, SettingsError
from tellapart.settings.given import Given, Path, together
from tellapart.settings.pretraining import Pretraining
from tellapart.settings.recipe_fields import FieldFacts, fields_of, one_of
from tellapart.settings.recipe_yaml import parse_value


def read_pretraining(options: Mapping[str, Any], changes: Sequence[str] = ()) -> Pretraining:
    """What was asked for: `options` by field (None: not given), then `changes` written NAME=VALUE.

    A name may be the end of a field's path, as in `lr=1e-4` for `optimizer.lr`; the value is YAML.

    Raises:
        SettingsError: `bad_setting`, with every fault.
    """
    given = [
        Given.one((name,), value, f"--{name}".replace("_", "-")) for name, value in options.items() if value is not None
    ]
    whole = together([*given, *map(_change, changes)])
    faults = list(whole.faults)
    try:
        found = Pretraining.model_validate(whole.values)
    except ValidationError as exc:
        faults += _faults(exc, whole)
    else:
        faults += _unusable(found)
    if faults:
        raise SettingsError(Reason.BAD_SETTING, f"the options cannot be used: {'; '.join(faults)}")
    return found


def _change(text: str) -> Given:
    name, written, value = text.partition("=")
    short, place = tuple(name.strip().split(".")), f"--set {text}"
    if not written:
        return Given.failed(f"{place}: it is written NAME=VALUE, such as --set optimizer.lr=1e-4")
    paths = _ending_in(short)
    if len(paths) > 1:
        return Given.failed(f"{place}: {name.strip()} can mean {_names(paths)}; write which")
    if not paths:
        return Given.failed(f"{place}: there is no {name.strip()!r}{_nearest(short[-1])}")
    try:
        return Given.one(paths[0], parse_value(value), place)
    except ValueError as exc:
        return Given.failed(f"{place}: {exc}")


def _ending_in(short: Path) -> list[Path]:
    found = [path for path in _fields() if path[-len(short) :] == short]
    return [short] if short in found else found


def _nearest(name: str) -> str:
    near = get_close_matches(name, {path[-1] for path in _fields()}, n=1)
    meant = [path for path in _fields() if near and path[-1] == near[0]]
    return f"; did you mean {_names(meant)}?" if meant else ""


def _names(paths: Iterable[Path]) -> str:
    return one_of([repr(".".join(path)) for path in paths])


def _faults(error: ValidationError, given: Given) -> list[str]:
    found: dict[Path, str] = {}
    for entry in error.errors(include_url=False):
        path = tuple(str(step) for step in entry["loc"])
        while path not in _fields() and len(path) > 1:  # pydantic adds which alternative of a field it tried
            path = path[:-1]
        found.setdefault(path, f"{given.place(path)}: it is {_fields()[path].wanted}, got {entry['input']!r:.80}")
    return list(found.values())


def _unusable(found: Pretraining) -> list[str]:
    """What a recipe may ask for and a pre-training has no use for."""
    faults = []
    if found.schedule.name == "plateau":
        faults.append(
            "schedule.name plateau needs validation images; without labels there are cosine, one_cycle and constant"
        )
    if found.optimizer.lr == "find":
        faults.append("optimizer.lr find needs labels; name a learning rate, or auto")
    return faults


def _fields() -> Mapping[Path, FieldFacts]:
    return fields_of(Pretraining)
