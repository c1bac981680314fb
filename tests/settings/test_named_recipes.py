"""The recipes that ship: they are in the package, can be used, set what differs, and say why."""

from __future__ import annotations

import os
import re
from importlib import resources
from pathlib import Path

import pytest

from tellapart.backbones.named import parse_name
from tellapart.backbones.registry import BACKBONES
from tellapart.heads.aims import Aim
from tellapart.image.preprocess import PreprocessSpec
from tellapart.settings.named_recipes import recipe_names, recipe_text
from tellapart.settings.recipe_fields import recipe_fields
from tellapart.settings.recipe_file import differences, read_recipe
from tellapart.settings.recipe_yaml import parse
from tellapart.training.augmentation.presets import explain

ROOT = Path(__file__).parents[2]
ALL = pytest.mark.parametrize("name", recipe_names())


def test_the_recipes_that_ship() -> None:
    assert recipe_names() == (
        "chest-xray", "defects", "plant-disease", "ppe-uniform-colour", "product-orientation", "product-presence",
        "vehicle-make-model", "waste-sorting",
    )  # fmt: skip


def test_they_are_package_data_and_the_examples() -> None:
    folder = resources.files("tellapart") / "settings" / "recipes"
    assert {entry.name for entry in folder.iterdir()} == {f"{name}.yaml" for name in recipe_names()}
    link = ROOT / "examples/recipes"
    assert link.is_symlink()
    assert os.readlink(link) == "../src/tellapart/settings/recipes"
    assert link.resolve() == Path(str(folder)).resolve()


def test_only_names_that_ship_have_a_text() -> None:
    with pytest.raises(KeyError):
        recipe_text("../recipe")


@ALL
def test_each_can_be_used(name: str) -> None:
    recipe = read_recipe(name)
    Aim.parse(recipe.aim)
    if recipe.preprocess is not None:
        PreprocessSpec.parse(recipe.preprocess)
    assert recipe.backbone in BACKBONES or parse_name(recipe.backbone) is not None
    assert explain(recipe.finetune.augmentation)


@ALL
def test_each_sets_only_what_differs(name: str) -> None:
    given = parse(recipe_text(name))
    assert given.values == differences(read_recipe(name))


@ALL
def test_each_says_how_it_is_called_and_what_it_is_for(name: str) -> None:
    assert re.match(rf"# tellapart train \S+ --recipe {name}\b", recipe_text(name))
    description = read_recipe(name).description
    assert 20 < len(description) < 110
    assert "\n" not in description


@ALL
def test_each_says_why(name: str) -> None:
    """A comment stands above every setting in its paragraph."""
    lines = recipe_text(name).splitlines()
    for path, place in parse(recipe_text(name)).places.items():
        if recipe_fields()[path].is_section or path == ("description",):
            continue
        number = int(place.removeprefix("line ")) - 1
        start = max(i for i in range(number) if not lines[i].strip())
        assert any(line.lstrip().startswith("#") for line in lines[start:number]), f"{name}: {'.'.join(path)}"
