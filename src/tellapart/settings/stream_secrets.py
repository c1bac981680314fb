"""What a stream file takes from the environment, and how it stays out of messages, health and logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

Step = int | str
_SHORTEST = 3  # what is shorter is no secret, and stands in too many words
_NAMED = re.compile(r"\$\{([^}]*)\}")
# rtsp://user:password@camera: what stands before the last @ of the host is nobody's business.
_USER = re.compile(r"(?<=://)[^/?#\s'\"]*@")


@dataclass(slots=True)
class Environment:
    """Fills in `${NAME}`. `used` are the values that sources got, by name; `missing` the places of names nobody set."""

    variables: Mapping[str, str]
    used: dict[str, str] = field(default_factory=dict)
    missing: list[tuple[tuple[Step, ...], str]] = field(default_factory=list)

    def filled(self, value: Any, path: tuple[Step, ...] = ()) -> Any:
        """Nested plain values with what the names stand for."""
        if isinstance(value, Mapping):
            return {name: self.filled(one, (*path, name)) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.filled(one, (*path, number)) for number, one in enumerate(value)]
        return _NAMED.sub(lambda match: self._value(match, path), value) if isinstance(value, str) else value

    def _value(self, match: re.Match[str], path: tuple[Step, ...]) -> str:
        name = match[1]
        if name not in self.variables:
            self.missing.append((path, name))
            return match[0]
        if path[-1] == "source" and len(self.variables[name]) >= _SHORTEST:
            self.used[name] = self.variables[name]
        return self.variables[name]


def hidden(text: str, secrets: Mapping[str, str]) -> str:
    """`text` with every secret, plain or as addresses write it, replaced by the name it has; and without users of addresses."""
    for name, value in sorted(secrets.items(), key=lambda pair: -len(pair[1])):
        for form in {value, quote(value, safe=""), quote(value), unquote(value)}:
            if form:
                text = text.replace(form, f"${{{name}}}")
    return _USER.sub("***@", text)
