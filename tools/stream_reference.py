"""Write what docs/watch.md and docs/stream.schema.json say about the fields: `python tools/stream_reference.py`.

A test checks that it was run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tellapart.settings.stream import (
    SINKS,
    CameraSettings,
    DecisionSettings,
    Motion,
    Reconnect,
    Record,
    Region,
    Sample,
    Stream,
    Trigger,
)

DOCS = Path(__file__).parent.parent / "docs"
PAGE, SCHEMA = DOCS / "watch.md", DOCS / "stream.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
SECTIONS: dict[str, type[BaseModel]] = {
    "stream": Stream,
    "camera": CameraSettings,
    "sample": Sample,
    "motion": Motion,
    "reconnect": Reconnect,
    "region": Region,
    "decision": DecisionSettings,
    "trigger": Trigger,
    "record": Record,
    **SINKS,
}
"""By the name that the page's marks have."""


def main() -> None:
    """Write both."""
    SCHEMA.write_text(schema(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def schema() -> str:
    """The JSON schema of a stream file."""
    return json.dumps({"$schema": _DIALECT, **Stream.model_json_schema()}, indent=2, ensure_ascii=False) + "\n"


def page(text: str) -> str:
    """The page with its tables written anew."""
    for name, model in SECTIONS.items():
        text = _between(text, name, _table(model))
    return text


def _between(text: str, name: str, lines: list[str]) -> str:
    """`text` with `lines` between the marks of that name; ValueError where a mark is missing."""
    begin, end = f"<!-- {name}: written by tools/stream_reference.py -->\n", f"\n<!-- /{name} -->"
    start = text.index(begin) + len(begin)
    return text[:start] + "\n".join(lines) + text[text.index(end, start) :]


def _table(model: type[BaseModel]) -> list[str]:
    rows = [
        f"| `{field.alias or name}` | {_default(field)} | {field.description} |"
        for name, field in model.model_fields.items()
        if name != "emit"
    ]
    return ["| field | default | meaning |", "| --- | --- | --- |", *rows]


def _default(field: Any) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, int | float | str) and value != "":
        return f"`{json.dumps(value).strip(chr(34))}`"
    return ""


if __name__ == "__main__":
    main()
