"""YAML as a recipe may use it: plain values in sections, no key twice, no anchors, no tags, every value with its line.

Numbers, true, false and null are told from text as YAML 1.2 does: `1e-4` is a number, and `no` is text. YAML 1.1, which
PyYAML follows, has it the other way round.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from tellapart.settings.given import Given, Path

_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}


class _Loader(yaml.SafeLoader):
    """Makes no objects but plain values."""


_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), _first)


def parse(text: str, *, such_as: str = "method: finetune") -> Given:
    """The sections of a YAML text; what cannot be read is among the faults. `such_as` is a line of such a file."""
    loader = None
    try:
        loader = _Loader(text)  # finds characters that YAML does not allow
        node = loader.get_single_node()
        if node is None:
            return Given()
        if not isinstance(node, yaml.MappingNode):
            return Given.failed(f"it holds {_kind_of(node)}, expected lines such as {such_as!r}")
        return _Reading(loader).whole(node)
    except yaml.MarkedYAMLError as exc:
        line = f" near line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        return Given.failed(f"it is not YAML{line}: {exc.problem}")
    except yaml.YAMLError as exc:
        return Given.failed(f"it is not YAML: {' '.join(str(exc).split())}")
    except RecursionError:
        return Given.failed("it is nested too deeply")
    finally:
        if loader is not None:
            loader.dispose()


def parse_value(text: str) -> Any:
    """One value as it would stand behind a colon, such as 3, 1e-4, true, focal or {preset: light}.

    Raises:
        ValueError: in words, if it is not YAML.
    """
    given = parse(f"value: {text}")
    if given.faults or set(given.values) != {"value"}:
        raise ValueError("; ".join(given.faults) or "it is more than one value")
    return given.values["value"]


class _Reading:
    """The nodes of one text, each visited once."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self._seen: set[int] = set()
        self._places: dict[Path, str] = {}
        self._faults: list[str] = []

    def whole(self, node: yaml.MappingNode) -> Given:
        values = self._mapping(node, ())
        return Given(values, self._places, tuple(self._faults))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._faults.append(f"{_line(key)}: a name is expected before the colon, got {_kind_of(key)}")
                continue
            where = (*path, key.value)
            if where in self._places:
                self._faults.append(f"{_line(key)}: {'.'.join(where)} was given before, in {self._places[where]}")
                continue
            self._places[where] = _line(key)
            before = len(self._faults)
            read = self._value(value, where)
            if len(self._faults) == before or isinstance(read, dict):  # else it was told of already
                values[key.value] = read
        return values

    def _value(self, node: yaml.Node, path: Path) -> Any:
        if id(node) in self._seen:
            self._faults.append(f"{_line(node)}: {'.'.join(path)} repeats an anchor; write the value out")
            return None
        self._seen.add(id(node))
        if node.tag not in _PLAIN:
            self._faults.append(f"{_line(node)}: {'.'.join(path)} has the tag {node.tag!r:.60}; leave it out")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, str(number))) for number, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _item(self, node: yaml.Node, path: Path) -> Any:
        self._places[path] = _line(node)
        return self._value(node, path)

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        try:
            return self._loader.construct_object(node)
        except (ValueError, KeyError):  # an explicit !!int or !!bool before something else, or thousands of digits
            self._faults.append(f"{_line(node)}: {'.'.join(path)} cannot be read, got {node.value!r:.60}")
            return None


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _kind_of(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a section" if isinstance(node, yaml.MappingNode) else repr(node.value)[:60]
