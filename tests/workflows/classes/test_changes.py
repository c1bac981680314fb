"""Changes of classes on a live model: what they do to its answers, its files and what it remembers."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.workflows.classes.models import dynamic_model, model_of_two, more_images, photos

from tellapart.classifier.storage import load, load_enclosures, read_card
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, ModelError, Reason, SettingsError, TellapartError, TrainingError
from tellapart.evaluation.evaluation import Evaluation
from tellapart.evaluation.evaluation import evaluate as evaluate_arrays
from tellapart.heads.aims import Aim, CostTable
from tellapart.heads.class_statistics import ClassStatistics
from tellapart.records import Label, LabelSchema, Roi, Sample, Task
from tellapart.training.class_file import CLASSES, from_bytes
from tellapart.workflows.classes.add import add_classes
from tellapart.workflows.classes.live import opened
from tellapart.workflows.classes.merge import merge_classes
from tellapart.workflows.classes.rename import rename_class
from tellapart.workflows.classes.renamed import renamed_evaluation, renamed_schema
from tellapart.workflows.classes.retire import retire_class
from tellapart.workflows.classes.rows import Rows
from tellapart.workflows.classes.split import split_class
from tellapart.workflows.classes.undo import undo_change
from tellapart.workflows.classes.wording import lines_of
from tellapart.workflows.evaluate import evaluate
from tellapart.workflows.export import export
from tellapart.workflows.verify import verify


def statistics_of(model: Path) -> ClassStatistics:
    return from_bytes(load_enclosures(model).others[CLASSES])


def expected_statistics(model: Path) -> ClassStatistics:
    """Of the images that the model remembers, all of which fit: in one go."""
    rows, schema = Rows.read(load_enclosures(model).reference), read_card(model).schema
    ids = np.array([label.id for label in schema.labels])[rows.columns(schema)]
    assert rows.has_vector.all()
    return ClassStatistics.of(rows.embeddings[rows.teaches], ids[rows.teaches])


def assert_as_one_fit(model: Path) -> None:
    """The statistics that grew by changes are those of one fit, to 1e-9 of their size."""
    grown, fresh = statistics_of(model), expected_statistics(model)
    assert grown.ids == fresh.ids
    assert (grown.counts == fresh.counts).all()
    assert np.abs(grown.sums - fresh.sums).max() <= 1e-9 * np.abs(fresh.sums).max()
    assert np.abs(grown.scatter - fresh.scatter).max() <= 1e-9 * np.abs(fresh.scatter).max()


def assert_whole(model: Path) -> None:
    """Every file is as the card says, and the golden images are answered as noted."""
    assert verify(model).n_golden == 3


def test_a_new_class_gets_a_new_id_and_answers(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    before = read_card(model)
    data = more_images(tmp_path / "new", {"yellow": (3, 12)})
    change = add_classes(model, data)
    card = read_card(model)
    assert change.labels == card.schema.names == ("blue", "green", "red", "yellow")
    assert card.schema.labels[:3] == before.schema.labels
    assert card.schema.labels[3] == Label(3, "yellow")
    assert (change.version, change.parent, change.model_id) == (2, before.model_id, card.model_id)
    assert (card.training["version"], card.training["parent"]) == (2, before.model_id)
    assert card.data["by_label"] == {**before.data["by_label"], "yellow": 12}
    assert (card.data["used"], card.data["seen"]) == (48, 48)
    answers = load(model).predict([str(path) for path in sorted((data / "yellow").iterdir())])
    assert sum(one.predicted == ("yellow",) for one in answers) >= 10
    assert_whole(model)
    assert_as_one_fit(model)
    assert evaluate(model, photos(), cache_dir=tmp_path / "cache").evaluation.labels[3] == "yellow"
    assert export(model, tmp_path / "m.onnx").n_golden == 3


def test_known_classes_learn_from_more_images_and_known_images_do_not_count_twice(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    data = more_images(tmp_path / "more", {"red": (2, 3), "pink": (4, 6)})
    for path in sorted((photos() / "red").iterdir())[:4]:
        shutil.copy(path, data / "red" / f"again-{path.name}")
    shutil.copy(data / "pink" / "0000.png", data / "pink" / "copy.png")
    change = add_classes(model, data)
    assert change.told[:3] == (
        "data        14 images seen: 9 new, 4 known already, 1 repeated",
        "new         pink: 6 images",
        "more        red: 3 images",
    )
    assert read_card(model).data["by_label"] == {"blue": 12, "green": 12, "red": 15, "pink": 6}
    assert_as_one_fit(model)


def test_an_image_known_under_another_label_is_left_and_told(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    data = more_images(tmp_path / "more", {"blue": (0, 2)})
    red = sorted((photos() / "red").iterdir())[0]
    shutil.copy(red, data / "blue" / "red.png")
    change = add_classes(model, data)
    assert change.told[1] == (
        "warning     1 images are known under another label and were left as they are, the first blue/red.png: 'red' in the "
        "model, 'blue' here"
    )
    assert read_card(model).data["by_label"] == {"blue": 14, "green": 12, "red": 12}


def test_bad_files_are_listed_and_files_under_two_labels_refused(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    data = more_images(tmp_path / "more", {"pink": (4, 6), "grey": (5, 6)})
    (data / "pink" / "broken.png").write_bytes(b"no image")
    shutil.copy(data / "pink" / "0000.png", data / "grey" / "pink.png")
    change = add_classes(model, data)
    assert [(one.uri, one.code) for one in change.refusals] == [
        ("pink/broken.png", "not_an_image"),
        ("grey/pink.png", "label_conflict"),
    ]
    card = read_card(model)
    assert card.data["refused"] == {"label_conflict": 1, "not_an_image": 1}
    assert card.data["by_label"]["pink"] == 5


def test_too_few_images_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    before = (model / "model.json").read_bytes()
    data = more_images(tmp_path / "new", {"pink": (4, 4)})
    with pytest.raises(TrainingError) as caught:
        add_classes(model, data)
    assert caught.value.reason is Reason.TOO_FEW_IMAGES
    assert str(caught.value) == (
        "the class 'pink' would have 4 images, and 5 are asked for; add more images of it, or ask for fewer with --min-images"
    )
    assert (model / "model.json").read_bytes() == before
    assert add_classes(model, data, min_images=4).labels[-1] == "pink"


def test_near_duplicates_count_as_one_image(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    data = tmp_path / "same"
    more_images(data, {"pink": (4, 3)})
    table = Dataset.read(data)
    for number in range(3):
        shutil.copy(data / "pink" / f"{number:04d}.png", data / "pink" / f"next-{number}.png")
        with (data / "pink" / f"next-{number}.png").open("ab") as file:
            file.write(b"other bytes")  # the same pixels under another id
    assert len(table) == 3
    with pytest.raises(
        TrainingError, match="would have 6 images, 3 when near-duplicates count as one, and 5 are asked for"
    ):
        add_classes(model, data)


def test_nothing_new_changes_nothing(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    with pytest.raises(DataError) as caught:
        add_classes(model, photos())
    assert caught.value.reason is Reason.DATASET_EMPTY
    assert str(caught.value) == "none of the 36 images is new to the model, so nothing would change"
    assert read_card(model).training.get("version") is None


def test_two_classes_become_three(tmp_path: Path) -> None:
    model = model_of_two(tmp_path)
    assert read_card(model).schema.task is Task.BINARY
    add_classes(model, more_images(tmp_path / "new", {"worn": (2, 8)}))
    schema = read_card(model).schema
    assert (schema.task, schema.positive, schema.names) == (Task.MULTICLASS, None, ("bad", "good", "worn"))
    assert_whole(model)
    assert_as_one_fit(model)
    undo_change(model)
    assert (read_card(model).schema.task, read_card(model).schema.positive) == (Task.BINARY, "bad")
    assert_whole(model)


def test_a_large_class_is_held_back_from_and_a_small_one_is_not(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    add_classes(model, more_images(tmp_path / "new", {"pink": (4, 60), "grey": (5, 20)}))
    rows = opened(model).rows
    splits = {name: set(rows.splits[np.array(rows.labels) == name]) for name in ("pink", "grey")}
    assert splits == {"pink": {"train", "val", "test"}, "grey": {"train"}}


def test_merging_is_as_if_the_images_had_always_been_one_class(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    change = merge_classes(model, ["red", "blue"], "warm")
    assert change.labels == ("green", "warm")
    assert [label.id for label in read_card(model).schema.labels] == [1, 3]
    assert read_card(model).data["by_label"] == {"green": 12, "warm": 24}
    assert_whole(model)
    assert_as_one_fit(model)


def test_a_merged_class_may_keep_a_name_but_not_the_id(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    merge_classes(model, ["red", "blue"], "red")
    assert {label.name: label.id for label in read_card(model).schema.labels} == {"green": 1, "red": 3}


def test_retiring_is_as_if_the_class_had_never_been(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    change = retire_class(model, "green")
    assert change.labels == ("blue", "red")
    assert_as_one_fit(model)
    assert_whole(model)
    added = add_classes(model, photos())
    assert {label.name: label.id for label in read_card(model).schema.labels} == {"blue": 0, "red": 2, "green": 3}
    assert added.told[0] == "data        36 images seen: 12 new, 24 known already"
    assert_as_one_fit(model)


def test_images_that_come_back_go_where_they_were(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    before = opened(model).rows
    split_of = dict(zip(before.ids, before.splits.tolist(), strict=True))
    retire_class(model, "green")
    add_classes(model, photos())
    after = opened(model).rows
    assert dict(zip(after.ids, after.splits.tolist(), strict=True)) == split_of
    assert after.gone.height == 0


def test_splitting_puts_the_pieces_in_the_place_of_the_class(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    data = more_images(tmp_path / "pieces", {"dark red": (2, 3), "light red": (3, 6)})
    known = sorted((photos() / "red").iterdir())
    for path in known[:5]:
        shutil.copy(path, data / "dark red" / f"known-{path.name}")
    change = split_class(model, "red", data)
    assert change.labels == ("blue", "green", "dark red", "light red")
    assert change.told == (
        "data        14 images seen: 9 new, 5 known of 'red'",
        "split       red → dark red 8 + light red 6",
        "left        7 images of 'red' leave: the data does not say which piece they show",
    )
    assert read_card(model).data["by_label"] == {"blue": 12, "green": 12, "dark red": 8, "light red": 6}
    history = opened(model).history
    assert history.latest.mapping == {0: (0,), 1: (1,), 2: (3, 4)}
    assert_as_one_fit(model)
    assert_whole(model)


def test_a_piece_may_be_called_like_the_class(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    data = more_images(tmp_path / "pieces", {"red": (2, 6), "yellow": (3, 6)})
    split_class(model, "red", data)
    assert {label.name: label.id for label in read_card(model).schema.labels}["red"] == 3


def test_a_preview_changes_nothing_and_says_what_would(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    data = more_images(tmp_path / "new", {"near red": (2, 10)})
    seen = add_classes(model, data, preview=True)
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["colours", "new"]
    assert (seen.preview, seen.version, seen.model_id) == (True, 1, None)
    made = add_classes(model, data)
    assert made.effect == seen.effect
    assert made.effect is not None
    assert json.loads(json.dumps(made.to_json()))["effect"]["classes"][3]["label"] == "near red"
    one = {found.label: found for found in made.effect.classes}
    assert one["near red"].recall_before is None
    assert one["near red"].held_out == 10
    # The same pictures under two names: the old class must lose, and the images that it loses are named.
    assert one["red"].lost > 0
    assert one["red"].examples[0].before == "red"
    assert one["red"].examples[0].uri.startswith("red/")
    assert lines_of(seen)[0] == "preview     add: nothing was changed"
    assert lines_of(made)[0] == "version     2: add"


def test_any_model_can_rename(tmp_path: Path) -> None:
    from tests.classifier.models import own_copy

    model = own_copy(tmp_path)
    before = load(model)
    change = rename_class(model, "green", "emerald")
    after = load(model)
    assert (change.labels, change.effect) == (("blue", "emerald", "red"), None)
    assert after.schema.labels[1] == Label(1, "emerald")
    assert (after.head.arrays()["weight"] == before.head.arrays()["weight"]).all()
    assert after.evaluation is not None
    assert after.evaluation.labels == ("blue", "emerald", "red")
    assert b"emerald" in load_enclosures(model).report
    assert b">green<" not in load_enclosures(model).report
    assert "emerald" in " ".join(after.evaluation.advice.sentences)
    assert "green" not in " ".join(after.evaluation.advice.sentences)
    assert after.evaluation.headline == before.evaluation.headline  # type: ignore[union-attr]
    assert_whole(model)
    undo_change(model)
    assert load(model).card.model_id == before.card.model_id
    assert load_enclosures(model).report == load_enclosures(before.location).report
    assert_whole(model)


def as_read(evaluation: Evaluation) -> Evaluation:
    """With its figures rounded as evaluation.json has them."""
    return Evaluation.from_json(evaluation.to_json())


def test_a_renamed_label_of_several_is_named_everywhere() -> None:
    schema = LabelSchema.from_names(["cap", "cap on", "label"], task=Task.MULTILABEL)
    targets = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], np.uint8)
    found = evaluate_arrays(np.full((3, 3), 0.4), targets, schema)
    assert "Not one image of label is in" in found.advice.sentences[-2]
    assert "Fewer than 20 images of cap (2), cap on (2): " in found.advice.sentences[-1]
    data = json.dumps(found.to_json()).encode()
    new = renamed_schema(schema, schema.labels[0], "lid")
    told = renamed_evaluation(data, lambda name: "lid" if name == "cap" else name, new, Aim("argmax"))
    assert told == as_read(evaluate_arrays(np.full((3, 3), 0.4), targets, new))


def test_renaming_an_evaluation_is_evaluating_with_the_other_name() -> None:
    schema = LabelSchema.from_names(["bad", "good"], task=Task.BINARY)
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    columns = np.array([0, 1, 1, 1])
    data = json.dumps(evaluate_arrays(p, columns, schema).to_json()).encode()
    new = renamed_schema(schema, schema.labels[0], "scratched")
    told = renamed_evaluation(data, lambda name: "scratched" if name == "bad" else name, new, Aim("argmax"))
    assert told == as_read(evaluate_arrays(p, columns, new))


def test_renaming_renames_the_counts_on_the_card(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    rename_class(model, "red", "scarlet")
    card = read_card(model)
    assert card.head["images"] == {"blue": 10, "green": 10, "scarlet": 10}
    assert card.data["by_label"] == {"blue": 12, "green": 12, "scarlet": 12}


def test_renaming_the_positive_class_and_a_cost_table(tmp_path: Path) -> None:
    model = model_of_two(tmp_path)
    loaded = load(model)
    aim = Aim.parse("least_cost", costs=CostTable.of({"bad": {"good": 9.0}}))
    thresholds = replace(loaded.thresholds, aim=aim)
    replace(loaded, thresholds=thresholds).with_card(thresholds=thresholds.to_json()).save(model)
    rename_class(model, "bad", "scratched")
    after = load(model)
    assert after.schema.positive == "scratched"
    assert after.thresholds.aim.table.costs == (("scratched", "good", 9.0),)
    assert_whole(model)


def test_models_without_statistics_are_refused_with_the_way_to_get_them(tmp_path: Path) -> None:
    from tests.classifier.models import own_copy

    model = own_copy(tmp_path)
    sentence = (
        f"the classes of {model} can be renamed and nothing else, for it keeps no class statistics: train it again with "
        "`tellapart train DATA --method dynamic`"
    )
    for attempt in (
        lambda: retire_class(model, "red"),
        lambda: merge_classes(model, ["red", "blue"], "x"),
        lambda: add_classes(model, photos()),
        lambda: split_class(model, "red", photos()),
    ):
        with pytest.raises(ModelError) as caught:
            attempt()
        assert (caught.value.reason, str(caught.value)) == (Reason.CLASSES_FIXED, sentence)


@pytest.mark.parametrize(
    ("attempt", "error", "reason", "sentence"),
    [
        (
            lambda m: rename_class(m, "gren", "x"),
            DataError,
            Reason.UNKNOWN_LABEL,
            "there is no class 'gren'; the model knows 'blue', 'green', 'red'; did you mean 'green'?",
        ),
        (
            lambda m: rename_class(m, "green", "red"),
            DataError,
            Reason.LABEL_CONFLICT,
            "there is a class 'red' already; choose another name, or make one class of both with `tellapart classes merge`",
        ),
        (
            lambda m: rename_class(m, "green", "  "),
            SettingsError,
            Reason.BAD_SETTING,
            "a class needs a name of at least one letter",
        ),
        (
            lambda m: merge_classes(m, ["red", "red"], "x"),
            SettingsError,
            Reason.BAD_SETTING,
            "merging takes at least two different classes; to call one by another name use `tellapart classes rename`",
        ),
        (
            lambda m: merge_classes(m, ["red", "blue"], "green"),
            DataError,
            Reason.LABEL_CONFLICT,
            "there is a class 'green' already; choose another name, or make one class of both with `tellapart classes merge`",
        ),
        (
            lambda m: merge_classes(m, ["red", "blue", "green"], "all"),
            DataError,
            Reason.TOO_FEW_CLASSES,
            "merging 'red', 'blue', 'green' would leave 1 class, and a classifier needs at least two; add another class first",
        ),
        (
            lambda m: undo_change(m),
            SettingsError,
            Reason.BAD_SETTING,
            "the classes of {model} were never changed, so there is nothing to undo",
        ),
        (
            lambda m: undo_change(m, to=1),
            SettingsError,
            Reason.BAD_SETTING,
            "version 1 is the one that answers now",
        ),
        (
            lambda m: undo_change(m, to=7),
            SettingsError,
            Reason.UNKNOWN_NAME,
            "there is no version 7; this model has 1 to 1",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    tmp_path: Path, attempt: object, error: type[TellapartError], reason: Reason, sentence: str
) -> None:
    model = dynamic_model(tmp_path)
    with pytest.raises(error) as caught:
        attempt(model)  # type: ignore[operator]
    assert (caught.value.reason, str(caught.value)) == (reason, sentence.format(model=model))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["colours"]


def test_a_class_that_went_is_told_where(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    rename_class(model, "red", "crimson")
    with pytest.raises(DataError) as caught:
        rename_class(model, "red", "scarlet")
    assert str(caught.value) == (
        "there is no class 'red'; the model knows 'blue', 'green', 'crimson'; it was there up to version 1, `tellapart classes "
        "history` tells what became of it"
    )


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        rename_class(dynamic_model(tmp_path), "red", os.fsdecode(b"rouge\xff"))
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == "the name 'rouge\\udcff' is no text: write it in UTF-8"


def test_retiring_one_of_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="retiring 'bad' would leave 1 class"):
        retire_class(model_of_two(tmp_path), "bad")


def test_splits_that_cannot_be_are_refused(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    one_piece = more_images(tmp_path / "one", {"dark": (2, 6)})
    with pytest.raises(SettingsError) as caught:
        split_class(model, "red", one_piece)
    assert str(caught.value) == (
        "splitting 'red' takes images of at least two pieces, each under a label of its own, got 'dark'; to call a class by "
        "another name use `tellapart classes rename`"
    )
    taken = more_images(tmp_path / "taken", {"dark": (2, 6), "blue": (0, 6)})
    with pytest.raises(DataError) as conflict:
        split_class(model, "red", taken)
    assert str(conflict.value) == (
        "the data has images of 'blue', which is a class of its own already; the pieces of 'red' need other names, further "
        "images of a class come with `tellapart classes add`"
    )
    few = more_images(tmp_path / "few", {"dark": (2, 6), "light": (3, 2)})
    with pytest.raises(TrainingError, match="the class 'light' would have 2 images, and 5 are asked for"):
        split_class(model, "red", few)


def test_images_of_several_labels_or_none_are_refused(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    more_images(tmp_path / "new", {"a": (4, 2)})
    table = tmp_path / "table.csv"
    table.write_text("file_name,labels\nnew/a/0000.png,a|b\nnew/a/0001.png,a\n", encoding="utf-8")
    with pytest.raises(DataError, match="this model gives each image exactly one class; name one label for each image"):
        add_classes(model, table)
    flat = tmp_path / "flat"
    shutil.copytree(tmp_path / "new" / "a", flat)
    with pytest.raises(TrainingError, match="none of the images has a label"):
        add_classes(model, flat)


def test_a_model_among_the_data_is_refused(tmp_path: Path) -> None:
    data = more_images(tmp_path / "data", {"pink": (4, 6)})
    model = dynamic_model(data)
    with pytest.raises(SettingsError) as caught:
        add_classes(model, data)
    assert str(caught.value) == (
        f"the model {model} lies inside the data {data}, where its golden images would be read as images of a class; "
        "move one of the two"
    )


def test_regions_of_one_file_are_images_of_their_own(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    more_images(tmp_path / "data", {"any": (4, 6)})
    samples = [
        Sample(f"data/any/{number:04d}.png", (name,), roi=Roi(box, name))
        for number in range(6)
        for name, box in (("left", ((0.0, 0.0), (0.5, 1.0))), ("right", ((0.5, 0.0), (1.0, 1.0))))
    ]
    change = add_classes(model, Dataset.from_samples([*samples, samples[0]], root=tmp_path))
    assert change.told[0] == "data        13 images seen: 12 new, 1 repeated"
    assert read_card(model).data["by_label"] == {"blue": 12, "green": 12, "red": 12, "left": 6, "right": 6}
    assert_as_one_fit(model)


def test_a_name_that_differs_in_letters_only_is_told(tmp_path: Path) -> None:
    change = add_classes(dynamic_model(tmp_path), more_images(tmp_path / "new", {"Red": (2, 6)}), preview=True)
    assert change.told[-1] == (
        "warning     the new class 'Red' is spelt almost like 'red'; if they are one, undo this and rename the label"
    )


def test_a_zip_changes_like_a_folder(tmp_path: Path) -> None:
    model = tmp_path / "colours.zip"
    load(dynamic_model(tmp_path / "folder")).save(model)
    merge_classes(model, ["red", "blue"], "warm")
    assert load(model).labels == ("green", "warm")
    undo_change(model)
    assert load(model).labels == ("blue", "green", "red")
    assert_whole(model)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["colours.zip", "folder"]
