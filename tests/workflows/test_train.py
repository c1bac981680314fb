"""From labelled images to a model: what is counted, split, refused and kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import class_picture, jpeg_bytes, png_bytes, write_folders
from tests.classifier.models import backbone_file, quick_train

import tellapart as ta
from tellapart.classifier.storage import load_enclosures
from tellapart.errors import Reason, TellapartError
from tellapart.workflows.reference import read_splits
from tellapart.workflows.verify import verify

CLASSES = {"bad": 8, "good": 8, "odd": 8}


def splits_of(model: Path) -> dict[str, str]:
    """Image id → split of a saved model."""
    return read_splits(load_enclosures(model).reference)


def refused(action: Any, *args: Any, **options: Any) -> tuple[Reason, str]:
    with pytest.raises(TellapartError) as caught:
        action(*args, **options)
    return caught.value.reason, str(caught.value)


def spoil(folder: Path) -> int:
    """Put 7 bad files among the images of a class; returns 7."""
    good = (folder / "0000.png").read_bytes()
    for name, data in {
        "a.jpg": b"",
        "b.jpg": b"no image",
        "c.png": good[: len(good) // 2],
        "d.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "e.png": bytes(100),
        "f.jpg": b"\xff\xd8\xff\xd9",
    }.items():
        (folder / name).write_bytes(data)
    (folder / "g.png").symlink_to("nowhere.png")
    return 7


def test_a_folder_of_classes_becomes_a_model_that_answers(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    trained = quick_train(tmp_path / "parts", output=tmp_path / "model")
    assert trained.labels == ("bad", "good", "odd")
    assert trained.schema.task is ta.Task.MULTICLASS
    assert trained.card.name == "model"
    assert trained.card.data["seen"] == trained.card.data["used"] == 24
    assert trained.card.data["by_label"] == CLASSES
    assert sum(trained.card.training["splits"].values()) == 24
    loaded = ta.load(tmp_path / "model")
    assert loaded.predict(png_bytes(class_picture(2, 999))).predicted == ("odd",)
    assert loaded.evaluation is not None
    assert trained.evaluation is not None
    assert loaded.evaluation.to_json() == trained.evaluation.to_json()


def test_training_twice_gives_the_same_model(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    first = quick_train(tmp_path / "parts", name="m")
    second = quick_train(tmp_path / "parts", name="m", workers=1)
    assert first.card.model_id == second.card.model_id != "m@"
    np.testing.assert_array_equal(first.head.weight, second.head.weight)


def test_the_second_training_takes_every_image_from_the_cache(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    options: dict[str, Any] = {"output": tmp_path / "model", "cache_dir": tmp_path / "cache"}
    first = quick_train(tmp_path / "parts", **options)
    second = quick_train(tmp_path / "parts", **options)
    assert first.card.training["images_from_cache"] == 0
    assert second.card.training["images_from_cache"] == 24
    assert second.card.model_id == first.card.model_id
    third = quick_train(tmp_path / "parts", **{**options, "backbone": backbone_file("decode|upright|squash(32)")})
    assert third.card.training["images_from_cache"] == 0


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert quick_train(tmp_path / "parts", cache_dir=tmp_path / "cache").card.data["used"] == 24


def test_two_classes_are_binary_and_know_what_they_look_for(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"good": 8, "scratch": 8})
    trained = quick_train(tmp_path / "parts")
    assert (trained.schema.task, trained.schema.positive) == (ta.Task.BINARY, "scratch")
    answer = trained.predict(png_bytes(class_picture(1, 99)))
    assert answer.predicted == ("scratch",)
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-6)


def multilabel_csv(folder: Path, n: int = 24) -> Path:
    """Top half of a picture shows one thing or not, the bottom half another: labels a, b, both or none."""
    folder.mkdir()
    rows = ["file_name,labels,camera"]
    for i in range(n):
        has_a, has_b = i % 2 == 0, i % 4 < 2
        parts = [class_picture(0 if has_a else 3, i)[:24], class_picture(2 if has_b else 3, i)[:24]]
        (folder / f"{i:03d}.png").write_bytes(png_bytes(np.concatenate(parts)))
        labels = [name for name, there in (("a", has_a), ("b", has_b)) if there]
        rows.append(f'{i:03d}.png,"{str(labels).replace(chr(39), chr(34) * 2)}",{"left" if i % 3 else "right"}')
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder / "labels.csv"


def test_several_labels_per_image_are_independent(tmp_path: Path) -> None:
    trained = quick_train(multilabel_csv(tmp_path / "photos", 40))
    assert trained.schema.task is ta.Task.MULTILABEL
    assert trained.card.data["used"] == 40
    both = np.concatenate([class_picture(0, 500)[:24], class_picture(2, 500)[:24]])
    none = np.concatenate([class_picture(3, 500)[:24], class_picture(3, 501)[:24]])
    assert trained.predict(both).predicted == ("a", "b")
    assert trained.predict(none).predicted == ()


def test_metadata_columns_become_slices(tmp_path: Path) -> None:
    trained = quick_train(multilabel_csv(tmp_path / "photos", 160))
    assert trained.evaluation is not None
    assert "camera" in {entry["column"] for entry in trained.evaluation.to_json()["slices"]}


def test_unlabelled_images_are_counted_and_not_used(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    for i in range(3):
        (tmp_path / "parts" / f"new-{i}.png").write_bytes(png_bytes(class_picture(0, 70 + i)))
    facts = quick_train(tmp_path / "parts").card.data
    assert (facts["seen"], facts["used"], facts["unlabelled"], facts["refused"]) == (27, 24, 3, {})
    assert facts["summary"][0] == "data        27 images seen: 24 used, 0 refused, 3 unlabelled"


def test_bad_files_are_listed_and_counted(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    n_bad = spoil(tmp_path / "parts" / "good")
    trained = quick_train(tmp_path / "parts", output=tmp_path / "model")
    facts = trained.card.data
    assert facts["used"] == 24
    assert sum(facts["refused"].values()) == n_bad
    assert facts["seen"] == facts["used"] + n_bad + facts["unlabelled"] == 31
    assert facts["refused"] == {
        "corrupt": 1,
        "empty_file": 1,
        "file_not_found": 1,
        "not_an_image": 2,
        "truncated": 1,
        "unsupported_format": 1,
    }
    report = (tmp_path / "model" / "report.html").read_text()
    assert all(f"good/{name}" in report for name in ("a.jpg", "b.jpg", "c.png", "d.svg", "e.png", "f.jpg", "g.png"))


def test_bad_files_change_no_number(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    clean = quick_train(tmp_path / "parts", name="m")
    spoil(tmp_path / "parts" / "good")
    assert quick_train(tmp_path / "parts", name="m").card.model_id == clean.card.model_id


def test_a_class_of_which_no_image_can_be_used_is_no_label_of_the_model(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    (tmp_path / "parts" / "zebra").mkdir()
    (tmp_path / "parts" / "zebra" / "a.jpg").write_bytes(b"no image")
    trained = quick_train(tmp_path / "parts")
    assert trained.labels == ("bad", "good", "odd")
    wanted = "warning     no image of 'zebra' can be used, so the model does not know it"
    assert wanted in trained.card.data["summary"]


def test_a_sample_never_moves_when_the_data_grow(tmp_path: Path) -> None:
    parts, model = tmp_path / "parts", tmp_path / "model"
    write_folders(parts, CLASSES)
    quick_train(parts, output=model)
    before = splits_of(model)
    for turn in (1, 2):
        for index, name in enumerate(CLASSES):
            for i in range(5):
                (parts / name / f"new-{turn}-{i}.png").write_bytes(png_bytes(class_picture(index, 1000 * turn + i)))
        # Renamed files are the same images: their bytes say so.
        (parts / "bad" / f"000{turn}.png").rename(parts / "bad" / f"renamed-{turn}.png")
        trained = quick_train(parts, output=model, seed=turn)
        after = splits_of(model)
        assert {image: after[image] for image in before} == before
        assert len(after) == 24 + 15 * turn
        assert any(line.startswith("kept ") for line in trained.card.training["summary"])
        before = after


def test_a_model_that_was_damaged_does_not_stop_its_successor(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    quick_train(tmp_path / "parts", output=tmp_path / "model")
    (tmp_path / "model" / "reference.parquet").write_bytes(b"rubbish")
    quick_train(tmp_path / "parts", output=tmp_path / "model")
    assert len(splits_of(tmp_path / "model")) == 24


def split_folders(root: Path) -> Path:
    for split, start, n in (("train", 0, 6), ("val", 100, 2), ("test", 200, 3)):
        for index, name in enumerate(CLASSES):
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                (root / split / name / f"{i}.png").write_bytes(png_bytes(class_picture(index, start + i)))
    return root


def test_split_folders_of_the_user_are_honoured(tmp_path: Path) -> None:
    trained = quick_train(split_folders(tmp_path / "parts"))
    assert trained.card.training["splits"] == {"train": 18, "val": 6, "test": 9}
    assert not [line for line in trained.card.training["summary"] if "leaks" in line]


def test_a_leak_between_split_folders_is_reported(tmp_path: Path) -> None:
    root = split_folders(tmp_path / "parts")
    shutil.copy(root / "train" / "good" / "0.png", root / "test" / "good" / "again.png")
    shutil.copy(root / "train" / "odd" / "1.png", root / "val" / "odd" / "again.png")
    trained = quick_train(root)
    assert trained.card.training["splits"] == {"train": 18, "val": 7, "test": 10}
    (warning,) = [line for line in trained.card.training["summary"] if "leaks" in line]
    assert "the split that images have already leaks: 2 groups are torn apart (4 images " in warning


def test_declared_groups_stay_on_one_side(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    write_folders(folder, CLASSES)
    rows = [
        f"{name}/{i:04d}.png,{name},part-{index}-{i // 2}"
        for index, name in enumerate(CLASSES)
        for i in range(CLASSES[name])
    ]
    (folder / "labels.csv").write_text("file_name,label,group\n" + "\n".join(rows) + "\n")
    trained = quick_train(folder / "labels.csv", output=tmp_path / "model")
    assert trained.card.training["groups"] <= 12
    import io

    import polars as pl

    table = pl.read_parquet(io.BytesIO(load_enclosures(tmp_path / "model").reference))
    assert set(table.group_by("group").agg(pl.col("split").n_unique())["split"].to_list()) == {1}


def test_a_random_split_ignores_groups_and_splits(tmp_path: Path) -> None:
    trained = quick_train(split_folders(tmp_path / "parts"), split="random")
    assert trained.card.training["groups"] == 33
    assert trained.card.training["splits"] != {"train": 18, "val": 6, "test": 9}


def test_without_a_test_split_cross_validation_judges(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    rows = [f"{name}/{i:04d}.png,{name},train" for name in CLASSES for i in range(CLASSES[name])]
    (tmp_path / "parts" / "labels.csv").write_text("file_name,label,split\n" + "\n".join(rows) + "\n")
    trained = quick_train(tmp_path / "parts" / "labels.csv")
    assert trained.evaluation is not None
    assert trained.card.training["judged_on"].startswith("held-out folds of all 24 images")


def costs(folder: Path, text: str) -> Path:
    (folder / "costs.csv").write_text(text)
    return folder / "costs.csv"


def test_a_cost_table_decides(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    table = costs(tmp_path, ",bad,good,odd,unknown\nbad,0,50,5,2\ngood,1,0,1,2\nodd,5,5,0,2\n")
    trained = quick_train(tmp_path / "parts", aim="least_cost", costs=table)
    assert trained.thresholds.aim.costs is not None
    assert trained.thresholds.aim.costs.unknown == 2
    assert "cost" in str(trained.evaluation.to_json() if trained.evaluation else "")
    assert ta.Task.MULTICLASS is trained.schema.task


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the cost table {path} needs a first row with the predicted labels and a row for each actual label"),
        (
            ",bad,good,unknown\nbad,x,1,2\ngood,1,y,3\n",
            "the cost table {path} cannot be used: 'x' for actual 'bad' predicted 'bad' is no number; 'y' for actual "
            "'good' predicted 'good' is no number; asking a person must cost the same for every label, got [2.0, 3.0]",
        ),
    ],
)
def test_a_faulty_cost_table_lists_every_fault(tmp_path: Path, text: str, sentence: str) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    path = costs(tmp_path, text)
    wanted = (Reason.BAD_SETTING, sentence.format(path=path))
    assert refused(quick_train, tmp_path / "parts", aim="least_cost", costs=path) == wanted


@pytest.mark.parametrize(
    "text", [",bad\nnobody,1\n", ",nobody\nbad,1\n", ",bad,good\nbad,-1,nan\n", ",bad,good\nbad,0,inf\n", "\0\n\0\n"]
)
def test_cost_tables_that_mean_nothing_are_refused(tmp_path: Path, text: str) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    path = costs(tmp_path, text)
    reason, _ = refused(quick_train, tmp_path / "parts", aim="least_cost", costs=path)
    assert reason in (Reason.BAD_SETTING, Reason.UNKNOWN_LABEL)


def test_a_missing_cost_table_is_a_setting(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    assert refused(quick_train, tmp_path / "parts", aim="least_cost", costs=tmp_path / "none.csv")[0] is (
        Reason.BAD_SETTING
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"class_weight": "heavy"}, "the options cannot be used: class_weight is 'balanced' or 'none', got 'heavy'"),
        ({"split": "none"}, "the split is 'grouped' or 'random', got 'none'"),
        ({"aim": "least_cost"}, "the aim least_cost needs a cost table (rows actual, columns predicted)"),
    ],
)
def test_wrong_options_say_what_they_take(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    assert refused(quick_train, tmp_path / "parts", **options) == (Reason.BAD_SETTING, sentence)


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"good": 6})
    assert refused(quick_train, tmp_path / "parts") == (
        Reason.TOO_FEW_CLASSES,
        "a classifier needs images of at least two classes, got only 'good'; "
        "add a folder (or label) with images of something else",
    )


def test_one_image_is_not_enough(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"good": 1})
    assert refused(quick_train, tmp_path / "parts")[0] is Reason.TOO_FEW_CLASSES


def test_one_image_per_class_is_not_enough_to_judge(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"bad": 1, "good": 1})
    reason, sentence = refused(quick_train, tmp_path / "parts")
    assert reason in (Reason.NO_TEST_DATA, Reason.TOO_FEW_IMAGES, Reason.TOO_FEW_CLASSES)
    assert sentence.endswith(
        ("or name a test split", "near-duplicates of one another", "with images of something else")
    )


@pytest.mark.parametrize("n", [2, 3, 4])
def test_very_few_images_train_or_say_why_not(tmp_path: Path, n: int) -> None:
    write_folders(tmp_path / "parts", {"bad": n, "good": n, "odd": 1})
    try:
        trained = quick_train(tmp_path / "parts")
    except TellapartError as error:
        assert error.reason in (Reason.NO_TEST_DATA, Reason.TOO_FEW_IMAGES, Reason.TOO_FEW_CLASSES)  # noqa: PT017
    else:
        assert trained.card.data["used"] == 2 * n + 1


def test_an_empty_folder_holds_no_data(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    assert refused(quick_train, tmp_path / "parts") == (
        Reason.DATASET_EMPTY,
        f"{tmp_path / 'parts'} holds no images (folders: root/<class>/* or root/<split>/<class>/*)",
    )


def test_only_bad_files_are_no_data(tmp_path: Path) -> None:
    for name in ("bad", "good"):
        (tmp_path / "parts" / name).mkdir(parents=True)
        (tmp_path / "parts" / name / "a.jpg").write_bytes(b"no image")
    reason, sentence = refused(quick_train, tmp_path / "parts")
    assert reason is Reason.DATASET_EMPTY
    assert sentence.startswith("none of the images can be used, 2 refused; the first: bad/a.jpg")


def test_images_without_labels_say_how_to_give_them(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.png").write_bytes(png_bytes())
    assert refused(quick_train, tmp_path / "parts") == (
        Reason.UNLABELLED,
        "none of the images has a label: put them into one folder per class, or name labels in a CSV (docs/data.md)",
    )


def test_a_folder_that_is_no_model_is_refused_before_the_work(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    stages: list[str] = []
    reason, _ = refused(
        quick_train,
        tmp_path / "parts",
        output=tmp_path / "parts",
        progress=lambda stage, *_: stages.append(stage),
    )
    assert (reason, stages) == (Reason.OUTPUT_EXISTS, [])


def test_a_model_inside_its_data_is_refused(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    inside = tmp_path / "parts" / "model"
    assert refused(quick_train, tmp_path / "parts", output=inside) == (
        Reason.BAD_SETTING,
        f"the model {inside} would lie inside the data {tmp_path / 'parts'}, where its images would be read as data the "
        "next time; name an output outside of it",
    )
    assert not inside.exists()


def test_progress_tells_every_stage(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    seen: list[tuple[str, int, int]] = []
    quick_train(tmp_path / "parts", progress=lambda *step: seen.append(step))
    assert list(dict.fromkeys(stage for stage, _, _ in seen)) == [
        "reading images",
        "finding near-duplicates",
        "fitting the head",
        "evaluating",
        "writing the report",
    ]
    reading = [(done, total) for stage, done, total in seen if stage == "reading images"]
    assert reading[-1] == (24, 24)
    assert reading == sorted(reading)


def test_golden_images_get_names_that_a_zip_takes(tmp_path: Path) -> None:
    for path in write_folders(tmp_path / "parts", {"bad": 8, "good": 8}).rglob("*.png"):
        path.rename(path.with_name(f"{path.stem}.30:15"))
    trained = quick_train(tmp_path / "parts", output=tmp_path / "model.zip")
    assert {image.name for image in trained.enclosures.golden} == {"00.image", "01.image", "02.image"}
    assert verify(tmp_path / "model.zip").n_golden == 3


def test_large_golden_images_are_kept_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index, name in enumerate(("bad", "good")):
        (tmp_path / "parts" / name).mkdir(parents=True)
        for i in range(6):
            big = class_picture(index, i, 48).repeat(10, 0).repeat(10, 1)
            noisy = np.clip(big + rng.normal(0, 25, big.shape), 0, 255).astype(np.uint8)
            (tmp_path / "parts" / name / f"{i}.jpg").write_bytes(jpeg_bytes(noisy, quality=100))
    trained = quick_train(tmp_path / "parts")
    assert trained.enclosures.golden
    assert all(image.name.endswith(".png") and len(image.data) < 20_000 for image in trained.enclosures.golden)


def test_regions_are_samples_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = ["file_name,label,roi"]
    for i in range(16):
        pixels = np.concatenate([class_picture(0, i), class_picture(1, i)], axis=1)
        (folder / f"{i}.png").write_bytes(png_bytes(pixels))
        rows += [f'{i}.png,left,"0,0,0.5,1"', f'{i}.png,right,"0.5,0,1,1"']
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    trained = quick_train(folder / "labels.csv", output=tmp_path / "model", cache_dir=tmp_path / "cache")
    assert trained.card.data["used"] == 32
    again = quick_train(folder / "labels.csv", output=tmp_path / "model", cache_dir=tmp_path / "cache")
    assert again.card.training["images_from_cache"] == 32
    assert again.card.model_id == trained.card.model_id
    assert trained.predict(png_bytes(class_picture(1, 50))).predicted == ("right",)
