"""A contact sheet of a data set, and what the check of augmentations says of its labels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.protocol import Evidence
from tellapart.data.hygiene.variants import AUGMENTATIONS, Variants
from tellapart.errors import DataError, Reason
from tellapart.records import Label, LabelSchema, Task
from tellapart.settings.recipe import Augmentation
from tellapart.workflows.augment import augment
from tellapart.workflows.label_safety import LabelSafety, label_safety


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    return write_folders(tmp_path / "parts", {"blue": 8, "red": 8})


def test_a_few_images_of_each_class_are_drawn(parts: Path) -> None:
    seen = augment(parts, Augmentation(preset="light"), measure=False, backbone=backbone_file())
    assert len(seen.uris) == 6
    assert [sum(label in uri for uri in seen.uris) for label in ("blue", "red")] == [3, 3]
    assert Image.open(io.BytesIO(seen.sheet)).format == "PNG"
    assert seen.safety is None
    assert seen.lines()[0].startswith("preset    light: for a short training")
    assert seen.to_json()["labels"] is None


def test_the_labels_are_measured_as_the_check_does(parts: Path, tmp_path: Path) -> None:
    seen = augment(parts, Augmentation(preset="standard"), backbone=backbone_file(), cache_dir=tmp_path / "cache")
    assert seen.safety is not None
    assert seen.safety.n_images == 16
    assert {one.name: one.used for one in seen.safety.survivals} == {
        "horizontal flips": True,
        "vertical flips": False,
        "rotations by 90 degrees": False,
        "rotations by 180 degrees": False,
        "changes of hue": True,
    }
    assert len(seen.to_json()["labels"]) == 5


def test_it_says_why_the_labels_cannot_be_measured(parts: Path, tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(png_bytes(class_picture(0, i)))
    bare = Dataset.read(parts)
    lone = bare.subset([label.endswith("0.png") for label in bare.uris])
    few = augment(lone, Augmentation(), backbone=backbone_file())
    assert few.lines()[-1] == (
        "labels    not measured: it takes images of at least two classes and 3 groups that are not near-duplicates"
    )
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "a.png").write_bytes(png_bytes())
    without = augment(folder, Augmentation(), backbone=backbone_file())
    assert without.lines()[-1] == "labels    not measured: there are no labels"


def test_bad_images_are_passed_over_and_none_at_all_is_said(parts: Path) -> None:
    damaged = sorted(parts.glob("blue/*.png"))
    for path in damaged[1:]:
        path.write_bytes(b"no picture")
    seen = augment(parts, Augmentation(), measure=False, backbone=backbone_file())
    assert len(seen.uris) == 6
    assert sum("blue" in uri for uri in seen.uris) == 1
    for path in parts.rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        augment(parts, Augmentation(), measure=False, backbone=backbone_file())
    assert caught.value.reason is Reason.DATASET_EMPTY
    assert str(caught.value).startswith("none of the images can be shown: ")


def test_the_size_that_is_asked_for_is_seen(parts: Path) -> None:
    seen = augment(parts, Augmentation(), measure=False, backbone=backbone_file(), size=48)
    assert seen.spec.size == (48, 48)


def evidence(lost: str, recognised: float = 1.0) -> Evidence:
    """400 images of four classes, this share recognised, but no "left" any more when `lost` is done."""
    dataset = Dataset.from_samples([])
    labels = np.eye(4, dtype=np.uint8)[np.arange(400) % 4]
    right = labels.astype(bool) & (np.arange(400) < recognised * 400)[:, None]
    without = right & (np.arange(4) != 1)
    varied = {name: np.stack([right, without if name == lost else right]) for name in AUGMENTATIONS}
    schema = LabelSchema(
        Task.MULTICLASS, tuple(Label(i, name) for i, name in enumerate(("blank", "left", "right", "up")))
    )
    variants = Variants(np.arange(400), right, varied)
    return Evidence(
        dataset, schema, labels, np.zeros((400, 1), np.float32), np.zeros((400, 8, 8), np.uint8), variants=variants
    )


def test_what_is_used_and_destroys_a_class_comes_with_a_remedy() -> None:
    safety = label_safety(evidence("horizontal flips"), Augmentation(preset="light"))
    assert safety.lines() == [
        "labels    of 400 images, 100 % recognised by a head that saw others",
        "          horizontal flips: would destroy 'left': a head that learns from them recognises 0.0 % of the images of "
        "'left', and 100 % without",
        "          → against horizontal flips: --set horizontal_flip=0, or another preset",
    ]
    assert [one.name for one in safety.unsafe] == ["horizontal flips"]


def test_what_would_destroy_a_class_and_is_not_used_is_told() -> None:
    safety = label_safety(evidence("changes of hue"), Augmentation(preset="colour-matters"))
    assert safety.unsafe == ()
    assert safety.lines()[1:] == [
        "          horizontal flips: no class is lost, 100 % recognised",
        "          changes of hue, rightly left out: would destroy 'left': a head that learns from them recognises 0.0 % of "
        "the images of 'left', and 100 % without",
    ]


def test_turns_count_from_45_degrees_on_and_both_mirrors_as_half_a_turn() -> None:
    def used(augmentation: Augmentation) -> list[str]:
        return [one.name for one in label_safety(evidence(""), augmentation).survivals if one.used]

    assert used(Augmentation(preset="none", rotation_degrees=30)) == []
    assert used(Augmentation(preset="none", rotation_degrees=45)) == [
        "rotations by 90 degrees",
        "rotations by 180 degrees",
    ]
    assert used(Augmentation(preset="none", horizontal_flip=0.5, vertical_flip=0.1)) == [
        "horizontal flips",
        "vertical flips",
        "rotations by 180 degrees",
    ]
    assert used(Augmentation(preset="small-defects")) == list(AUGMENTATIONS)
    assert label_safety(evidence(""), Augmentation(preset="none")).lines() == [
        "labels    nothing that is used could be measured on 400 images"
    ]


def test_hue_is_measured_with_more_than_is_used_and_says_so() -> None:
    safety = label_safety(evidence("changes of hue"), Augmentation(preset="standard"))
    assert safety.lines()[-1] == (
        "          → against changes of hue (measured with a third of the circle): --set hue=0, or another preset"
    )


def test_without_a_measurement_there_is_a_reason() -> None:
    assert LabelSafety(why="there are no labels").lines() == ["labels    not measured: there are no labels"]


def test_little_is_said_where_little_is_recognised() -> None:
    lines = label_safety(evidence("", recognised=0.4), Augmentation(preset="light")).lines()
    assert lines == [
        "labels    of 400 images, 40 % recognised by a head that saw others",
        "          horizontal flips: no class is lost, 40 % recognised",
        "          so few are recognised that this says little",
    ]
