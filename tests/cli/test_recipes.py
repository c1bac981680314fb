"""Recipes on the command line: `train` with options, `--recipe` and `--set`, and the noun `recipes`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from tests.builders import write_folders
from tests.classifier.models import backbone_file, own_copy
from tests.cli.command import run

import tellapart as ta
from tellapart.cli import recipe_options
from tellapart.heads.rejection import REJECTION_FITS
from tellapart.settings import recipe as words
from tellapart.settings.named_recipes import recipe_names
from tellapart.settings.recipe import Recipe
from tellapart.settings.recipe_fields import recipe_fields
from tellapart.workflows import train as workflow


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes that `train` was called with; nothing is trained."""
    write_folders(tmp_path / "parts", {"bad": 1, "good": 1})
    monkeypatch.chdir(tmp_path)
    found: list[Recipe] = []

    def train(*_: object, recipe: Recipe, **__: object) -> None:
        found.append(recipe)
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "train", train)
    return found


def test_options_become_a_recipe(asked: list[Recipe]) -> None:
    options = ["--method", "finetune", "--backbone", "timm/resnet18", "--size", 96, "--aim", "argmax"]
    network = ["--start", "scratch", "--tune", "full", "--epochs", 3, "--batch-size", 8, "--lr", "1e-3"]
    more = ["--augment", "light", "--loss", "focal", "--sampler", "balanced", "--processes", 2, "--set", "gamma=1"]
    run("train", "parts", *options, "--class-weight", "none", *network, *more)
    finetune = {
        "start": "scratch", "epochs": 3, "batch_size": 8, "optimizer": {"lr": 0.001}, "augmentation": {"preset": "light"},
        "loss": {"name": "focal", "gamma": 1}, "sampler": "balanced", "processes": 2,
    }  # fmt: skip
    own = {"method": "finetune", "backbone": "timm/resnet18", "size": 96, "aim": "argmax", "class_weight": "none"}
    assert asked == [Recipe.model_validate({**own, "finetune": finetune})]


def test_without_options_it_is_the_defaults(asked: list[Recipe]) -> None:
    run("train", "parts")
    assert asked == [Recipe()]


def test_a_recipe_by_name_and_by_file(asked: list[Recipe], tmp_path: Path) -> None:
    run("train", "parts", "--recipe", "defects", "--epochs", 2, "--lr", "find")
    assert (asked[0].method, asked[0].finetune.epochs, asked[0].finetune.optimizer.lr) == ("finetune", 2, "find")
    (tmp_path / "mine.yaml").write_text("aim: argmax\n", encoding="utf-8")
    run("train", "parts", "--recipe", "mine.yaml")
    assert asked[1] == Recipe(aim="argmax")


