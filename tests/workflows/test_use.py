"""What is done with a model: predict, evaluate, compare, verify, export; and the demo that shows all of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import CLASSES, model, model_folder, own_copy, photos, quick_train
from tests.workflows.test_train import multilabel_csv, spoil

import tellapart as ta
from tellapart.backbones.onnx import run_file
from tellapart.classifier.fused import fused_onnx
from tellapart.errors import Reason, TellapartError
from tellapart.records import Prediction, Refusal, Roi
from tellapart.workflows import export as exporting
from tellapart.workflows.demo import demo
from tellapart.workflows.evaluate import evaluate
from tellapart.workflows.export import export
from tellapart.workflows.predict import predict
from tellapart.workflows.split import split
from tellapart.workflows.tables import write_predictions_parquet
from tellapart.workflows.verify import verify


def refused(action: Callable[[], Any]) -> tuple[Reason, str]:
    with pytest.raises(TellapartError) as caught:
        action()
    return caught.value.reason, str(caught.value)


def new_photos(folder: Path, n: int = 6) -> Path:
    for index, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            (folder / name / f"{i}.png").write_bytes(png_bytes(class_picture(index, 500 + i)))
    return folder


def test_folders_and_files_are_answered_in_order(tmp_path: Path) -> None:
    folder = new_photos(tmp_path / "new", 2)
    single = photos() / "red" / "0000.png"
    run = predict(model_folder(), [single, folder, tmp_path / "nowhere.jpg"])
    outcomes = list(run.outcomes)
    wanted = [
        str(single),
        *(f"{folder}/{name}/{i}.png" for name in CLASSES for i in range(2)),
        str(tmp_path / "nowhere.jpg"),
    ]
    assert [o.uri for o in outcomes] == wanted
    assert run.n_images == len(wanted)
    assert run.labels == tuple(CLASSES)
    assert isinstance(outcomes[-1], Refusal)
    assert [o.predicted for o in outcomes if isinstance(o, Prediction)][1:] == [(n,) for n in CLASSES for _ in range(2)]


def test_every_file_of_a_folder_is_answered_or_refused(tmp_path: Path) -> None:
    folder = new_photos(tmp_path / "new", 4)
    n_bad = spoil_first(folder)
    outcomes = list(predict(model_folder(), [folder], workers=3).outcomes)
    assert len(outcomes) == 12 + n_bad
    assert sum(isinstance(o, Refusal) for o in outcomes) == n_bad


def spoil_first(folder: Path) -> int:
    (folder / "blue" / "0000.png").write_bytes((folder / "blue" / "0.png").read_bytes())
    n = spoil(folder / "blue")
    (folder / "blue" / "0000.png").unlink()
    return n


def test_each_region_has_an_answer_of_its_own(tmp_path: Path) -> None:
    pixels = np.concatenate([class_picture(0, 3), class_picture(2, 3)], axis=1)
    (tmp_path / "x.png").write_bytes(png_bytes(pixels))
    rois = [Roi(((0, 0), (0.5, 1)), "left"), Roi(((0.5, 0), (1, 1)), "right")]
    outcomes = list(predict(model_folder(), [tmp_path / "x.png"], rois=rois).outcomes)
    assert [(o.roi, o.predicted) for o in outcomes if isinstance(o, Prediction)] == [
        ("left", ("blue",)),
        ("right", ("red",)),
    ]


def test_one_image_is_answered_as_among_many(tmp_path: Path) -> None:
    folder = new_photos(tmp_path / "new", 2)
    many = {o.uri: o for o in predict(model_folder(), [folder]).outcomes if isinstance(o, Prediction)}
    for uri, outcome in many.items():
        (alone,) = predict(model_folder(), [uri]).outcomes
        assert isinstance(alone, Prediction)
        np.testing.assert_allclose(alone.probabilities, outcome.probabilities, atol=1e-6)


def test_predictions_as_a_table(tmp_path: Path) -> None:
    folder = new_photos(tmp_path / "new", 1)
    paths = [folder, tmp_path / "nowhere.jpg"]
    run = predict(model_folder(), paths, embedding=True)
    write_predictions_parquet(tmp_path / "out.parquet", run.outcomes, run.labels)
    table = pl.read_parquet(tmp_path / "out.parquet")
    assert table.columns == [
        *("uri", "roi", "predicted", "unknown", "ood_score", "p:blue", "p:green", "p:red"),
        *("embedding", "model_id", "refused"),
    ]
    assert table["refused"].to_list() == [None, None, None, "file_not_found"]
    assert table["predicted"].to_list() == [["blue"], ["green"], ["red"], None]
    assert [len(e) for e in table["embedding"].to_list()[:3]] == [16] * 3


def test_evaluating_on_new_images_writes_the_report(tmp_path: Path) -> None:
    folder = new_photos(tmp_path / "new")
    found = evaluate(model_folder(), folder, output=tmp_path / "report")
    value = found.to_json()
    assert value["metrics"]["accuracy"]["value"] == 1
    assert value["refused"] == []
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text()) == found.evaluation.to_json()
    assert "<html" in (tmp_path / "report" / "report.html").read_text()
    assert {p.name for p in (tmp_path / "report").iterdir()} == {"evaluation.json", "report.html"}


def test_what_evaluation_saw_is_counted(tmp_path: Path) -> None:
    folder = new_photos(tmp_path / "new")
    n_bad = spoil_first(folder)
    (folder / "unlabelled.png").write_bytes(png_bytes())
    found = evaluate(model_folder(), folder)
    assert found.notes()[0] == (
        f"data        {18 + n_bad + 1} images seen: 18 judged, {n_bad} refused, 1 unlabelled or of another split"
    )
    assert len(found.to_json()["refused"]) == n_bad
    assert all("blue/" in line for line in found.notes() if line.startswith("refused"))


def test_labels_the_model_does_not_know_are_refused_before_the_work(tmp_path: Path) -> None:
    write_folders(tmp_path / "new", {"blue": 2, "purple": 2})
    stages: list[str] = []
    reason = refused(
        lambda: evaluate(model_folder(), tmp_path / "new", progress=lambda stage, *_: stages.append(stage))
    )
    assert reason == (
        Reason.UNKNOWN_LABEL,
        "unknown label 'purple'; this schema knows 'blue', 'green', 'red'",
    )
    assert stages == []


def test_only_one_split_may_be_judged(tmp_path: Path) -> None:
    new_photos(tmp_path / "new" / "train", 4)
    new_photos(tmp_path / "new" / "test", 2)
    assert len(evaluate(model_folder(), tmp_path / "new", split="test").images) == 6
    assert len(evaluate(model_folder(), tmp_path / "new").images) == 18
    assert refused(lambda: evaluate(model_folder(), tmp_path / "new", split="val")) == (
        Reason.NO_TEST_DATA,
        "there is no labelled image in the split 'val' to judge the model on; label some, or name other data",
    )
    assert refused(lambda: evaluate(model_folder(), tmp_path / "new", split="monday")) == (
        Reason.BAD_SETTING,
        "a split is train, val or test, got 'monday'",
    )


def test_two_models_are_compared_on_the_same_images(tmp_path: Path) -> None:
    folder = new_photos(tmp_path / "new")
    blind = replace(model().head, weight=np.zeros_like(model().head.weight))
    replace(model().with_card(name="blind"), head=blind).save(tmp_path / "blind")
    found = evaluate(model_folder(), folder, against=tmp_path / "blind", cache_dir=tmp_path / "cache")
    assert found.comparison is not None
    assert found.comparison.better == "colours"
    assert found.to_json()["comparison"]["difference"] > 0
    assert any(line.startswith("compared ") for line in found.notes())
    same = evaluate(model_folder(), folder, against=model_folder())
    assert same.comparison is not None
    assert same.comparison.difference.value == 0
    assert same.comparison.better is None


def test_models_of_other_labels_are_not_compared(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"good": 8, "scratch": 8})
    quick_train(tmp_path / "parts", output=tmp_path / "other")
    reason, sentence = refused(lambda: evaluate(model_folder(), photos(), against=tmp_path / "other"))
    assert reason is Reason.BAD_SETTING
    assert sentence == (
        f"two models are compared on the same labels, but {tmp_path / 'other'} answers good, scratch (binary), "
        "not blue, green, red (multiclass)"
    )


def test_evaluating_takes_embeddings_from_the_cache(tmp_path: Path) -> None:
    folder = new_photos(tmp_path / "new")
    first = evaluate(model_folder(), folder, cache_dir=tmp_path / "cache")
    second = evaluate(model_folder(), folder, cache_dir=tmp_path / "cache")
    assert (first.images.n_cached, second.images.n_cached) == (0, 18)
    assert first.to_json() == second.to_json()


def test_a_multilabel_model_is_judged(tmp_path: Path) -> None:
    quick_train(multilabel_csv(tmp_path / "photos", 40), output=tmp_path / "model")
    found = evaluate(tmp_path / "model", tmp_path / "photos" / "labels.csv").to_json()
    assert found["metrics"]["subset_accuracy"]["value"] > 0.9


def test_a_sound_model_is_verified() -> None:
    result = verify(model_folder())
    assert (result.n_files, result.n_golden) == (10, 3)
    assert result.max_difference <= 1e-6


@pytest.mark.parametrize("variant", ["binary", "multiclass", "multilabel"])
def test_the_fused_file_answers_as_the_model(tmp_path: Path, variant: str) -> None:
    if variant == "multilabel":
        quick_train(multilabel_csv(tmp_path / "photos", 40), output=tmp_path / "model")
    else:
        classes = dict(list(CLASSES.items())[: 2 if variant == "binary" else 3])
        quick_train(write_folders(tmp_path / "photos", classes), output=tmp_path / "model")
    result = export(tmp_path / "model", tmp_path / "deep" / "model.onnx")
    assert result.path.stat().st_size == result.n_bytes
    assert result.n_golden == 3
    assert result.max_difference <= 1e-5
    loaded = ta.load(tmp_path / "model")
    batch = np.stack([loaded.spec.apply(p.read_bytes()) for p in sorted((tmp_path / "photos").rglob("*.png"))])
    probabilities, scores, embedding = run_file(
        result.path.read_bytes(), batch, ["probabilities", "ood_score", "embedding"]
    )
    own = loaded.answer(loaded.backbone.run(batch).embedding)
    np.testing.assert_allclose(probabilities, own.probabilities, atol=1e-5)
    np.testing.assert_allclose(scores, own.ood_scores, rtol=1e-4, atol=1e-5)
    assert embedding.shape == (len(batch), 16)


def test_the_fused_file_tells_what_a_program_needs() -> None:
    import onnx

    props = {p.key: p.value for p in onnx.load_from_string(fused_onnx(model())).metadata_props}
    assert json.loads(props["tellapart.labels"]) == list(CLASSES)
    assert props["tellapart.task"] == "multiclass"
    assert props["tellapart.model_id"] == model().card.model_id
    assert props["tellapart.preprocess"] == model().card.preprocess
    assert json.loads(props["tellapart.thresholds"]) == model().thresholds.to_json()


def test_an_export_that_answers_differently_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tampered(classifier: ta.Classifier) -> bytes:
        head = replace(classifier.head, bias=classifier.head.bias + np.float32([0.5, 0, 0]))
        return fused_onnx(replace(classifier, head=head))

    monkeypatch.setattr(exporting, "fused_onnx", tampered)
    reason, sentence = refused(lambda: export(model_folder(), tmp_path / "model.onnx"))
    assert reason is Reason.EXPORT_MISMATCH
    assert sentence.startswith("the fused file answers differently: ")
    assert sentence.endswith(" in a probability, at most 1e-05 is allowed; nothing was written")
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_golden_images_is_not_exported(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"bad": 6, "good": 6})
    quick_train(tmp_path / "parts", output=tmp_path / "model", golden=0)
    assert refused(lambda: export(tmp_path / "model", tmp_path / "m.onnx")) == (
        Reason.MODEL_INCOMPLETE,
        f"the model {tmp_path / 'model'} has no golden images, so an export of it cannot be proven; "
        "train it with golden images",
    )


def test_a_damaged_model_is_not_exported(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    data = bytearray((folder / "head.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "head.safetensors").write_bytes(bytes(data))
    assert refused(lambda: export(folder, tmp_path / "m.onnx"))[0] is Reason.MODEL_DAMAGED


def test_splits_for_other_tools_stay_when_the_data_grow(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", CLASSES)
    first, _ = split(tmp_path / "parts", cache_dir=tmp_path / "cache")
    first.to_parquet(tmp_path / "splits.parquet")
    before = dict(zip(first.ids, first.splits, strict=True))
    for i in range(10):
        (tmp_path / "parts" / "red" / f"new-{i}.png").write_bytes(png_bytes(class_picture(2, 300 + i)))
    second, parted = split(
        tmp_path / "parts", earlier=tmp_path / "splits.parquet", cache_dir=tmp_path / "cache", seed=9
    )
    after = dict(zip(second.ids, second.splits, strict=True))
    assert {image: after[image] for image in before} == before
    assert len(after) == 40
    assert set(parted.splits.assigned) == {"train", "val", "test"}
    table = pl.read_parquet(io.BytesIO((tmp_path / "splits.parquet").read_bytes()))
    assert table.height == 30


def test_unlabelled_data_cannot_be_stratified(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.png").write_bytes(png_bytes())
    assert refused(lambda: split(tmp_path / "parts")) == (
        Reason.UNLABELLED,
        f"{tmp_path / 'parts'} has no labels, so there is nothing to stratify by; label some images first",
    )


@pytest.mark.slow
def test_the_demo_shows_the_whole_loop(tmp_path: Path) -> None:
    lines = list(demo(tmp_path / "demo", variant="multilabel"))  # the README's runs the default
    assert [line.split()[1:3] for line in lines if line.startswith("$")] == [
        ["tellapart", "data"],
        ["tellapart", "train"],
        ["tellapart", "predict"],
        ["tellapart", "predict"],
        ["tellapart", "model"],
    ]
    assert lines[-1].startswith("now yours: ")
    assert (tmp_path / "demo" / "model" / "report.html").stat().st_size > 10_000


def test_the_demo_starts_in_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    assert refused(lambda: next(demo(tmp_path))) == (
        Reason.OUTPUT_EXISTS,
        f"{tmp_path} exists and is not an empty folder: choose another name or delete it",
    )
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_the_demo_knows_its_variants(tmp_path: Path) -> None:
    assert refused(lambda: next(demo(tmp_path, variant="ternary"))) == (
        Reason.BAD_SETTING,
        "the variant is binary, multiclass or multilabel, got 'ternary'",
    )


def test_an_evaluation_does_not_replace_the_report_of_a_model(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    assert refused(lambda: evaluate(folder, photos(), output=folder)) == (
        Reason.BAD_SETTING,
        f"{folder} is a model, whose own report this would replace; name another folder for the evaluation",
    )
    assert verify(folder).n_golden == 3
