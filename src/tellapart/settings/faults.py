"""What is wrong with the values of a file, in sentences of ours: pydantic's wording changes between versions.

A `FileFormat` knows the model that the file is read by; places, names that may be meant and alternatives follow from its
annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from tellapart.settings.given import Given
from tellapart.settings.recipe_faults import shown
from tellapart.settings.recipe_fields import one_of

Step = int | str
KNOWN = ", known are "


@dataclass(frozen=True, slots=True)
class FileFormat:
    """`called` is the whole file ("a policy"), `alternative` what is told apart by its keys ("a condition").

    `unwritten` are steps that the values have and the file has not.
    """

    root: type[BaseModel]
    called: str
    alternative: str
    unwritten: tuple[str, ...] = ()

    def faults_of(self, error: ValidationError, values: Mapping[str, Any], given: Given) -> list[str]:
        """One sentence for each field at fault, with its line where it was written."""
        found: dict[str, None] = {}
        entries = error.errors(include_url=False)
        for entry in entries:
            if entry["type"] == "too_short" and any(_within(other["loc"], entry["loc"]) for other in entries):
                continue  # what was in it is at fault and told of already
            found.setdefault(self._sentence(self._written(entry["loc"], values), entry, values, given))
        return _once(found)

    def told(self, path: tuple[Step, ...]) -> str:
        """A place as people write it: rules[0].if.vote."""
        text = ""
        for step in self._in_file(path):
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
        return text

    def line(self, path: tuple[Step, ...], given: Given) -> str:
        """ "line 3: " where the place was written, else ""."""
        place = given.place(tuple(str(step) for step in self._in_file(path)))
        return f"{place}: " if place else ""

    def _in_file(self, path: tuple[Step, ...]) -> tuple[Step, ...]:
        n = len(self.unwritten)
        return path[n:] if n and path[:n] == self.unwritten else path

    def _written(self, location: tuple[Step, ...], values: Any) -> tuple[Step, ...]:
        """The path as it stands in the file: pydantic adds which alternative it tried, and uses names of its own."""
        kind: Any = self.root
        path: list[Step] = []
        for number, step in enumerate(location):
            alternatives = _alternatives(kind)
            if step in alternatives:
                kind = alternatives[str(step)]
                continue
            step = _alias(kind, step)
            if not _is_in(values, step) and number < len(location) - 1:
                continue
            kind = _inside(kind, step, values)
            values = values[step] if _is_in(values, step) else None
            path.append(step)
        return tuple(path)

    def _sentence(self, path: tuple[Step, ...], entry: Any, values: Any, given: Given) -> str:
        kind, before, name = entry["type"], self.line(path, given), self.told(path)
        if kind in ("union_tag_not_found", "union_tag_invalid"):
            keys = ", ".join(_alternatives(self._kind_at(path, values)))
            return f"{before}{name} is {self.alternative} with one of the keys {keys}, got {_keys(entry['input'])}"
        if kind == "extra_forbidden":
            return f"{before}{self._unknown(path, values)}"
        if kind == "missing":
            return f"{before}{name} is missing"
        return f"{before}{name} {_expected(entry)}, got {shown(entry['input'])}"

    def _unknown(self, path: tuple[Step, ...], values: Any) -> str:
        section, name = path[:-1], str(path[-1])
        known = self._names(section, values)
        if not section and self._is_flat(values):
            known += self._names(self.unwritten, values)
        hint = meant(name, known)
        return f"there is no {name!r} in {self.told(section) or self.called}{hint}"

    def _is_flat(self, values: Any) -> bool:
        """Whether the file leaves the steps out that are not written."""
        for step in self.unwritten:
            values = values[step] if _is_in(values, step) else None
        return bool(self.unwritten) and values is not None

    def _names(self, section: tuple[Step, ...], values: Any) -> list[str]:
        """The names that may stand at a place."""
        kind = self._kind_at(section, values)
        for step in section:
            values = values[step]
        model = _model(kind, values)
        return [field.alias or name for name, field in model.model_fields.items()] if model else [*_alternatives(kind)]

    def _kind_at(self, path: tuple[Step, ...], values: Any) -> Any:
        kind: Any = self.root
        for step in path:
            kind = _inside(kind, step, values)
            values = values[step] if _is_in(values, step) else None
        return kind


def _within(place: tuple[Step, ...], other: tuple[Step, ...]) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _once(sentences: Iterable[str]) -> list[str]:
    """Of several sentences that end in the same list of known names, only the first keeps it."""
    found: list[str] = []
    lists: set[str] = set()
    for sentence in sentences:
        told, comma, known = sentence.partition(KNOWN)
        found.append(told if known in lists else told + comma + known)
        lists |= {known} - {""}
    return found


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that nothing has: the nearest one, or all there are."""
    known = list(known)
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"{KNOWN}{', '.join(known) or 'none'}"


