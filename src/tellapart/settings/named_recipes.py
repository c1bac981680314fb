"""The recipes that ship with tellapart: commented YAML in `recipes/`, each for one kind of task."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

_SUFFIX = ".yaml"


def recipe_names() -> tuple[str, ...]:
    """Their names, sorted."""
    found = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def recipe_text(name: str) -> str:
    """The YAML of a recipe of that name, with its comments; KeyError if there is none."""
    if name not in recipe_names():
        raise KeyError(name)
    return (_folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def _folder() -> Traversable:
    return resources.files("tellapart.settings") / "recipes"
