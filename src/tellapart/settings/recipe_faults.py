"""What is wrong with the values of a recipe, in sentences of ours: pydantic's wording changes between versions."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from tellapart.settings.given import Given, Path
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_fields import names_in, one_of, recipe_fields


def faults_of(error: ValidationError, given: Given) -> list[str]:
    """One sentence for each field at fault, with its place, in the order in which the values were given."""
    found: dict[Path, str] = {}
    for entry in error.errors(include_url=False):
        path = _known_path(entry["loc"], unknown=entry["type"] in ("extra_forbidden", "missing"))
        place = given.place(path)
        found.setdefault(path, f"{place}: {_fault(path, entry)}" if place else _fault(path, entry))
    order = {place: number for number, place in enumerate(dict.fromkeys(given.places.values()))}
    return [found[path] for path in sorted(found, key=lambda path: order.get(given.place(path), len(order)))]


def _known_path(location: tuple[int | str, ...], *, unknown: bool) -> Path:
    """Pydantic adds which alternative of a field it tried: those are no part of the path."""
    path = tuple(str(step) for step in location)
    while not unknown and len(path) > 1 and path not in recipe_fields():
        path = path[:-1]
    return path


def _fault(path: Path, entry: Any) -> str:
    name = ".".join(path)
    if entry["type"] == "extra_forbidden":
        return unknown_field(path)
    facts = recipe_fields()[path]
    if entry["type"] == "missing":
        return f"{name} is missing: {facts.description[:1].lower()}{facts.description[1:].rstrip('.')}"
    return f"{name} is {facts.wanted}, got {shown(entry['input'])}"


def unknown_field(path: Path) -> str:
    """That there is no such field, and which may be meant: one of that name elsewhere, a similar one here or elsewhere."""
    *section, name = path
    here, everywhere = names_in(tuple(section)), [other[-1] for other in recipe_fields()]
    near = get_close_matches(name, here, n=1)
    elsewhere = {name} & {*everywhere} or {*get_close_matches(name, everywhere, n=1)}
    message = f"there is no {name!r} in {'.'.join(section) or 'a recipe'}"
    if near and name not in everywhere:
        return f"{message}; did you mean {near[0]!r}?"
    if elsewhere:
        meant = [repr(".".join(other)) for other in recipe_fields() if other[-1] in elsewhere]
        return f"{message}; did you mean {one_of(meant)}?"
    return f"{message}, known are {', '.join(here)}"


# Fields, and the methods that heed them.
_HEEDED_BY: dict[str, tuple[str, ...]] = {
    "finetune": ("finetune",),
    "anomaly": ("anomaly",),
    "aim": ("probe", "finetune", "few-shot", "dynamic", "hog", "sift"),
    "class_weight": ("probe", "finetune", "few-shot", "hog", "sift"),
    "backbone": ("probe", "finetune", "few-shot", "dynamic", "anomaly"),
    "head": ("hog", "sift"),
    "label_noise": ("probe", "few-shot", "dynamic", "hog", "sift"),
    "rejection": ("probe", "few-shot", "dynamic", "hog", "sift"),
    "unknown_share": ("probe", "few-shot", "dynamic", "hog", "sift"),
}


def contradictions(recipe: Recipe, asked: Given) -> list[str]:
    """What cannot go together in a recipe, and what was asked for beside it and would do nothing with its method."""
    found = []
    if recipe.size is not None and recipe.preprocess is not None:
        found.append(f"preprocess names its size itself, and size is {recipe.size}: set one of them to null")
    for path, place in asked.places.items():
        methods = _HEEDED_BY.get(path[0], (recipe.method,))
        if recipe.method not in methods:
            told = place.partition("=")[0] or ".".join(path)
            found.append(
                f"{told} works with the method {one_of([repr(name) for name in methods])}, not {recipe.method!r}"
            )
    return found


def shown(value: object) -> str:
    """A value as YAML has it, cut short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a section"
    return "a list" if isinstance(value, list) else f"{value!r:.80}"
