"""Files that are there several times, as copies or by their regions, and classes of which nothing would teach."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.classifier.models import quick_train
from tests.workflows.classes.models import dynamic_model, more_images
from tests.workflows.classes.test_changes import assert_as_one_fit, assert_whole

from tellapart.classifier.storage import load_enclosures, read_card
from tellapart.data.dataset import Dataset
from tellapart.errors import Reason, TrainingError
from tellapart.records import Roi, Sample
from tellapart.workflows.classes.add import add_classes
from tellapart.workflows.classes.rows import Rows
from tellapart.workflows.classes.split import split_class
from tellapart.workflows.classes.undo import undo_change

HALVES = (("left", ((0.0, 0.0), (0.5, 1.0))), ("right", ((0.5, 0.0), (1.0, 1.0))))


def splits_of(model: Path) -> dict[str, str]:
    rows = Rows.read(load_enclosures(model).reference)
    return dict(zip(rows.ids, rows.splits.tolist(), strict=True))


def test_a_class_with_copies_of_a_file_can_be_split(tmp_path: Path) -> None:
    data, model = more_images(tmp_path / "data", {"blue": (0, 8), "red": (2, 12)}), tmp_path / "model"
    for number in range(4):
        shutil.copy(data / f"red/{number:04d}.png", data / f"red/copy-{number}.png")
    quick_train(data, output=model, method="dynamic")
    before = splits_of(model)
    for number in range(12):
        piece = tmp_path / "pieces" / ("even", "odd")[number % 2]
        piece.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / f"red/{number:04d}.png", piece)
    change = split_class(model, "red", tmp_path / "pieces", min_images=1)
    assert change.told == ("data        12 images seen: 0 new, 12 known of 'red'", "split       red → even 6 + odd 6")
    assert read_card(model).data["by_label"] == {"blue": 8, "even": 6, "odd": 6}
    assert splits_of(model) == before
    assert_as_one_fit(model)
    assert_whole(model)
    undo_change(model)
    assert read_card(model).data["by_label"] == {"blue": 8, "red": 16}
    assert_as_one_fit(model)


def test_a_class_of_regions_can_be_split_by_region(tmp_path: Path) -> None:
    more_images(tmp_path / "data", {"any": (4, 8), "blue": (0, 8)})
    files = [f"data/any/{number:04d}.png" for number in range(8)]
    plain = [Sample(f"data/blue/{number:04d}.png", ("blue",)) for number in range(8)]
    whole = [Sample(uri, ("half",), roi=Roi(box, "half")) for uri in files for _, box in HALVES]
    model = tmp_path / "model"
    quick_train(Dataset.from_samples([*plain, *whole], root=tmp_path), output=model, method="dynamic")
    before = splits_of(model)
    pieces = [Sample(uri, (name,), roi=Roi(box, name)) for uri in files for name, box in HALVES]
    split_class(model, "half", Dataset.from_samples(pieces, root=tmp_path), min_images=1)
    assert read_card(model).data["by_label"] == {"blue": 8, "left": 8, "right": 8}
    assert splits_of(model) == before
    assert_as_one_fit(model)


def test_a_class_that_nothing_teaches_is_refused(tmp_path: Path) -> None:
    model = dynamic_model(tmp_path)
    more_images(tmp_path, {"new": (4, 12)})
    samples = [Sample(f"new/{number:04d}.png", ("new",), split="test") for number in range(12)]
    with pytest.raises(TrainingError) as caught:
        add_classes(model, Dataset.from_samples(samples, root=tmp_path), min_images=1)
    assert caught.value.reason is Reason.TOO_FEW_IMAGES
    assert str(caught.value) == (
        "every image of the class 'new' is of the split 'test', so none would teach it; put some into 'train'"
    )
    assert read_card(model).schema.names == ("blue", "green", "red")
