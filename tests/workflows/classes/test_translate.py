"""Old predictions in new terms."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from tests.cli.command import run
from tests.workflows.classes.models import dynamic_model, more_images, photos

from tellapart.classifier.storage import load
from tellapart.errors import DataError, Reason, SettingsError, TellapartError
from tellapart.workflows.classes.merge import merge_classes
from tellapart.workflows.classes.rename import rename_class
from tellapart.workflows.classes.retire import retire_class
from tellapart.workflows.classes.split import split_class
from tellapart.workflows.classes.translate import translate_predictions
from tellapart.workflows.classes.undo import undo_change


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Blue is renamed, green retired, red split; predictions of the first version lie beside it in three formats."""
    model = dynamic_model(tmp_path)
    images = tmp_path / "images"
    images.mkdir()
    for color in ("blue", "green", "red"):
        (images / f"{color}.png").write_bytes(sorted((photos() / color).iterdir())[0].read_bytes())
    (images / "bad.png").write_bytes(b"no image")
    assert run("predict", model, images, "--json", "-o", tmp_path / "old.jsonl").code == 0
    assert run("predict", model, images, "--csv", "-o", tmp_path / "old.csv").code == 0
    assert run("predict", model, images, "--parquet", tmp_path / "old.parquet").code == 0
    rename_class(model, "blue", "navy")
    retire_class(model, "green")
    split_class(model, "red", more_images(tmp_path / "pieces", {"dark": (2, 5), "light": (3, 5)}))
    return model


def old_rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "old.jsonl").read_text(encoding="utf-8").splitlines()]


def by_label(results: list[dict[str, object]]) -> dict[str, float]:
    return {str(one["label"]): float(str(one["confidence"])) for one in results}


def test_json_lines(changed: Path, tmp_path: Path) -> None:
    found = translate_predictions(changed, tmp_path / "old.jsonl", tmp_path / "new.jsonl")
    assert (found.by_version, found.n_refused, found.version) == ({1: 3}, 1, 4)
    assert (found.ambiguous, found.retired) == (("red → dark | light",), ("green",))
    new = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text(encoding="utf-8").splitlines()]
    for before, after in zip(old_rows(tmp_path), new, strict=True):
        if "refused" in before:
            assert after == before
            continue
        old = by_label(before["classifierResults"])  # type: ignore[arg-type]
        assert by_label(after["classifierResults"]) == {"navy": old["blue"], "red → dark | light": old["red"]}
        assert by_label(after["retired"]["classifierResults"]) == {"green": old["green"]}
        terms = {"blue": ["navy"], "red": ["red → dark | light"], "green": []}
        assert after["predicted"] == [name for one in before["predicted"] for name in terms[one]]  # type: ignore[attr-defined]
        assert after["retired"]["predicted"] == [one for one in before["predicted"] if one == "green"]  # type: ignore[attr-defined]
        assert (after["modelId"], after["translatedTo"]) == (before["modelId"], load(changed).card.model_id)
        assert (after["uri"], after["oodScore"]) == (before["uri"], before["oodScore"])