def _bare(kind: Any) -> Any:
    """Without what is said about a type, and without None."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        rest = [one for one in get_args(kind) if one is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else kind
    return kind


def _alternatives(kind: Any) -> dict[str, Any]:
    """By key, where a place takes one of several models; {} elsewhere."""
    bare = _bare(kind)
    found: dict[str, Any] = {}
    if get_origin(bare) in (Union, UnionType):
        for one in get_args(bare):
            found |= {tag.tag: _bare(one) for tag in get_args(one)[1:] if isinstance(tag, Tag)}
    return found


def _model(kind: Any, value: Any) -> type[BaseModel] | None:
    """The model that reads a place, by the keys that stand there where there are several."""
    alternatives = _alternatives(kind)
    if alternatives:
        named = [alternatives[key] for key in value if key in alternatives] if isinstance(value, Mapping) else []
        return named[0] if named else None
    bare = _bare(kind)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def _inside(kind: Any, step: Step, value: Any) -> Any:
    """The type of what stands in a section or list."""
    model = _model(kind, value)
    if model is not None:
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        return fields.get(str(step))
    bare = _bare(kind)
    inner = get_args(bare)
    if get_origin(bare) is dict:
        return inner[1]
    return inner[0] if inner and get_origin(bare) in (tuple, list) else None


def _alias(kind: Any, step: Step) -> Step:
    model = _model(kind, None)
    field = model.model_fields.get(str(step)) if model is not None else None
    return step if field is None else field.alias or step


def _is_in(values: Any, step: Step) -> bool:
    if isinstance(values, Mapping):
        return step in values
    return isinstance(values, list | tuple) and isinstance(step, int) and step < len(values)


def _keys(value: Any) -> str:
    if isinstance(value, Mapping):
        return one_of([repr(str(key)) for key in value]) if value else "none"
    return shown(value)


def _expected(entry: Any) -> str:
    """What pydantic's constraint says, in words."""
    context, kind = entry.get("ctx", {}), entry["type"]
    bounds = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
    words = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}
    if kind in bounds:
        return f"must be a number {words[bounds[kind]]} {context[bounds[kind]]:g}"
    if kind == "literal_error":
        return f"must be {str(context['expected']).replace(', ', ' or ')}"
    if kind == "string_too_short":
        return "must be text that is not empty"
    if kind == "string_too_long":
        return f"must be text of at most {context['max_length']} characters"
    if kind == "too_short" and context["min_length"] > 1:
        return f"must be a list of at least {context['min_length']}"
    if kind == "too_long":
        return f"must be a list of at most {context['max_length']}"
    return f"must be {_PLAIN.get(kind.split('_')[0], 'something else')}"


_PLAIN = {
    "float": "a number",
    "finite": "a number",
    "int": "a whole number",
    "string": "text",
    "bool": "true or false",
    "dict": "a section of names and values",
    "model": "a section of names and values",
    "tuple": "a list",
    "too": "a list or section that is not empty",
}
