"""`tellapart recipes list|show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.options import JSON
from tellapart.cli.output import note, plain, pretty
from tellapart.errors import Reason, SettingsError

if TYPE_CHECKING:
    from tellapart.settings.recipe import Recipe


@click.group()
def recipes() -> None:
    """Ways to train that others have thought about: what differs from the defaults, and why."""


@recipes.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List the recipes that ship with tellapart, and what each is for."""
    from tellapart.settings.named_recipes import recipe_names
    from tellapart.settings.recipe_file import read_recipe

    found = {name: read_recipe(name).description for name in recipe_names()}
    if as_json:
        print(pretty([{"name": name, "description": description} for name, description in found.items()]))
        return
    width = max(map(len, found)) + 2
    for name, description in found.items():
        print(plain(f"{name:{width}}{description}"))
    note("\nuse one: tellapart train DATA --recipe NAME; make it yours: tellapart recipes show NAME > mine.yaml")


@recipes.command()
@click.argument("recipe", metavar="NAME|FILE|MODEL")
@JSON
def show(recipe: str, as_json: bool) -> None:
    """Print a recipe with its comments, as a file that `train --recipe` takes; one of your own is checked.

    Of a model it is the recipe that it was trained by: what differed from the defaults then.
    """
    from tellapart.settings.recipe_file import as_yaml, differences, read_recipe, recipe_source

    is_model = Path(recipe).is_dir() or recipe.endswith(".zip")
    checked = _of_model(Path(recipe)) if is_model else read_recipe(recipe)
    text = as_yaml(checked) if is_model else recipe_source(recipe)
    print(pretty(differences(checked)) if as_json else text.rstrip())


def _of_model(model: Path) -> Recipe:
    from tellapart.classifier.storage import read_card
    from tellapart.settings.recipe_file import read_recipe

    kept = read_card(model).training.get("recipe")
    if not isinstance(kept, dict):
        raise SettingsError(Reason.BAD_SETTING, f"the model {model} does not tell by which recipe it was trained")
    return read_recipe(kept)
