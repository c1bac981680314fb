"""`model quantize`: the same images on the same sides, an honest comparison, and nothing written when it loses."""

from __future__ import annotations

import functools
import io
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import CLASSES, model, model_folder, photos, quick_train, workbench
from tests.workflows.test_train import multilabel_csv

import tellapart as ta
from tellapart.backbones.graph import GraphBuilder, float_output, image_input, serialise
from tellapart.backbones.protocol import CARD_KEY, BackboneCard
from tellapart.backbones.quantize import Figures
from tellapart.classifier import folder as model_files
from tellapart.classifier.storage import load, load_enclosures, read_card
from tellapart.errors import Reason, TellapartError
from tellapart.evaluation.compare import Comparison
from tellapart.evaluation.intervals import Estimate
from tellapart.workflows import quantize as quantizing
from tellapart.workflows.evaluate import evaluate
from tellapart.workflows.export import export
from tellapart.workflows.int8_result import Int8Model
from tellapart.workflows.predict import predict
from tellapart.workflows.quantize import quantize
from tellapart.workflows.relabelled import _differ
from tellapart.workflows.timing import Timing
from tellapart.workflows.verify import verify


def refused(action: Callable[[], Any]) -> tuple[Reason, str]:
    with pytest.raises(TellapartError) as caught:
        action()
    return caught.value.reason, str(caught.value)


@functools.cache
def made() -> Int8Model:
    """The int8 form of the test model; never written to by a test."""
    return quantize(model_folder(), photos(), output=workbench() / "colours-int8", max_loss=0.2)


@functools.cache
def fragile_backbone() -> Path:
    """Colours beside a channel a thousand times as loud: in float a second layer takes it away, in int8 it is all there is."""
    g = GraphBuilder()
    x = g.add("Transpose", g.add("Cast", "image", to=1), perm=[0, 3, 1, 2])
    first = np.zeros((8, 3, 1, 1), np.float32)
    first[:3, :, 0, 0] = np.eye(3) / 255
    first[3:] = 1000
    x = g.add("Relu", g.add("Conv", x, g.constant(first), kernel_shape=[1, 1]))
    second = np.zeros((6, 8, 1, 1), np.float32)
    second[:3, :3, 0, 0], second[3:, :3, 0, 0] = np.eye(3), np.eye(3)[::-1]
    x = g.add("Conv", x, g.constant(second), kernel_shape=[1, 1])
    g.add("ReduceMean", x, g.ints(2, 3), output="embedding", keepdims=0)
    card = BackboneCard(
        name="fragile", licence="MIT", source="tests", preprocess="decode|upright|fit(32)", embedding_dim=6
    )
    outputs = [float_output("embedding", ["n", 6])]
    made = g.model("fragile", inputs=[image_input()], outputs=outputs, metadata={CARD_KEY: card.to_json()})
    path = workbench() / "fragile.onnx"
    path.write_bytes(serialise(made))
    return path


@functools.cache
def fragile_model() -> Path:
    quick_train(photos(), output=workbench() / "fragile", backbone=fragile_backbone())
    return workbench() / "fragile"


def reference(path: str | Path) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(load_enclosures(path).reference)).sort("id")


def test_the_int8_model_is_a_model(tmp_path: Path) -> None:
    path = Path(made().classifier.location)
    assert verify(path).n_golden == 3
    assert export(path, tmp_path / "one.onnx").max_difference <= 1e-5
    answers = list(predict(path, [photos()]).outcomes)
    right = [isinstance(a, ta.Prediction) and a.predicted == (Path(a.uri).parent.name,) for a in answers]
    assert sum(right) >= 0.9 * len(right)
    judged = evaluate(path, photos(), split="test", against=model_folder())
    assert judged.comparison is not None
    assert judged.evaluation.metrics["accuracy"].value == pytest.approx(made().comparisons[0].second)


