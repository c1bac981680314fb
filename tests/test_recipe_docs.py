"""docs/recipes.md and the JSON schema say what the code says, field by field."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tellapart.settings.named_recipes import recipe_names, recipe_text
from tellapart.settings.recipe_fields import recipe_fields

ROOT = Path(__file__).parent.parent
TOOL = runpy.run_path(str(ROOT / "tools/recipe_reference.py"))
PAGE = ROOT / "docs/recipes.md"
SCHEMA = ROOT / "docs/recipe.schema.json"


def test_the_tables_and_the_schema_are_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert TOOL["page"](page) == page, "run: python tools/recipe_reference.py"
    assert TOOL["schema"]() == SCHEMA.read_text(encoding="utf-8"), "run: python tools/recipe_reference.py"


def test_every_field_is_explained_in_its_section() -> None:
    parts = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    explained = {
        (*filter(None, title.strip("`").removeprefix("The recipe itself").split(".")), name): meaning
        for title, _, body in (part.partition("\n") for part in parts)
        for name, meaning in re.findall(r"^\| `(\w+)` \|.* \| (.*) \|$", body, re.MULTILINE)
    }
    assert set(explained) == {path for path, facts in recipe_fields().items() if not facts.is_section}
    assert [path for path, meaning in explained.items() if len(meaning) < 10] == []


def test_every_recipe_that_ships_is_told_of() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in recipe_names() if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("name", recipe_names())
def test_the_schema_takes_the_recipes_that_ship(name: str) -> None:
    validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(yaml.safe_load(recipe_text(name)))


@pytest.mark.parametrize(
    "wrong", [{"methode": "probe"}, {"finetune": {"epochs": 0}}, {"finetune": {"loss": "focal"}}, {"size": "big"}]
)
def test_the_schema_takes_nothing_else(wrong: dict[str, Any]) -> None:
    found = validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert not found.is_valid(wrong)
    assert found.is_valid({"finetune": {"precision": 32, "optimizer": {"lr": 1e-4}}})


def validator(schema: dict[str, Any]) -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)
