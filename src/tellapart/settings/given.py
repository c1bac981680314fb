"""Values that somebody gave, with the place where each was written: the last word about a field is known by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """Nested values, where they were written ("line 3", "--epochs"), and what is wrong with the writing itself."""

    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[Path, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @classmethod
    def one(cls, path: Path, value: Any, place: str) -> Given:
        """A single value at a path such as ("finetune", "epochs")."""
        values: Any = value
        for name in reversed(path):
            values = {name: values}
        return cls(values, {path: place})

    @classmethod
    def failed(cls, fault: str) -> Given:
        """Nothing but something that cannot be used."""
        return cls(faults=(fault,))

    def then(self, later: Given) -> Given:
        """Both, where `later` has the last word: sections are joined, anything else is replaced."""
        values = _joined(self.values, later.values)
        return Given(values, {**self.places, **later.places}, (*self.faults, *later.faults))

    def place(self, path: Path) -> str:
        """Where the value at `path`, or the nearest section around it, was written; "" if nobody wrote it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return ""


def together(parts: Iterable[Given]) -> Given:
    """All of them, the last one with the last word."""
    whole = Given()
    for part in parts:
        whole = whole.then(part)
    return whole


def _joined(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(earlier)
    for name, given in later.items():
        below = result.get(name)
        if isinstance(below, Mapping) and isinstance(given, Mapping):
            result[name] = _joined(below, given)
        else:
            result[name] = given
    return result
