"""Every field of a recipe by its path, with what it takes, in words: for messages, for `--set` and for the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from tellapart.settings.given import Path
from tellapart.settings.recipe import Recipe

SECTION = "a section of names and values"


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """`wanted` completes "it is …"; `default` is as YAML has it; a section has its fields below its own path."""

    wanted: str
    default: Any
    description: str
    is_section: bool


def recipe_fields() -> Mapping[Path, FieldFacts]:
    """All fields, sections before what is in them, in the order of the class."""
    return fields_of(Recipe)


@cache
def fields_of(settings: type[BaseModel]) -> Mapping[Path, FieldFacts]:
    """The same of any settings with sections."""
    schema = settings.model_json_schema()
    return dict(_fields(schema, schema["$defs"], ()))


def names_in(section: Path) -> list[str]:
    """The names that a section knows; () is the recipe itself."""
    return [path[-1] for path in recipe_fields() if path[:-1] == section]


def ending_in(short: Path) -> list[Path]:
    """The paths that are `short` itself or, if none is, end in it."""
    found = [path for path in recipe_fields() if path[-len(short) :] == short]
    return [short] if short in found else found


def one_of(words: list[str]) -> str:
    """'a', 'b' or 'c'."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _fields(section: Mapping[str, Any], known: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, FieldFacts]]:
    for name, node in section["properties"].items():
        inner = _section(node, known)
        where = (*path, name)
        told = str(node.get("description", (inner or {}).get("description", "")))
        yield where, FieldFacts(wanted(node), node.get("default"), " ".join(told.split()), inner is not None)
        if inner is not None:
            yield from _fields(inner, known, where)


def _section(node: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = [node, *node.get("anyOf", []), *node.get("allOf", [])]
    names = [choice["$ref"].rsplit("/", 1)[-1] for choice in choices if "$ref" in choice]
    section: Mapping[str, Any] | None = known[names[0]] if names else None
    return section


def wanted(node: Mapping[str, Any]) -> str:
    """What a JSON schema takes, in words."""
    return one_of(_choices(node))


def _choices(node: Mapping[str, Any]) -> list[str]:
    if "anyOf" in node:
        return [words for choice in node["anyOf"] for words in _choices(choice)]
    if "enum" in node:
        return [repr(value) for value in node["enum"] if isinstance(value, str)]
    kind = node.get("type")
    if kind in ("number", "integer"):
        return [f"a {'whole ' if kind == 'integer' else ''}number{_range(node)}"]
    return {"boolean": ["true", "false"], "string": ["text"], "null": ["null"]}.get(str(kind), [SECTION])


def _range(node: Mapping[str, Any]) -> str:
    if "minimum" in node and "maximum" in node:
        return f" from {node['minimum']:g} to {node['maximum']:g}"
    bounds = {
        "minimum": "of at least",
        "exclusiveMinimum": "above",
        "maximum": "of at most",
        "exclusiveMaximum": "below",
    }
    told = [f"{words} {node[bound]:g}" for bound, words in bounds.items() if bound in node]
    return f" {' and '.join(told)}".replace("and of at", "and at") if told else ""
