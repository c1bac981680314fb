"""Recipes from names, files, options and `--set`: who has the last word, and what is said about faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tellapart.errors import Reason, SettingsError
from tellapart.settings.given import Given
from tellapart.settings.recipe import Augmentation, Finetune, Loss, Recipe
from tellapart.settings.recipe_fields import recipe_fields
from tellapart.settings.recipe_file import MAX_BYTES, as_yaml, differences, for_card, read_recipe, recipe_with


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def fault(path: Path | None = None, *changes: str, options: Given | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        read_recipe(path, options=options, changes=changes)
    assert caught.value.reason is Reason.BAD_SETTING
    return str(caught.value)


def test_nothing_said_is_the_defaults() -> None:
    assert read_recipe() == Recipe()
    assert as_yaml(Recipe()) == "# the defaults\n"


def test_a_file_says_what_differs(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, "method: finetune\nfinetune:\n  epochs: 3\n  loss: {name: focal}\n"))
    assert recipe == Recipe(method="finetune", finetune=Finetune(epochs=3, loss=Loss(name="focal")))


def test_options_go_before_the_recipe_and_changes_before_options(tmp_path: Path) -> None:
    path = written(
        tmp_path, "method: finetune\nbackbone: a\nsize: 64\nfinetune: {epochs: 1, batch_size: 4, dropout: 0.5}\n"
    )
    options = Given({"size": 96, "finetune": {"epochs": 2, "batch_size": 8}})
    recipe = read_recipe(path, options=options, changes=["epochs=3", "finetune.epochs=4"])
    assert (recipe.backbone, recipe.size) == ("a", 96)
    assert (recipe.finetune.epochs, recipe.finetune.batch_size, recipe.finetune.dropout) == (4, 8, 0.5)


def test_sections_are_joined_and_not_replaced() -> None:
    recipe = read_recipe(
        changes=["method=finetune", "loss={name: focal, gamma: 3}", "finetune.loss.gamma=1", "loss={smoothing: 0.1}"]
    )
    assert recipe.finetune.loss == Loss(name="focal", gamma=1, smoothing=0.1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("preset=light", Finetune(augmentation=Augmentation(preset="light"))),
        ("augmentation.crop=null", Finetune()),
        ("optimizer.lr=1e-4", Finetune.model_validate({"optimizer": {"lr": 1e-4}})),
        ("lr=find", Finetune.model_validate({"optimizer": {"lr": "find"}})),
        (" augmentation.quarter_turns = true ", Finetune(augmentation=Augmentation(quarter_turns=True))),
        ("precision=32", Finetune(precision="32")),
        ("teacher=big-model", Finetune.model_validate({"distillation": {"teacher": "big-model"}})),
    ],
)
def test_a_change_names_the_end_of_a_path_and_a_yaml_value(change: str, expected: Finetune) -> None:
    assert read_recipe(changes=["method=finetune", change]).finetune == expected


def test_the_head_is_the_recipe_s_own_and_not_a_way_to_tune() -> None:
    assert read_recipe(changes=["method=hog", "head=svm"]) == Recipe(method="hog", head="svm")


def test_all_faults_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "method: finetun\nepochs: 3\nfinetune:\n  augmentatoin: {}\n  epochs: 1.5\n  epochs: 2\n"
        "  loss: 3\n  optimizer:\n    lr: fast\n  distillation: {weight: 2}\n  tensorboard: yes\n  accumulate: true\n",
    )
    assert fault(path, "warmup_epochs=-1") == (
        f"the recipe {path} cannot be used: line 6: finetune.epochs was given before, in line 5; "
        "line 1: method is 'probe', 'finetune', 'few-shot', 'dynamic', 'hog', 'sift' or 'anomaly', got 'finetun'; "
        "line 2: there is no 'epochs' in a recipe; did you mean 'finetune.epochs'?; "
        "line 4: there is no 'augmentatoin' in finetune; did you mean 'augmentation'?; "
        "line 5: finetune.epochs is a whole number of at least 1, got 1.5; "
        "line 7: finetune.loss is a section of names and values, got 3; "
        "line 9: finetune.optimizer.lr is a number above 0, 'auto' or 'find', got 'fast'; "
        "line 10: finetune.distillation.teacher is missing: model folder with the same labels; "
        "line 10: finetune.distillation.weight is a number from 0 to 1, got 2; "
        "line 11: finetune.tensorboard is true or false, got 'yes'; "
        "line 12: finetune.accumulate is a whole number of at least 1, got true; "
        "--set warmup_epochs=-1: finetune.schedule.warmup_epochs is a number of at least 0, got -1"
    )


def test_a_fault_of_an_option_names_the_option() -> None:
    options = Given.one(("finetune", "epochs"), 0, "--epochs")
    assert fault(options=options) == (
        "the options cannot be used: --epochs: finetune.epochs is a whole number of at least 1, got 0"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("focal", "it is written NAME=VALUE, such as --set loss.name=focal"),
        (
            "name=focal",
            "name can mean finetune.loss.name, finetune.optimizer.name or finetune.schedule.name; write which",
        ),
        ("los.name=focal", "there is no 'los' in a recipe; did you mean 'finetune.loss'?"),
        ("finetune.los.name=focal", "there is no 'los' in finetune; did you mean 'loss'?"),
        ("loss.nam=focal", "there is no 'nam' in finetune.loss; did you mean 'name'?"),
        ("loss.rank=3", "there is no 'rank' in finetune.loss; did you mean 'finetune.lora.rank'?"),
        ("lora.zzz=3", "there is no 'zzz' in finetune.lora, known are rank, alpha"),
        ("epochs=[1", "it is not YAML near line 1: expected ',' or ']', but got '<stream end>'"),
        ("epochs=1\nsize: 3", "it is more than one value"),
        ("dropout=.nan", "finetune.dropout is a number of at least 0 and below 1, got '.nan'"),
        ("epochs=", "finetune.epochs is a whole number of at least 1, got nothing"),
        ("mixup=yes", "finetune.augmentation.mixup is a number of at least 0 or null, got 'yes'"),
        ("loss=[focal]", "finetune.loss is a section of names and values, got a list"),
    ],
)
def test_what_is_said_about_a_change(change: str, told: str) -> None:
    assert fault(None, change) == f"the options cannot be used: --set {change}: {told}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a\n- b\n", "it holds a list, expected lines such as 'method: finetune'"),
        ("finetune", "it holds 'finetune', expected lines such as 'method: finetune'"),
        ("method: a: b\n", "it is not YAML near line 1: mapping values are not allowed here"),
        ("a: b\n---\nc: d\n", "it is not YAML near line 2: but found another document"),
        (
            "finetune:\n  loss: &x {gamma: 1}\n  lora: *x\n",
            "line 2: finetune.lora repeats an anchor; write the value out",
        ),
        ("size: !!python/object:x 3\n", "line 1: size has the tag 'tag:yaml.org,2002:python/object:x'; leave it out"),
        ("size: !!int many\n", "line 1: size cannot be read, got 'many'"),
        ("? [a]\n: b\n", "line 1: a name is expected before the colon, got a list"),
        (
            "a: \0\n",
            "it is not YAML: unacceptable character #x0000: special characters are not allowed"
            ' in "<unicode string>", position 3',
        ),
        ("[" * 5000, "it is nested too deeply"),
    ],
)
def test_what_is_said_about_a_text_that_is_no_recipe(text: str, told: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    assert fault(path) == f"the recipe {path} cannot be used: {told}"


def test_sections_with_all_lines_commented_out_are_the_defaults(tmp_path: Path) -> None:
    assert read_recipe(written(tmp_path, "finetune:\n  loss:\n    # name: focal\n")) == Recipe()
    assert read_recipe(written(tmp_path, "# nothing\n")) == Recipe()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    assert fault(path).startswith(f"there is no recipe and no file '{path}', known recipes are ")
    assert fault(tmp_path) == f"the recipe {tmp_path} cannot be read: Is a directory"
    path.write_bytes(b"a: \xff")
    assert fault(path) == f"the recipe {path} cannot be read: it is no UTF-8 text"
    path.write_bytes(b"# " + b"x" * MAX_BYTES)
    assert fault(path) == f"the recipe {path} has more than 64 KiB: it cannot be a recipe"


def test_a_name_that_is_nearly_one_is_suggested() -> None:
    with pytest.raises(SettingsError, match="did you mean 'defects'"):
        read_recipe("defect")


def test_a_recipe_is_text_again_and_the_same_recipe(tmp_path: Path) -> None:
    recipe = read_recipe(
        "defects", changes=["precision=32", "lr=3e-5", "teacher=größer", "description='two\n\n  lines'"]
    )
    assert read_recipe(written(tmp_path, as_yaml(recipe))) == recipe
    assert read_recipe(recipe) == recipe
    assert read_recipe(differences(recipe)) == recipe
    assert differences(Recipe(size=64)) == {"size": 64}


def test_a_value_is_frozen_and_takes_no_text_for_numbers() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().size = 3
    with pytest.raises(ValidationError, match="valid integer"):
        Finetune.model_validate({"epochs": "3"})


_PATHS = st.sampled_from([".".join(path) for path in recipe_fields()])
_VALUES = st.text(max_size=12) | st.integers().map(str) | st.floats().map(str) | st.sampled_from(["{}", "null", "[1]"])


@given(st.lists(st.builds("{}={}".format, _PATHS | st.text(max_size=12), _VALUES), max_size=4))
def test_any_changes_give_a_recipe_or_one_error(changes: list[str]) -> None:
    try:
        result: Recipe | SettingsError = read_recipe(changes=changes)
    except SettingsError as error:
        result = error
    assert isinstance(result, Recipe) or result.reason is Reason.BAD_SETTING


@given(st.text(max_size=60) | st.text(alphabet="finetune:{}[]&*!-? \n\t'\"#|>%@`,", max_size=60))
def test_any_text_gives_a_recipe_or_one_error(text: str) -> None:
    from tellapart.settings.recipe_yaml import parse

    found = parse(text)
    assert isinstance(found.values, dict) or found.faults


def test_the_card_of_a_model_tells_no_paths_and_no_addresses(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    changes = [f"backbone={tmp_path}/net.onnx", f"teacher={tmp_path}/big", "mlflow=http://me:secret@host"]
    assert for_card(read_recipe(changes=["method=finetune", *changes])) == {
        "method": "finetune",
        "backbone": "net.onnx",
        "finetune": {"distillation": {"teacher": "big"}},
    }
    assert for_card(Recipe(backbone="timm/resnet18")) == {"backbone": "timm/resnet18"}


def test_what_would_do_nothing_with_the_method_is_refused() -> None:
    options = Given.one(("finetune", "epochs"), 3, "--epochs")
    assert fault(None, "loss.name=focal", options=options) == (
        "the options cannot be used: --epochs works with the method 'finetune', not 'probe'; "
        "--set loss.name works with the method 'finetune', not 'probe'"
    )
    assert fault(None, "method=sift", "backbone=builtin") == (
        "the options cannot be used: --set backbone works with the method 'probe', 'finetune', 'few-shot', 'dynamic' or "
        "'anomaly', not 'sift'"
    )
    assert fault(None, "method=dynamic", "class_weight=none").endswith(
        "--set class_weight works with the method 'probe', 'finetune', 'few-shot', 'hog' or 'sift', not 'dynamic'"
    )
    assert fault(None, "head=svm").endswith("--set head works with the method 'hog' or 'sift', not 'probe'")


def test_what_a_recipe_says_for_another_method_stays(tmp_path: Path) -> None:
    path = written(tmp_path, "method: finetune\nhead: svm\nfinetune: {epochs: 3}\n")
    assert read_recipe(path, changes=["method=probe"]).finetune.epochs == 3


def test_size_and_preprocess_exclude_each_other() -> None:
    assert fault(None, "size=64", "preprocess=decode|upright|fit(32)") == (
        "the options cannot be used: preprocess names its size itself, and size is 64: set one of them to null"
    )
    assert read_recipe("ppe-uniform-colour", changes=["size=64", "preprocess=null"]).size == 64


def test_own_fields_beside_a_recipe_have_the_last_word() -> None:
    assert recipe_with("defects", method=None, size=64).size == 64
    with pytest.raises(SettingsError, match=r"^the options cannot be used: aim is text, got 3$"):
        recipe_with(aim=3)


def test_nested_values_are_checked_as_a_file_is() -> None:
    with pytest.raises(SettingsError) as caught:
        read_recipe({"methode": "probe", "finetune": {"epochs": "3"}})
    assert str(caught.value) == (
        "the recipe cannot be used: finetune.epochs is a whole number of at least 1, got '3'; "
        "there is no 'methode' in a recipe; did you mean 'method'?"
    )