def test_the_card_tells_where_it_comes_from() -> None:
    card = read_card(made().classifier.location)
    assert card.name == "colours-int8"
    assert card.model_id == made().classifier.card.model_id != model().card.model_id
    assert card.backbone["name"] == "tiny-int8"
    assert card.backbone["origin_sha256"] == model().backbone.sha256
    origin = card.training["int8"]
    assert origin["parent"] == model().card.model_id
    assert origin["n_images"] == (reference(model_folder())["split"] == "train").sum()
    assert origin["metrics"].keys() == {"accuracy", "f1_macro"}
    assert origin["milliseconds"].keys() == {"float", "int8"}
    assert card.training["summary"][-1].startswith(f"int8        made of {model().card.model_id}: 1.0000 float, ")
    assert card.preprocess == model().card.preprocess
    assert card.thresholds["aim"] == model().card.thresholds["aim"]


def test_every_image_stays_where_it_was() -> None:
    columns = ["id", "split", "labels"]
    assert reference(made().classifier.location).select(columns).equals(reference(model_folder()).select(columns))


def test_the_golden_images_are_those_of_the_parent_with_new_answers() -> None:
    before, after = (load_enclosures(path).golden for path in (model_folder(), made().classifier.location))
    assert [(g.name, g.data) for g in after] == [(g.name, g.data) for g in before]
    assert any(not np.array_equal(a.probabilities, b.probabilities) for a, b in zip(after, before, strict=True))


def test_head_and_scores_are_fitted_to_int8_embeddings() -> None:
    int8 = load(made().classifier.location)
    table = reference(int8.location).filter(pl.col("split") != "test")
    own = int8.answer(np.stack(table["embedding"].to_list()).astype(np.float32))
    np.testing.assert_allclose(own.ood_scores, table["ood_score"].to_numpy(), atol=1e-4)
    assert not np.array_equal(int8.head.weight, model().head.weight)
    assert not np.array_equal(int8.ood.mean, model().ood.mean)


def test_calibration_takes_training_images_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    original = quantizing.quantize_backbone

    def watched(backbone: bytes, pixels: list[np.ndarray], **options: Any) -> Any:
        seen.extend(pixels)
        return original(backbone, pixels, **options)

    monkeypatch.setattr(quantizing, "quantize_backbone", watched)
    result = quantize(model_folder(), photos(), output=tmp_path / "m", max_loss=0.2, n_calibration=6)
    table = reference(model_folder())
    train = {row["uri"] for row in table.iter_rows(named=True) if row["split"] == "train"}
    by_pixels = {model().spec.apply((photos() / uri).read_bytes()).tobytes(): uri for uri in table["uri"]}
    chosen = [by_pixels[pixels.tobytes()] for pixels in seen]
    assert len(set(chosen)) == 6
    assert set(chosen) <= train
    assert sorted(Path(uri).parent.name for uri in chosen) == sorted([*CLASSES] * 2)  # rare classes are seen
    assert result.figures.n_images == 6


def test_the_result_is_told() -> None:
    lines = made().summary()
    assert lines[0] == f"model       {made().classifier.card.model_id}, in int8, from {model().card.model_id}"
    assert re.fullmatch(
        r"calibrated  minmax of 1\d training images; 1 layers in int8, 0 in float; embeddings alike to a cosine of "
        r"(0\.999\d|1\.0000)",
        lines[1],
    )
    number = r"-?\d\.\d{4}"
    told = rf"{number} float, {number} int8, difference [+-]\d\.\d{{4}} \(95 % interval [+-]\S+ to [+-]\S+, n = \d+\)"
    assert re.fullmatch(rf"accuracy    {told}", lines[2])
    assert re.fullmatch(rf"macro F1    {told}", lines[3])
    value = made().to_json()
    assert value["model_id"] == made().classifier.card.model_id
    assert value["metrics"]["accuracy"]["n"] == made().comparisons[0].difference.n
    assert value["path"] == made().classifier.location


