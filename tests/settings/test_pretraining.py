"""Options of a pre-training: what is given counts, what cannot be is told in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tellapart.errors import SettingsError
from tellapart.settings.pretraining import SIMCLR_VIEWS, Pretraining
from tellapart.settings.pretraining_changes import read_pretraining
from tellapart.settings.recipe_fields import fields_of


def test_without_options_everything_is_as_the_class_says() -> None:
    assert read_pretraining({"epochs": None}) == Pretraining()
    assert Pretraining().augmentation == SIMCLR_VIEWS


def test_a_preset_replaces_the_views_of_simclr() -> None:
    found = read_pretraining({"augmentation": {"preset": "colour-matters"}}, ["augmentation.crop=0.5"])
    assert (found.augmentation.preset, found.augmentation.crop, found.augmentation.hue) == ("colour-matters", 0.5, None)


def test_the_end_of_a_name_is_enough() -> None:
    found = read_pretraining({"method": "dino", "epochs": 3}, ["lr=1e-4", "local_views=2", "dino.temperature=0.2"])
    assert (found.method, found.epochs, found.optimizer.lr) == ("dino", 3, 1e-4)
    assert (found.dino.local_views, found.dino.temperature) == (2, 0.2)


@pytest.mark.parametrize(
    ("options", "changes", "sentence"),
    [
        (
            {},
            ["temperature=1"],
            "--set temperature=1: temperature can mean 'simclr.temperature' or 'dino.temperature'; write which",
        ),
        ({}, ["epoch=3"], "--set epoch=3: there is no 'epoch'; did you mean 'epochs'?"),
        ({}, ["epochs"], "--set epochs: it is written NAME=VALUE, such as --set optimizer.lr=1e-4"),
        ({"epochs": 0}, [], "--epochs: it is a whole number of at least 1, got 0"),
        ({}, ["dino.local_crop=2"], "--set dino.local_crop=2: it is a number above 0 and at most 1, got 2"),
        ({}, ["optimizer.lr=find"], "optimizer.lr find needs labels; name a learning rate, or auto"),
        (
            {},
            ["schedule.name=plateau"],
            "schedule.name plateau needs validation images; without labels there are cosine, one_cycle and constant",
        ),
    ],
)
def test_what_cannot_be_is_told(options: dict[str, object], changes: list[str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_pretraining(options, changes)
    assert str(caught.value) == f"the options cannot be used: {sentence}"


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_pretraining({"epochs": 0}, ["nonsense=1", "batch_size=1"])
    assert str(caught.value) == (
        "the options cannot be used: --set nonsense=1: there is no 'nonsense'; "
        "--epochs: it is a whole number of at least 1, got 0; --set batch_size=1: it is a whole number of at least 2, got 1"
    )


def test_the_page_explains_every_option_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs/pretraining.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]*) \|", page, re.MULTILINE))
    for path, facts in fields_of(Pretraining).items():
        if path[0] in ("augmentation", "optimizer", "schedule") and len(path) > 1:
            continue  # explained with the recipes
        if facts.is_section and path[0] in ("simclr", "dino"):
            continue
        cell = rows[".".join(path)]
        plain = isinstance(facts.default, str | int | float)
        assert not plain or cell.strip("`") == str(facts.default), path
