"""Recipes from names, files and options, and back to text: defaults < recipe < options < changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tellapart.errors import Reason, SettingsError
from tellapart.settings.given import Given, together
from tellapart.settings.named_recipes import recipe_names, recipe_text
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_faults import contradictions, faults_of, unknown_field
from tellapart.settings.recipe_fields import ending_in, one_of, recipe_fields
from tellapart.settings.recipe_yaml import parse, parse_value
from tellapart.settings.text_file import read_text

MAX_BYTES = 64 * 1024
Source = Recipe | Mapping[str, Any] | str | Path


def read_recipe(
    source: Source | None = None,
    *,
    options: Given | None = None,
    changes: Sequence[str] = (),
    search: bool = False,
) -> Recipe:
    """The recipe of a name (`recipe_names`), a YAML file, nested values or a `Recipe`, with what options and changes say.

    `changes` are written NAME=VALUE; the name may be the end of a field's path, as in `loss.name=focal` for
    `finetune.loss.name`, and the value is YAML. A section that is given is joined with what lies below it. A `search` tries
    methods out: then nothing is refused because the recipe's own method does not heed it.

    Raises:
        SettingsError: `bad_setting`, with every fault in one sentence each and the line or option it stands in.
    """
    asked = together([options or Given(), *map(_change, changes)])
    whole = _given(source).then(asked)
    faults = list(whole.faults)
    try:
        recipe = Recipe.model_validate(_without_empty_sections(whole.values, ()))
        faults += contradictions(recipe, Given() if search else asked)
    except ValidationError as exc:
        faults += faults_of(exc, whole)
    if faults:
        raise SettingsError(Reason.BAD_SETTING, f"{_told(source)} cannot be used: {'; '.join(faults)}")
    return recipe


def recipe_with(source: Source | None = None, **values: Any) -> Recipe:
    """`read_recipe` where each of the recipe's own fields in `values` that is not None has the last word."""
    given = {name: value for name, value in values.items() if value is not None}
    return read_recipe(source, options=Given(given, {(name,): "" for name in given}))


def differences(recipe: Recipe) -> dict[str, Any]:
    """What differs from the defaults, as plain values for JSON and YAML."""
    return recipe.model_dump(mode="json", exclude_defaults=True)


def for_card(recipe: Recipe) -> dict[str, Any]:
    """`differences` for a model that others get: of the user's files the names alone, and no address of a server."""
    tidy: dict[str, Any] = {} if not Path(recipe.backbone).is_file() else {"backbone": Path(recipe.backbone).name}
    finetune: dict[str, Any] = {"mlflow": None}
    if recipe.finetune.distillation is not None:
        teacher = Path(recipe.finetune.distillation.teacher).name
        finetune["distillation"] = recipe.finetune.distillation.model_copy(update={"teacher": teacher})
    tidy["finetune"] = recipe.finetune.model_copy(update=finetune)
    return differences(recipe.model_copy(update=tidy))


def as_yaml(recipe: Recipe) -> str:
    """What differs from the defaults, as a text that `read_recipe` reads from a file; all defaults: one comment."""
    import yaml

    found = differences(recipe)
    if not found:
        return "# the defaults\n"
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120)


def recipe_source(source: str | Path) -> str:
    """The YAML text of a recipe by its name, or of a file.

    Raises:
        SettingsError: `bad_setting`.
    """
    if isinstance(source, str) and source in recipe_names():
        return recipe_text(source)
    path = Path(source)
    return read_text(
        path,
        f"the recipe {path}",
        be="a recipe",
        max_bytes=MAX_BYTES,
        refuse=lambda sentence: SettingsError(Reason.BAD_SETTING, sentence),
        missing=_no_recipe(str(source)),
    )


def _told(source: Source | None) -> str:
    if source is None:
        return "the options"
    return "the recipe" if isinstance(source, Recipe | Mapping) else f"the recipe {source}"


def _given(source: Source | None) -> Given:
    if source is None:
        return Given()
    if isinstance(source, Recipe):
        return Given(source.model_dump(mode="json", exclude_unset=True))  # what was named, also where it is the default
    if isinstance(source, Mapping):
        return Given(source)
    return parse(recipe_source(source))


def _no_recipe(name: str) -> str:
    near = get_close_matches(name, recipe_names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no recipe and no file {name!r}, known recipes are {', '.join(recipe_names())}{hint}"


def _change(text: str) -> Given:
    name, found, value = text.partition("=")
    short, place = tuple(name.strip().split(".")), f"--set {text}"
    if not found:
        return Given.failed(f"{place}: it is written NAME=VALUE, such as --set loss.name=focal")
    paths = ending_in(short)
    if len(paths) > 1:
        meant = one_of([".".join(path) for path in paths])
        return Given.failed(f"{place}: {name.strip()} can mean {meant}; write which")
    if not paths:
        return Given.failed(f"{place}: {unknown_field(_within_finetune(short))}")
    try:
        return Given.one(paths[0], parse_value(value), place)
    except ValueError as exc:
        return Given.failed(f"{place}: {exc}")


def _within_finetune(short: tuple[str, ...]) -> tuple[str, ...]:
    """The path that was probably meant, so that the suggestion comes from the right section."""
    for start in (short, ("finetune", *short)):
        if not start[:-1] or start[:-1] in recipe_fields():
            return start
    known = recipe_fields()
    return next(short[:n] for n in range(1, len(short) + 1) if short[:n] not in known)


def _without_empty_sections(values: Any, path: tuple[str, ...]) -> Any:
    """A section whose lines are all commented out is nothing in YAML; it means that nothing differs."""
    kept = {}
    for name, value in values.items():
        here = recipe_fields().get((*path, name))
        if value is None and here is not None and here.is_section and "null" not in here.wanted:
            continue
        inner = isinstance(value, Mapping) and here is not None and here.is_section
        kept[name] = _without_empty_sections(value, (*path, name)) if inner else value
    return kept
