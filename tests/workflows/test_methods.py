"""The ways to train beside the probe: every one ends in a model that answers, and says how it came about."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import quick_train

import tellapart as ta
from tellapart.classifier.storage import load_enclosures
from tellapart.errors import Reason, TellapartError
from tellapart.heads.aims import Aim
from tellapart.settings.recipe import Method, Recipe
from tellapart.training.linear_probe import ProbeOptions
from tellapart.workflows.export import export
from tellapart.workflows.methods import METHODS, maker_of
from tellapart.workflows.reference import read_splits
from tellapart.workflows.train import train
from tellapart.workflows.verify import verify

THREE = ("bad", "good", "odd")


def shots(root: Path, per_class: int) -> Path:
    return write_folders(root / "parts", dict.fromkeys(THREE, per_class))


def proven(model: Path) -> ta.Classifier:
    """The loaded model, once it has answered as when it was trained, and so has its ONNX file."""
    assert verify(model).max_difference <= 1e-4
    exported = export(model, model.with_suffix(".onnx"))
    assert exported.max_difference < 1e-4
    return ta.load(model)


def test_every_method_of_a_recipe_is_there() -> None:
    assert set(METHODS) == set(get_args(Method))


def test_one_image_per_class_makes_a_model_that_admits_it_was_not_judged(tmp_path: Path) -> None:
    trained = quick_train(shots(tmp_path, 1), method="few-shot", output=tmp_path / "model")
    assert trained.evaluation is None
    assert trained.card.metrics == {"summary": ["not measured: no image is left to judge on"]}
    assert trained.card.training["judged_on"] == (
        "nothing: every class has one image or group, so how often the answers are right is not known"
    )
    assert any(line.startswith("warning     nothing has calibrated") for line in trained.card.training["summary"])
    loaded = proven(tmp_path / "model")
    assert loaded.evaluation is None
    assert loaded.predict(png_bytes(class_picture(2, 0))).predicted == ("odd",)
    assert not (tmp_path / "model" / "report.html").exists()


def test_a_few_images_all_teach_and_judge(tmp_path: Path) -> None:
    trained = quick_train(shots(tmp_path, 4), method="few-shot", output=tmp_path / "model")
    assert trained.card.training["splits"] == {"train": 12, "val": 0, "test": 0}
    assert trained.card.training["judged_on"] == (
        "held-out folds of all 12 images, which chose the thresholds too: without a test split the figures are somewhat "
        "too good"
    )
    assert not [line for line in trained.card.training["summary"] if "no sample is in" in line]
    assert trained.evaluation is not None
    assert trained.evaluation.n == 12
    assert trained.evaluation.headline.low is not None
    assert trained.card.head["fitted_by"] == "few-shot"
    assert trained.card.head["chosen"] in trained.card.head["held_out_log_loss"]
    assert proven(tmp_path / "model").predict(png_bytes(class_picture(1, 99))).predicted == ("good",)


def test_a_test_split_of_ones_own_is_kept(tmp_path: Path) -> None:
    for index, name in enumerate(THREE):
        for split, numbers in (("train", range(3)), ("test", range(3, 5))):
            folder = tmp_path / "parts" / split / name
            folder.mkdir(parents=True)
            for number in numbers:
                (folder / f"{number}.png").write_bytes(png_bytes(class_picture(index, number)))
    trained = quick_train(tmp_path / "parts", method="few-shot")
    assert trained.card.training["splits"] == {"train": 9, "val": 0, "test": 6}
    assert trained.card.training["judged_on"] == "the 6 images of the held-back split"


def test_images_that_an_earlier_model_held_back_stay_so(tmp_path: Path) -> None:
    parts = shots(tmp_path, 6)
    quick_train(parts, output=tmp_path / "model")
    before = read_splits(load_enclosures(tmp_path / "model").reference)
    quick_train(parts, method="few-shot", output=tmp_path / "model")
    after = read_splits(load_enclosures(tmp_path / "model").reference)
    assert after == before
    assert "test" in after.values()


@pytest.mark.parametrize("head", ["logistic", "svm"])
def test_hog_reads_edges(tmp_path: Path, head: str) -> None:
    recipe = {"method": "hog", "head": head}
    trained = trained_by(recipe, shots(tmp_path, 8), output=tmp_path / "model")
    assert trained.backbone.name == "hog"
    assert trained.card.head.get("fitted_by") == ("svm" if head == "svm" else None)
    assert trained.evaluation is not None
    assert trained.evaluation.metrics["accuracy"].value > 0.5
    assert proven(tmp_path / "model").card.preprocess == "decode|upright|squash(64)"


def test_sift_counts_words_of_the_training_images(tmp_path: Path) -> None:
    trained = trained_by({"method": "sift", "head": "svm", "size": 64}, shots(tmp_path, 8), output=tmp_path / "model")
    n_train = trained.card.training["splits"]["train"] + trained.card.training["splits"]["val"]
    assert trained.card.backbone["notes"] == (
        f"Dense SIFT, {75 * n_train // 20} visual words, a spatial pyramid of 21 places. The words are centres of "
        f"{75 * n_train:,} descriptors of {n_train} training images."
    )
    assert trained.card.preprocess == "decode|upright|squash(64)"
    assert trained.evaluation is not None
    assert trained.evaluation.metrics["accuracy"].value > 0.5
    loaded = proven(tmp_path / "model")
    assert loaded.predict(png_bytes(class_picture(2, 0))).predicted == ("odd",)


def trained_by(recipe: dict[str, Any], data: Path, **options: Any) -> ta.Classifier:
    return train(data, recipe=Recipe(**recipe), golden=2, **options)


def test_the_probe_still_wants_images_to_judge_it(tmp_path: Path) -> None:
    with pytest.raises(TellapartError) as caught:
        quick_train(shots(tmp_path, 1))
    assert caught.value.reason is Reason.NO_TEST_DATA


def test_a_head_is_fitted_again_as_it_was() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(12, 5)).astype(np.float32), np.eye(3, dtype=np.uint8)[np.arange(12) % 3]
    schema = ta.LabelSchema.from_names(THREE, task=ta.Task.MULTICLASS)
    for name in ("few-shot", "dynamic", "svm", None):
        probe = maker_of(name).fit(x, labels, np.arange(12), schema, ProbeOptions(Aim.parse("argmax")))
        assert probe.facts.get("fitted_by") == name
