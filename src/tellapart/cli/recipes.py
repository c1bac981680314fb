"""`tellapart recipes list|show`."""

from __future__ import annotations

import click

from tellapart.cli.options import JSON
from tellapart.cli.output import note, plain, pretty


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
@click.argument("recipe", metavar="NAME|FILE")
@JSON
def show(recipe: str, as_json: bool) -> None:
    """Print a recipe with its comments, as a file that `train --recipe` takes; one of your own is checked."""
    from tellapart.settings.recipe_file import differences, read_recipe, recipe_source

    checked = read_recipe(recipe)
    print(pretty(differences(checked)) if as_json else recipe_source(recipe).rstrip())