def test_a_network_that_int8_breaks_is_refused(tmp_path: Path) -> None:
    reason, text = refused(lambda: quantize(fragile_model(), photos(), output=tmp_path / "m"))
    assert reason is Reason.QUANTIZATION_LOSS
    number = r"0\.\d{4}|1\.0000"
    told = rf"(?:{number}) float, (?:{number}) int8, difference -(?:{number}) \(95 % interval -\S+ to -\S+, n = \d+\)"
    assert re.fullmatch(
        rf"in int8 the model loses (?:{number}), at most 0\.005 is allowed: accuracy {told}; macro F1 {told}; nothing was "
        r"written\. Try another method, more calibration images, or layers kept in float \(docs/quantization\.md\), or "
        r"allow more",
        text,
    )
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_allowed_is_written(tmp_path: Path) -> None:
    poor = quantize(fragile_model(), photos(), output=tmp_path / "poor.zip", max_loss=1)
    assert poor.loss > 0.2
    assert verify(tmp_path / "poor.zip").n_golden == 3


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(model_files, "_replace_folder", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quantize(model_folder(), photos(), output=tmp_path / "m", max_loss=0.2)
    assert list(tmp_path.iterdir()) == []


def test_several_labels_per_image(tmp_path: Path) -> None:
    data = multilabel_csv(tmp_path / "photos", 40)
    quick_train(data, output=tmp_path / "m", aim="recall>=0.5", class_weight="none", seed=3)
    result = quantize(tmp_path / "m", data, output=tmp_path / "m8", max_loss=0.3, cache_dir=tmp_path / "cache")
    assert [one.metric for one in result.comparisons] == ["subset_accuracy", "f1_macro"]
    card = result.classifier.card
    assert (str(result.classifier.thresholds.aim), card.head["class_weight"], card.training["seed"]) == (
        "recall>=0.5",
        "none",
        3,
    )


def test_images_the_model_does_not_know_are_left_out(tmp_path: Path) -> None:
    data = Path(shutil.copytree(photos(), tmp_path / "photos"))
    (data / "violet").mkdir()
    (data / "violet" / "new.png").write_bytes(png_bytes(class_picture(5, 9)))
    result = quantize(model_folder(), data, output=tmp_path / "m", max_loss=0.2)
    assert result.n_left_out == 1
    assert "left out    1 images that the model was not trained or judged with" in result.summary()
    assert reference(tmp_path / "m")["id"].equals(reference(model_folder())["id"])


def relabelled(folder: Path, split: str, n: int, label: str = "") -> Path:
    """The photos with `n` images of a split under another label."""
    data = Path(shutil.copytree(photos(), folder / "photos"))
    uris = [row["uri"] for row in reference(model_folder()).iter_rows(named=True) if row["split"] == split][:n]
    for uri in uris:
        was = Path(uri).parent.name
        target = data / (label or {"blue": "green", "green": "red", "red": "blue"}[was])
        target.mkdir(exist_ok=True)
        (data / uri).rename(target / f"from-{was}-{Path(uri).name}")
    return data


def test_changed_labels_of_held_back_images_are_refused(tmp_path: Path) -> None:
    data = relabelled(tmp_path, "test", 2)
    n = (reference(model_folder())["split"] == "test").sum()
    assert refused(lambda: quantize(model_folder(), data, output=tmp_path / "m", max_loss=1)) == (
        Reason.LABEL_CONFLICT,
        f"2 of the {n} held-back images have other labels than when the model {model_folder()} was trained, and the loss by "
        "int8 would be measured against these; train the model again on the labels as they are now, or name the data as it "
        "was",
    )
    assert not (tmp_path / "m").exists()


def test_changed_labels_of_training_images_are_a_warning(tmp_path: Path) -> None:
    result = quantize(model_folder(), relabelled(tmp_path, "train", 1), output=tmp_path / "m", max_loss=1)
    told = (
        "1 of the images that fitted the float model have other labels by now, and the int8 model learned from these: the "
        "difference is not that of int8 alone; train the float model again for a fair one"
    )
    assert result.warnings()[0] == told
    assert result.to_json()["relabelled"] == 1
    assert read_card(tmp_path / "m").training["summary"][-1] == f"warning     {told}"


def test_a_new_class_is_named(tmp_path: Path) -> None:
    data = relabelled(tmp_path, "train", 2, label="violet")
    assert refused(lambda: quantize(model_folder(), data, output=tmp_path / "m", max_loss=1)) == (
        Reason.UNKNOWN_LABEL,
        f"2 of the images that the model {model_folder()} was trained and judged with have a label by now that it does not "
        "know: 'violet'; train the model again on the labels as they are now, or name the data as it was",
    )


def test_regions_and_copies_are_compared_by_what_they_say() -> None:
    a, b = ("bolt",), ("nut",)
    assert not _differ([a, b], [b, a])
    assert not _differ([a, a, b], [a, b])  # a copy more
    assert _differ([a, a, b], [a, b, b])
    assert _differ([a], [b])


def test_other_data_is_refused(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "others", {"blue": 4, "green": 4, "red": 4}, side=40)
    assert refused(lambda: quantize(model_folder(), data, output=tmp_path / "m")) == (
        Reason.READ_FAILED,
        f"the data holds 0 of the 30 images that the model {model_folder()} was trained and judged with, at least 27 are "
        "needed to fit it again; name the data it was trained on",
    )


def test_a_model_that_held_nothing_back_is_refused(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "photos" / "train", {"blue": 6, "red": 6}).parent
    quick_train(data, output=tmp_path / "m")
    assert refused(lambda: quantize(tmp_path / "m", data, output=tmp_path / "m8")) == (
        Reason.NO_TEST_DATA,
        "the model's training held back no image, so the loss by int8 cannot be measured; train it on data with enough "
        "images to hold some back",
    )
    assert not (tmp_path / "m8").exists()


def test_a_model_without_reference_is_refused(tmp_path: Path) -> None:
    bare = load(model_folder())
    bare.enclosing(replace(load_enclosures(model_folder()), reference=b"")).save(tmp_path / "m")
    assert refused(lambda: quantize(tmp_path / "m", photos(), output=tmp_path / "m8")) == (
        Reason.MODEL_INCOMPLETE,
        f"the model {tmp_path / 'm'} has no reference.parquet that tells which images it was judged on; train it again",
    )


def test_int8_is_not_made_of_int8(tmp_path: Path) -> None:
    assert refused(lambda: quantize(made().classifier.location, photos(), output=tmp_path / "m")) == (
        Reason.BACKBONE_INVALID,
        "the backbone 'tiny-int8' is in int8 already; quantise the float file it was made of",
    )


def test_options_are_checked_before_any_work(tmp_path: Path) -> None:
    def bad(**options: Any) -> tuple[Reason, str]:
        return refused(lambda: quantize(model_folder(), photos(), **{"output": tmp_path / "m", **options}))

    assert bad(max_loss=1.5) == (
        Reason.BAD_SETTING,
        "the largest loss allowed is a share from 0 to 1 (0.005 is half a point), got 1.5",
    )
    assert bad(n_calibration=0) == (Reason.BAD_SETTING, "calibration needs at least 1 image, got n_calibration=0")
    assert bad(output=model_folder()) == (
        Reason.BAD_SETTING,
        f"the int8 model would replace {model_folder()}, the float model it comes from; name another output",
    )
    assert bad(output=photos() / "m")[0] is Reason.BAD_SETTING
    (tmp_path / "file").write_text("mine")
    assert bad(output=tmp_path / "file")[0] is Reason.OUTPUT_EXISTS


def told(low: float | None, float_ms: tuple[float, float], int8_ms: tuple[float, float]) -> tuple[str, ...]:
    difference = Estimate(-0.001, low, None if low is None else 0.01, 120)
    found = Comparison("accuracy", ("float", "int8"), 0.9, 0.899, difference, None, None, "")
    before, after = (Timing(1.0, *ms, 4, 15, 1.0) for ms in (float_ms, int8_ms))
    figures = Figures("minmax", 200, 11, 0, 0.9998, 4_000_000, 1_100_000)
    return Int8Model(model(), "parent@1", figures, (found,), (before, after)).warnings()


def test_slower_and_unsure_results_are_said_plainly() -> None:
    slower = "int8 is slower than float on this machine; keep the float model here, unless the smaller file counts"
    unsure = "120 images cannot exclude a loss of 0.020, more than the 0.005 allowed; judge on more images to be sure"
    assert told(-0.004, (2.0, 1.5), (1.0, 0.8)) == ()
    assert told(-0.02, (2.0, 1.5), (1.0, 0.8)) == (unsure,)
    assert told(None, (2.0, 1.5), (2.1, 0.8)) == (slower,)
    assert told(-0.02, (2.0, 1.5), (1.0, 1.6)) == (slower, unsure)
