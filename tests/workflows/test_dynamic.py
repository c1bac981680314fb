"""A dynamic model is a model like any other, and keeps what its classes need to change."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import quick_train

import tellapart as ta
from tellapart.classifier.storage import load_enclosures
from tellapart.errors import Reason, TellapartError
from tellapart.heads.linear import LinearHead
from tellapart.training.class_file import CLASSES, from_bytes
from tellapart.training.dynamic import Remembered, refit
from tellapart.training.linear_probe import ProbeOptions
from tellapart.workflows.evaluate import evaluate
from tellapart.workflows.export import export
from tellapart.workflows.verify import verify

NAMES = ("bad", "good", "odd")


def trained(root: Path, counts: tuple[int, ...] = (12, 12, 12), **options: Any) -> ta.Classifier:
    parts = write_folders(root / "parts", dict(zip(NAMES, counts, strict=True)))
    return quick_train(parts, method="dynamic", output=root / "model", **options)


def test_it_answers_proves_itself_and_is_exported(tmp_path: Path) -> None:
    model = trained(tmp_path)
    assert model.evaluation is not None
    assert model.evaluation.metrics["accuracy"].value > 0.6
    assert verify(tmp_path / "model").max_difference <= 1e-4
    assert export(tmp_path / "model", tmp_path / "model.onnx").max_difference < 1e-4
    loaded = ta.load(tmp_path / "model")
    assert loaded.predict(png_bytes(class_picture(2, 0))).predicted == ("odd",)
    assert evaluate(tmp_path / "model", tmp_path / "parts").evaluation.metrics["accuracy"].value > 0.6
    assert (tmp_path / "model" / "report.html").exists()


def test_the_card_tells_how_it_came_about(tmp_path: Path) -> None:
    head = trained(tmp_path).card.head
    assert (head["kind"], head["fitted_by"], head["class_weight"]) == ("linear", "dynamic", "balanced")
    statistics = from_bytes(load_enclosures(tmp_path / "model").others[CLASSES])
    assert head["images"] == dict(zip(NAMES, statistics.counts.tolist(), strict=True))
    assert 0 < head["shrinkage"] < 1


def test_its_statistics_are_of_all_images_but_the_test_split_and_give_its_head_again(tmp_path: Path) -> None:
    model = trained(tmp_path)
    enclosed = load_enclosures(tmp_path / "model")
    rows = pl.read_parquet(io.BytesIO(enclosed.reference))
    statistics = from_bytes(enclosed.others[CLASSES])
    assert statistics.counts.sum() == rows.filter(pl.col("split") != "test").height
    images = Remembered(
        np.array(rows["embedding"].to_list(), np.float32),
        np.array([NAMES.index(labels[0]) for labels in rows["labels"].to_list()]),
        rows["group"].to_numpy().astype(np.int64),
        tuple(rows["split"].to_list()),
    )
    again = refit(statistics, images, model.schema, ProbeOptions(model.thresholds.aim))
    assert isinstance(again.head, LinearHead)
    assert isinstance(model.head, LinearHead)
    np.testing.assert_allclose(again.head.weight, model.head.weight, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(again.head.calibration.temperature, model.head.calibration.temperature, rtol=0.3)


def test_two_classes_are_enough(tmp_path: Path) -> None:
    parts = write_folders(tmp_path / "parts", {"good": 10, "scratch": 10})
    model = quick_train(parts, method="dynamic", output=tmp_path / "model")
    assert model.schema.task is ta.Task.BINARY
    assert verify(tmp_path / "model").max_difference <= 1e-4


def test_one_image_of_each_class_begins_a_model(tmp_path: Path) -> None:
    model = trained(tmp_path, (1, 1, 1))
    assert model.evaluation is None
    assert any("nothing has calibrated the confidence" in line for line in model.card.training["summary"])
    assert ta.load(tmp_path / "model").predict(png_bytes(class_picture(1, 0))).predicted == ("good",)


def test_several_labels_per_image_are_refused(tmp_path: Path) -> None:
    parts = write_folders(tmp_path / "parts", {"a": 4, "b": 4})
    rows = [f"a/{n:04d}.png,a|b" for n in range(4)] + [f"b/{n:04d}.png,b" for n in range(4)]
    (parts / "labels.csv").write_text("\n".join(["filename,labels", *rows]))
    with pytest.raises(TellapartError) as caught:
        quick_train(parts / "labels.csv", method="dynamic")
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == (
        "the method 'dynamic' keeps statistics of one label per image, and these images have several; take the method 'probe'"
    )
