"""What is tried out follows from the data and leaves alone what a person named."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.records import Task
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_file import read_recipe
from tellapart.training.search.space import Around, Space, default_space, named_fields

SMALL = Around(Task.MULTICLASS, "builtin", (64, 96), ("builtin", "timm/small"), ("builtin",), rate=2e-4)


class Drawn:
    """Stands for a trial of Optuna that takes the last choice and the middle of a range."""

    def suggest_categorical(self, _name: str, values: tuple[Any, ...]) -> Any:
        return values[-1]

    def suggest_float(self, _name: str, low: float, high: float, *, log: bool) -> float:
        assert log
        return (low * high) ** 0.5


def names(space: Space) -> list[str]:
    return [one.name for one in space.dimensions]


def test_all_that_is_not_named_is_tried() -> None:
    assert names(default_space(Recipe(), SMALL)) == [
        "method",
        "probe: backbone",
        "probe: size",
        "finetune: size",
        "finetune: finetune.augmentation.preset",
        "finetune: finetune.loss.name",
        "finetune: finetune.optimizer.lr",
        "finetune: finetune.tune",
        "probe: class_weight",
    ]


def test_what_is_named_stays_even_if_it_is_the_default() -> None:
    base = read_recipe(changes=["loss.name=auto", "size=64", "method=finetune", "lr=auto"], search=True)
    again = read_recipe(base)
    assert named_fields(again) == named_fields(base) == {
        ("method",), ("size",), ("finetune", "loss", "name"), ("finetune", "optimizer", "lr"),
    }  # fmt: skip
    assert names(default_space(again, SMALL)) == ["finetune: finetune.augmentation.preset", "finetune: finetune.tune"]


def test_without_the_library_of_networks_only_heads_are_tried() -> None:
    here = Around(Task.BINARY, "builtin", (64, 96), ("builtin", "timm/small"))
    assert names(default_space(Recipe(), here)) == ["probe: backbone", "probe: size", "probe: class_weight"]


def test_a_whole_preprocessing_leaves_the_size_alone() -> None:
    base = Recipe(method="probe", preprocess="decode|upright|fit(96)")
    assert names(default_space(base, SMALL)) == ["probe: backbone", "probe: class_weight"]


def test_losses_are_those_of_the_task() -> None:
    space = default_space(Recipe(), Around(Task.MULTILABEL, "builtin", networks=("builtin",), rate=2e-4))
    assert next(one.values for one in space.dimensions if one.name.endswith("loss.name")) == ("auto", "asymmetric")


def test_random_weights_all_learn() -> None:
    base = read_recipe(changes=["start=scratch"], search=True)
    assert "finetune: finetune.tune" not in names(default_space(base, SMALL))


def test_the_frozen_probe_comes_first_and_the_recipe_as_a_training_second() -> None:
    first, second = default_space(Recipe(), SMALL).starting_points()
    assert first == {
        "method": "probe",
        "probe: backbone": "builtin",
        "probe: size": None,
        "probe: class_weight": "balanced",
    }
    assert second == {
        "method": "finetune",
        "finetune: size": None,
        "finetune: finetune.augmentation.preset": "standard",
        "finetune: finetune.loss.name": "auto",
        "finetune: finetune.optimizer.lr": 2e-4,
        "finetune: finetune.tune": "full",
    }


def test_a_draw_is_a_recipe_with_the_rest_as_it_was() -> None:
    base = read_recipe(changes=["epochs=4"], search=True)
    space = default_space(base, SMALL)
    chosen = space.drawn(Drawn())
    recipe = space.recipe(chosen)
    assert (recipe.method, recipe.size, recipe.finetune.epochs) == ("finetune", 96, 4)
    assert (recipe.finetune.loss.name, recipe.finetune.tune) == ("logit_adjustment", "head_then_all")
    assert recipe.finetune.optimizer.lr == pytest.approx(1.3e-4)
    assert space.names(chosen)["finetune: size"] == 96


def test_a_size_belongs_to_one_backbone() -> None:
    chosen = default_space(Recipe(method="probe"), SMALL).drawn(Drawn())
    assert chosen == {("backbone",): "timm/small", ("class_weight",): "none"}
