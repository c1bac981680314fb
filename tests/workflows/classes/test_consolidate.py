"""A full model of what a dynamic one has learned, compared with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import write_folders
from tests.classifier.models import quick_train
from tests.workflows.classes.models import dynamic_model, more_images, photos
from tests.workflows.classes.test_changes import assert_whole

from tellapart.classifier.storage import load, read_card
from tellapart.errors import DataError, SettingsError
from tellapart.workflows.classes.add import add_classes
from tellapart.workflows.classes.consolidate import consolidate
from tellapart.workflows.classes.live import opened
from tellapart.workflows.classes.retire import retire_class


def test_what_is_remembered_trains_a_full_model(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    add_classes(model, more_images(tmp_path / "new", {"pink": (4, 8)}))
    before = (model / "model.json").read_bytes()
    found = consolidate(model, output=tmp_path / "full")
    full = load(tmp_path / "full")
    assert full.schema == load(model).schema
    assert full.card.head.get("fitted_by") is None
    assert full.card.training["parent"] == read_card(model).model_id
    assert found.n_images == 44
    assert found.comparison is not None
    assert found.comparison.names == ("the dynamic model", "the full model")
    test = int((~opened(model).rows.teaches).sum())
    assert found.comparison.difference.n == test > 0
    assert found.verdict in found.lines()[2]
    assert found.to_json()["better"] in (None, "dynamic", "full")
    assert (model / "model.json").read_bytes() == before
    assert_whole(tmp_path / "full")
    pink = full.predict([str(path) for path in sorted((tmp_path / "new" / "pink").iterdir())])
    assert sum(one.predicted == ("pink",) for one in pink) >= 6


def test_data_trains_it_and_images_stay_in_their_split(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    found = consolidate(model, photos(), output=tmp_path / "full", cache_dir=tmp_path / "cache")
    splits = [
        dict(zip(rows.ids, rows.splits.tolist(), strict=True))
        for rows in (opened(model).rows, opened(tmp_path / "full").rows)
    ]
    assert splits[0] == splits[1]
    assert found.n_images == 36


def test_without_a_test_split_held_out_folds_judge(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data" / "train", {"blue": 8, "green": 8, "red": 8})
    model = tmp_path / "model"
    quick_train(data.parent, output=model, method="dynamic")
    assert opened(model).rows.teaches.all()
    change = add_classes(model, more_images(tmp_path / "new", {"pink": (4, 60)}))
    assert change.effect is not None
    assert change.effect.n == 24
    assert change.effect.judged_on == "84 images of 'blue', 'green', 'pink', 'red' in held-out folds"
    assert opened(model).rows.teaches.all()
    found = consolidate(model, output=tmp_path / "full")
    assert found.comparison is not None
    assert found.comparison.difference.n == 84
    retire_class(model, "pink")
    unjudged = consolidate(model, data.parent, output=tmp_path / "full")
    assert unjudged.comparison is None
    assert unjudged.to_json()["better"] is None
    assert unjudged.verdict == "the two models cannot be compared: no image is left that taught neither"


def test_outputs_and_data_that_cannot_be_are_refused(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    with pytest.raises(SettingsError) as caught:
        consolidate(model, output=model)
    assert str(caught.value) == (
        f"the full model would take the place of {model} before anybody has compared them; name another output"
    )
    two = more_images(tmp_path / "two", {"blue": (0, 6), "red": (2, 6)})
    with pytest.raises(DataError) as missing:
        consolidate(model, two, output=tmp_path / "full")
    assert str(missing.value) == (
        "there is no image of 'green', which the model answers; give data with images of all of its classes"
    )
    stranger = more_images(tmp_path / "four", {"blue": (0, 6), "pink": (4, 6)})
    with pytest.raises(DataError, match="unknown label 'pink'"):
        consolidate(model, stranger, output=tmp_path / "full")
    assert not (tmp_path / "full").exists()
