"""Write what docs/recipes.md and docs/recipe.schema.json say about the fields: `python tools/recipe_reference.py`.

A test checks that it was run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tellapart.settings.named_recipes import recipe_names
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_fields import FieldFacts, recipe_fields
from tellapart.settings.recipe_file import read_recipe

DOCS = Path(__file__).parent.parent / "docs"
PAGE, SCHEMA = DOCS / "recipes.md", DOCS / "recipe.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def main() -> None:
    """Write both."""
    SCHEMA.write_text(schema(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def schema() -> str:
    """The JSON schema of a recipe file."""
    return json.dumps({"$schema": _DIALECT, **Recipe.model_json_schema()}, indent=2, ensure_ascii=False) + "\n"


def page(text: str) -> str:
    """The page with its two tables written anew."""
    return _between(_between(text, "named", _named()), "fields", _fields())


def _between(text: str, name: str, lines: list[str]) -> str:
    """`text` with `lines` between the marks of that name; ValueError where a mark is missing."""
    begin, end = f"<!-- {name}: written by tools/recipe_reference.py -->\n", f"\n<!-- /{name} -->"
    start = text.index(begin) + len(begin)
    return text[:start] + "\n".join(lines) + text[text.index(end, start) :]


def _named() -> list[str]:
    rows = [f"| `{name}` | {read_recipe(name).description} |" for name in recipe_names()]
    return ["| recipe | what it is for |", "| --- | --- |", *rows]


def _fields() -> list[str]:
    lines: list[str] = []
    for section in ((), *(path for path, facts in recipe_fields().items() if facts.is_section)):
        lines += _section(section)
    return lines[:-1]


def _section(section: tuple[str, ...]) -> list[str]:
    """A table of the fields that stand in a section themselves."""
    about = recipe_fields()[section].description if section else "What stands at the left margin."
    inside = [(path, facts) for path, facts in recipe_fields().items() if path[:-1] == section and not facts.is_section]
    title = f"### `{'.'.join(section)}`" if section else "### The recipe itself"
    rows = [
        f"| `{path[-1]}` | {_cell(facts.wanted)} | {_default(facts)} | {_cell(facts.description)} |"
        for path, facts in inside
    ]
    return [title, "", about, "", "| field | takes | default | meaning |", "| --- | --- | --- | --- |", *rows, ""]


def _default(facts: FieldFacts) -> str:
    value: Any = facts.default
    if value is None:
        return "needed" if "null" not in facts.wanted else ""
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{json.dumps(value).strip(chr(34))}`" if value != "" else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