FINETUNE = ["--method", "finetune"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--epochs", 3], "--epochs works with the method 'finetune', not 'probe'"),
        (["--method", "hog", "--lr", 1], "--lr works with the method 'finetune', not 'hog'"),
        (["--method", "hog", "--set", "loss={}"], "--set loss works with the method 'finetune', not 'hog'"),
        (
            [*FINETUNE, "--label-noise", "drop"],
            "--label-noise works with the method 'probe', 'few-shot', 'dynamic', 'hog' or 'sift', not 'finetune'",
        ),
        ([*FINETUNE, "--batch-size", 0], "--batch-size: finetune.batch_size is a whole number of at least 1, got 0"),
        ([*FINETUNE, "--lr", "fast"], "--lr: finetune.optimizer.lr is a number above 0, 'auto' or 'find', got 'fast'"),
        ([*FINETUNE, "--lr", "nan"], "--lr: finetune.optimizer.lr is a number above 0, 'auto' or 'find', got nan"),
        (["--set", "zzz=3"], "--set zzz=3: there is no 'zzz' in a recipe, known are " + ", ".join(Recipe.model_fields)),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_exit_code_2_before_anything_is_read(
    asked: list[Recipe], options: list[object], told: str
) -> None:
    ran = run("train", "nowhere", *options)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: the options cannot be used: {told} [bad_setting]\n"
    assert asked == []


def test_a_fault_of_a_file_names_its_line(asked: list[Recipe], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("finetune:\n  epoch: 3\n", encoding="utf-8")
    assert run("train", "parts", "--recipe", "mine.yaml").err == (
        "error: the recipe mine.yaml cannot be used: line 2: there is no 'epoch' in finetune; did you mean 'epochs'? "
        "[bad_setting]\n"
    )


def test_the_words_of_the_options_are_those_of_a_recipe() -> None:
    assert get_args(words.Method) == recipe_options.METHODS
    assert get_args(words.Preset) == recipe_options.PRESETS
    assert get_args(words.LossName) == recipe_options.LOSSES
    assert get_args(words.SamplerName) == recipe_options.SAMPLERS
    assert get_args(words.Recipe.model_fields["rejection"].annotation) == recipe_options.REJECTIONS
    assert ("auto", *REJECTION_FITS) == recipe_options.REJECTIONS
    assert get_args(words.Finetune.model_fields["tune"].annotation) == recipe_options.TUNINGS
    assert set(recipe_options.FIELDS.values()) <= set(recipe_fields())


def test_the_help_is_in_parts() -> None:
    out = run("train", "--help").out
    headings = [line for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Options:",
        "Answers:",
        "Good images alone (--method anomaly):",
        "The network itself (--method finetune):",
        "A search:",
        "Data:",
        "The run:",
    ]
    assert out.index("--costs") < out.index("The network itself") < out.index("--epochs") < out.index("Data:")


def test_a_model_remembers_its_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    parts = write_folders(tmp_path / "parts", {"bad": 6, "good": 6})
    options = ["--backbone", backbone_file(), "--set", "aim=argmax", "--golden", 0]
    assert run("train", parts, "-o", tmp_path / "model", *options).code == 0
    card = ta.load(tmp_path / "model").card
    assert card.training["recipe"] == {"backbone": backbone_file().name, "aim": "argmax"}


def test_recipes_are_listed_and_shown() -> None:
    listed = run("recipes", "list")
    assert [line.split()[0] for line in listed.out.splitlines()] == list(recipe_names())
    assert [one["name"] for one in run("recipes", "list", "--json").json] == list(recipe_names())
    shown = run("recipes", "show", "defects")
    assert shown.out.startswith("# ")
    assert run("recipes", "show", "defects", "--json").json["method"] == "finetune"


def test_showing_checks(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("size: big\n", encoding="utf-8")
    ran = run("recipes", "show", tmp_path / "mine.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("line 1: size is a whole number from 8 to 4096 or null, got 'big' [bad_setting]\n")
    assert run("recipes", "show", "defect").err == (
        "error: there is no recipe and no file 'defect', known recipes are "
        f"{', '.join(recipe_names())}; did you mean 'defects'? [bad_setting]\n"
    )


def test_resume_and_restart_are_about_a_training_of_the_network_that_was_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folders(Path("parts"), {"bad": 1, "good": 1})
    assert run("train", "parts", "-o", "m", "--resume").err == (
        "error: an unfinished training can be resumed or restarted where the method is 'finetune' and an output is named "
        "[bad_setting]\n"
    )
    finetune = ["train", "parts", "-o", "m", "--method", "finetune"]
    assert run(*finetune, "--resume").err == (
        "error: there is no unfinished training in m.run to go on with; leave out --resume [bad_setting]\n"
    )
    Path("m.run/job").mkdir(parents=True)
    ran = run(*finetune)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: an unfinished training lies in m.run: go on with --resume, or throw it away")


def test_of_a_model_the_recipe_that_it_was_trained_by_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    parts = write_folders(tmp_path / "parts", {"bad": 6, "good": 6})
    options = ["--backbone", backbone_file(), "--class-weight", "none", "--golden", 0]
    assert run("train", parts, "-o", tmp_path / "m.zip", *options).code == 0
    shown = run("recipes", "show", tmp_path / "m.zip")
    assert (shown.code, shown.out) == (0, f"backbone: {backbone_file().name}\nclass_weight: none\n")
    (tmp_path / "mine.yaml").write_text(shown.out, encoding="utf-8")
    assert run("recipes", "show", tmp_path / "mine.yaml").out == shown.out


def test_a_model_of_a_time_before_recipes_says_so(tmp_path: Path) -> None:
    copy = own_copy(tmp_path)
    card = json.loads((copy / "model.json").read_text(encoding="utf-8"))
    card["training"].pop("recipe", None)
    (copy / "model.json").write_text(json.dumps(card), encoding="utf-8")
    ran = run("recipes", "show", copy)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: the model {copy} does not tell by which recipe it was trained [bad_setting]\n"