def test_parquet_and_csv_say_the_same(changed: Path, tmp_path: Path) -> None:
    translate_predictions(changed, tmp_path / "old.jsonl", tmp_path / "new.jsonl")
    translate_predictions(changed, tmp_path / "old.csv", tmp_path / "new.csv")
    translate_predictions(changed, tmp_path / "old.parquet", tmp_path / "new.parquet")
    lines = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text(encoding="utf-8").splitlines()]
    with (tmp_path / "new.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = pl.read_parquet(tmp_path / "new.parquet")
    assert list(rows[0])[-1] == "refused"
    assert len(lines) == len(rows) == table.height == 4
    for line, row, values in zip(lines, rows, table.iter_rows(named=True), strict=True):
        assert line["uri"] == row["uri"] == values["uri"]
        if "refused" in line:
            assert line["refused"]["code"] == row["refused"] == values["refused"] == "not_an_image"
            continue
        for name, p in by_label(line["classifierResults"]).items():
            assert float(row[f"p:{name}"]) == pytest.approx(p, abs=1e-6)
            assert values[f"p:{name}"] == pytest.approx(p, abs=1e-6)
        assert float(row["retired:green"]) == pytest.approx(values["retired:green"], abs=1e-6)
        assert "|".join(line["predicted"]) == row["predicted"]
        assert line["predicted"] == values["predicted"]
        assert line["retired"]["predicted"] == values["retired"]
        assert values["translated_to"] == load(changed).card.model_id


def test_probabilities_of_merged_classes_add_up(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    run("predict", model, photos() / "red", "--json", "-o", tmp_path / "old.jsonl")
    merge_classes(model, ["red", "blue"], "warm")
    translate_predictions(model, tmp_path / "old.jsonl", tmp_path / "new.jsonl")
    new = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text(encoding="utf-8").splitlines()]
    for before, after in zip(old_rows(tmp_path), new, strict=True):
        old, now = by_label(before["classifierResults"]), by_label(after["classifierResults"])  # type: ignore[arg-type]
        assert now["warm"] == pytest.approx(old["red"] + old["blue"], abs=2e-8)
        assert sum(now.values()) == pytest.approx(1, abs=1e-6)
        assert "retired" not in after


def test_predictions_of_the_present_version_stay(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    merge_classes(model, ["red", "blue"], "warm")
    undo_change(model)
    run("predict", model, photos() / "red", "--json", "-o", tmp_path / "old.jsonl")
    found = translate_predictions(model, tmp_path / "old.jsonl", tmp_path / "new.jsonl")
    assert found.by_version == {3: 12}
    new = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [{k: v for k, v in one.items() if k != "translatedTo"} for one in new] == old_rows(tmp_path)


def test_a_csv_whose_labels_fit_versions_that_differ_asks_which(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    run("predict", model, photos() / "red", "--csv", "-o", tmp_path / "old.csv")
    for old, new in (("red", "x"), ("blue", "red"), ("x", "blue")):  # red and blue change places
        rename_class(model, old, new)
    with pytest.raises(SettingsError) as caught:
        translate_predictions(model, tmp_path / "old.csv", tmp_path / "new.csv")
    assert str(caught.value) == (
        f"the versions 1, 4 of {model} have these labels and mean different things by them, and the predictions do not say "
        "which of them answered: name it with --version"
    )
    translate_predictions(model, tmp_path / "old.csv", tmp_path / "new.csv", version=1)
    with (tmp_path / "new.csv").open(encoding="utf-8", newline="") as file:
        assert {row["predicted"] for row in csv.DictReader(file)} <= {"blue", "green", "red", ""}
    swapped = translate_predictions(model, tmp_path / "old.csv", tmp_path / "new.csv", version=4)
    assert swapped.by_version == {4: 12}


@pytest.mark.parametrize(
    ("name", "content", "error", "reason", "sentence"),
    [
        (
            "p.jsonl",
            '{"uri": "a", "modelId": "other@123", "classifierResults": [], "predicted": []}\n',
            DataError,
            Reason.LABEL_CONFLICT,
            "these predictions are of the model other@123, which is no version of {model}; its versions are {id}",
        ),
        (
            "p.csv",
            "uri,roi,predicted,unknown,ood_score,p:cat,p:dog,refused\na,,cat,False,0.1,0.9,0.1,\n",
            DataError,
            Reason.LABEL_CONFLICT,
            "these predictions have the labels cat, dog, which are those of no version of {model}",
        ),
        (
            "p.jsonl",
            "no json\n",
            DataError,
            Reason.DATASET_FORMAT,
            "{path} is not what `tellapart predict` writes (",
        ),
        ("p.csv", "a,b\n1,2\n", DataError, Reason.DATASET_FORMAT, "{path} is not what `tellapart predict` writes ("),
        ("p.parquet", "PAR1", DataError, Reason.DATASET_FORMAT, "{path} is not what `tellapart predict` writes ("),
        (
            "p.txt",
            "",
            SettingsError,
            Reason.BAD_SETTING,
            "predictions are read from .jsonl, .csv and .parquet, got the name 'p.txt'",
        ),
    ],
)
def test_what_is_no_prediction_of_the_model_is_refused(
    tmp_path: Path, name: str, content: str, error: type[TellapartError], reason: Reason, sentence: str
) -> None:
    model = dynamic_model(tmp_path)
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(error) as caught:
        translate_predictions(model, path, tmp_path / f"new{path.suffix}")
    assert caught.value.reason is reason
    told = sentence.format(model=model, path=path, id=load(model).card.model_id)
    assert str(caught.value).startswith(told)
    assert not (tmp_path / f"new{path.suffix}").exists()


def test_a_missing_file_and_another_format_are_refused(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        translate_predictions(model, tmp_path / "none.csv", tmp_path / "new.csv")
    with pytest.raises(SettingsError, match=r"so its name ends in \.csv, got 'new\.jsonl'"):
        translate_predictions(model, tmp_path / "none.csv", tmp_path / "new.jsonl")
