"""What is wrong with the values of a policy, in sentences of ours: pydantic's wording changes between versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from tellapart.settings.given import Given
from tellapart.settings.policy import KINDS, Policy, Rule, Track, Window
from tellapart.settings.recipe_faults import shown
from tellapart.settings.recipe_fields import one_of

Step = int | str
_FLAT = "state"


def faults_of(error: ValidationError, values: Mapping[str, Any], given: Given) -> list[str]:
    """One sentence for each field at fault, with its line where it was written, in the order of the file."""
    found: dict[str, None] = {}
    for entry in error.errors(include_url=False):
        if entry["type"] == "too_short" and entry["input"]:
            continue  # what was in it is at fault and told of already
        path = _written(entry["loc"], values)
        found.setdefault(_sentence(path, entry, values, given))
    return list(found)


def _written(location: tuple[Step, ...], values: Any) -> tuple[Step, ...]:
    """The path as it stands in the file: pydantic adds which alternative of a condition it tried."""
    path: list[Step] = []
    tag_follows = False
    for place, step in enumerate(location):
        if tag_follows:
            tag_follows = False
            continue
        step = "if" if step == "when" else step
        if isinstance(values, Mapping) and (step in values or place == len(location) - 1):
            values = values.get(step)
        elif isinstance(values, list | tuple) and isinstance(step, int) and step < len(values):
            values = values[step]
        else:
            continue
        path.append(step)
        tag_follows = is_condition(path)
    return tuple(path)


def is_condition(path: Sequence[Step]) -> bool:
    """Whether a condition stands at a place."""
    return bool(path) and (
        path[-1] in ("if", "until") or (len(path) > 1 and path[-2] in ("all_of", "one_of", "none_of"))
    )


def _sentence(path: tuple[Step, ...], entry: Any, values: Any, given: Given) -> str:
    kind, name = entry["type"], _told(path)
    place = given.place(_place(path))
    before = f"{place}: " if place else ""
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return f"{before}{name} is a condition with one of the keys {', '.join(KINDS)}, got {_keys(entry['input'])}"
    if kind == "extra_forbidden":
        return f"{before}{_unknown(path, values)}"
    if kind == "missing":
        return f"{before}{name} is missing"
    return f"{before}{name} {_expected(entry)}, got {shown(entry['input'])}"


def _expected(entry: Any) -> str:
    """What pydantic's constraint says, in words."""
    context, kind = entry.get("ctx", {}), entry["type"]
    bounds = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
    words = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}
    if kind in bounds:
        return f"must be a number {words[bounds[kind]]} {context[bounds[kind]]:g}"
    if kind == "literal_error":
        return f"must be {str(context['expected']).replace(', ', ' or ')}"
    plain = {
        "float": "a number",
        "int": "a whole number",
        "string": "text",
        "bool": "true or false",
        "dict": "a section of names and values",
        "model": "a section of names and values",
        "tuple": "a list",
        "too": "a list or section that is not empty",
    }
    return f"must be {plain.get(kind.split('_')[0], 'something else')}"


def _unknown(path: tuple[Step, ...], values: Any) -> str:
    section, name = path[:-1], str(path[-1])
    known = _names(section, values)
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f", known are {', '.join(known)}"
    return f"there is no {name!r} in {_told(section) or 'a policy'}{hint}"


def _names(section: tuple[Step, ...], values: Any) -> list[str]:
    """The names that may stand at a place."""
    for step in section:
        values = values[step]
    if is_condition(section):
        kinds = [KINDS[key] for key in values if key in KINDS] if isinstance(values, Mapping) else []
        return [name for one in kinds[:1] for name in one.model_fields] or list(KINDS)
    models: list[tuple[type[BaseModel], bool]] = [
        (Policy, not section),
        (Track, len(section) == 2 and section[0] == "tracks"),
        (Rule, len(section) > 1 and section[-2] == "rules"),
        (Window, bool(section) and section[-1] == "window"),
    ]
    for model, here in models:
        if here:
            return [field.alias or name for name, field in model.model_fields.items()]
    return []


def _told(path: tuple[Step, ...]) -> str:
    """rules[0].if.vote: a flat policy has no tracks in its file."""
    steps = list(path[2:] if path[:2] == ("tracks", _FLAT) else path)
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _place(path: tuple[Step, ...]) -> tuple[str, ...]:
    """The path as the lines of a file are known by."""
    return tuple(str(step) for step in (path[2:] if path[:2] == ("tracks", _FLAT) else path))


def _keys(value: Any) -> str:
    if isinstance(value, Mapping):
        return one_of([repr(str(key)) for key in value]) if value else "none"
    return shown(value)
