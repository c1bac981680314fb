"""A network is trained, judged from its ONNX file, compared with the frozen probe, and written as any other model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders

import tellapart as ta
from tellapart.errors import DataError, Reason, SettingsError, TrainingError
from tellapart.settings.recipe_file import read_recipe
from tellapart.workflows import run_folder
from tellapart.workflows.quantize import quantize
from tellapart.workflows.train import train
from tellapart.workflows.verify import verify

pytest.importorskip("torch")

QUICK = ("method=finetune", "size=32", "epochs=2", "batch_size=8", "augmentation.preset=light")
LENET = (*QUICK, "backbone=lenet", "start=scratch")


def tuned(data: Path, *changes: str, **options: Any) -> ta.Classifier:
    return train(data, recipe=read_recipe(changes=[*(changes or QUICK)]), golden=2, **options)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("data") / "parts", {"bad": 14, "good": 14, "odd": 14}, side=32)


@pytest.fixture(scope="module")
def model(parts: Path) -> Path:
    """The built-in network, trained on three classes."""
    output = parts.parent / "parts-model"
    tuned(parts, output=output)
    return output


def test_the_model_folder_is_like_any_other(model: Path) -> None:
    loaded = ta.load(model)
    assert loaded.backbone.name == "builtin, fine-tuned"
    assert loaded.predict(png_bytes(class_picture(2, 999, 32))).probabilities.shape == (3,)
    assert verify(model).n_golden == 2
    assert (model / "report.html").read_text(encoding="utf-8").count("epoch 2: validation") == 2  # loss and score


def test_the_card_says_how_it_was_trained_and_what_that_brought(model: Path) -> None:
    facts = ta.load(model).card.training
    assert facts["method"] == "finetune"
    assert facts["run"]["epochs"] == 2
    assert facts["run"]["trained_parameters"] == facts["run"]["parameters"] > 1_600_000
    assert facts["comparison"]["names"] == ["the frozen probe", "fine-tuning"]
    assert [rival["name"] for rival in facts["comparison"]["rivals"]] == ["the frozen probe", "fine-tuning"]
    assert any(line.startswith("compared    ") for line in facts["summary"])


def test_in_int8_the_layer_that_was_trained_with_the_network_stays(parts: Path, model: Path, tmp_path: Path) -> None:
    """A new head among images that the network learned from would find itself far too sure."""
    parent, int8 = ta.load(model), quantize(model, parts, output=tmp_path / "int8", max_loss=1.0).classifier
    assert int8.card.head == parent.card.head
    for name in ("weight", "bias"):
        np.testing.assert_array_equal(int8.head.arrays()[name], parent.head.arrays()[name])
    assert int8.card.training["judged_on"] == parent.card.training["judged_on"]


def test_logs_and_the_picture_stay_beside_the_model(model: Path) -> None:
    run = model.with_name("parts-model.run")
    assert sorted(path.name for path in run.iterdir()) == ["augmentation.png", "history.csv"]
    with (run / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_the_start_is_the_probe_so_that_nothing_is_lost(parts: Path) -> None:
    """Without a step worth the name the network still knows what its frozen features tell."""
    still = tuned(parts, *QUICK, "optimizer.lr=1e-9", "epochs=1", "augmentation.preset=none")
    fresh = tuned(parts, *QUICK, "optimizer.lr=1e-9", "epochs=1", "augmentation.preset=none", "head_start=random")
    assert still.evaluation.metrics["accuracy"].value >= 0.8  # type: ignore[union-attr]
    assert still.card.training["run"]["metric"] > fresh.card.training["run"]["metric"] + 0.2


def test_a_network_without_weights_is_compared_with_the_built_in_one(parts: Path) -> None:
    small = tuned(parts, *LENET)
    assert small.backbone.name == "lenet, trained from scratch"
    assert small.card.training["comparison"]["rivals"][0]["name"].startswith("the frozen probe")


def test_an_interrupted_training_is_gone_on_with_and_ends_alike(parts: Path, tmp_path: Path) -> None:
    def stop_in_epoch_2(stage: str, done: int, total: int) -> None:
        if stage == "training the network" and total and done > 0.6 * total:
            raise KeyboardInterrupt

    whole = tuned(parts, *LENET, output=tmp_path / "whole")
    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        tuned(parts, *LENET, output=broken, progress=stop_in_epoch_2)
    assert not broken.exists()
    with pytest.raises(SettingsError) as caught:
        tuned(parts, *LENET, output=broken)
    assert str(caught.value) == (
        f"an unfinished training lies in {tmp_path / 'broken.run'}: go on with --resume, or throw it away with --restart"
    )
    resumed = tuned(parts, *LENET, output=broken, resume=True)
    assert resumed.card.metrics == whole.card.metrics
    for ours, theirs in zip(resumed.head.arrays().values(), whole.head.arrays().values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_image_that_goes_meanwhile_costs_no_training(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "parts", {"good": 12, "scratch": 12}, side=32)
    gone = sorted((data / "good").iterdir())[3]
    content = gone.read_bytes()

    def lose(stage: str, done: int, total: int) -> None:
        if stage == "writing the network":
            gone.unlink()

    with pytest.raises(DataError) as caught:
        tuned(data, *LENET, "epochs=1", output=tmp_path / "m", progress=lose)
    assert caught.value.reason is Reason.READ_FAILED
    assert str(caught.value) == (
        f"1 of the images changed or went while the training was under way, the first good/{gone.name}; the network is "
        "trained: put them back, and --resume writes the model"
    )
    gone.write_bytes(content)
    resumed = tuned(data, *LENET, "epochs=1", output=tmp_path / "m", resume=True)
    assert resumed.card.training["run"]["epochs"] == 1


def test_without_a_test_split_it_is_told_that_the_validating_images_judge(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "parts", {"good": 12, "scratch": 12}, side=32)
    rows = [f"{path.relative_to(data)},{path.parent.name},train" for path in sorted(data.rglob("*.png"))]
    (tmp_path / "all.csv").write_text("\n".join(["file_name,label,split", *(f"parts/{row}" for row in rows)]))
    model = tuned(tmp_path / "all.csv", *LENET, "epochs=1")
    told = model.card.training["judged_on"]
    assert told == (
        f"the {model.evaluation.n:,} images that validated the training, which chose its epoch and the thresholds too: "  # type: ignore[union-attr]
        "without a test split the figures are too good"
    )


def test_what_another_process_trains_is_left_alone(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "_WAIT_S", 0.0)
    run = run_folder.RunFolder.beside(tmp_path / "m")
    with run.alone():
        run.job.mkdir()
        for word in ({"restart": True}, {"resume": True}):
            with pytest.raises(TrainingError) as caught:
                tuned(parts, *LENET, output=tmp_path / "m", **word)
            assert caught.value.reason is Reason.OUTPUT_EXISTS
        assert run.job.exists()


def test_another_training_is_not_gone_on_with(parts: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "training the network":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned(parts, *LENET, output=tmp_path / "m", progress=stop)
    with pytest.raises(ta.TellapartError) as caught:
        tuned(parts, *LENET, "epochs=5", output=tmp_path / "m", resume=True)
    assert caught.value.reason is Reason.JOB_DIFFERS
    assert "finetune.epochs was 2, now 5" in str(caught.value)


def test_two_classes_and_several_labels(tmp_path: Path) -> None:
    binary = tuned(write_folders(tmp_path / "two", {"good": 12, "scratch": 12}, side=32), *LENET)
    assert binary.schema.positive == "scratch"
    rows = ["file_name,labels"]
    (tmp_path / "several").mkdir()
    for number in range(36):
        labels = [name for bit, name in enumerate(("cap", "label")) if number >> bit & 1]
        pixels = np.maximum(*(class_picture(bit if number >> bit & 1 else 3 + bit, number, 32) for bit in (0, 1)))
        (tmp_path / "several" / f"{number}.png").write_bytes(png_bytes(pixels))
        rows.append(f"{number}.png,{'|'.join(labels) or '[]'}")
    (tmp_path / "several" / "metadata.csv").write_text("\n".join(rows))
    several = tuned(tmp_path / "several", *LENET)
    assert several.schema.task is ta.Task.MULTILABEL
    assert several.card.training["run"]["metric_name"] == "average_precision_macro"


def test_a_teacher_with_other_labels_is_refused(parts: Path, model: Path, tmp_path: Path) -> None:
    other = write_folders(tmp_path / "other", {"bad": 12, "good": 12}, side=32)
    with pytest.raises(SettingsError, match="the teacher has other labels: it knows 'odd'"):
        tuned(other, *LENET, f"distillation.teacher={json.dumps(str(model))}")
    taught = tuned(parts, *LENET, f"distillation.teacher={json.dumps(str(model))}")
    assert taught.card.training["recipe"]["finetune"]["distillation"]["teacher"] == model.name


def test_resume_is_for_fine_tuning_only(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        train(parts, output=tmp_path / "m", resume=True)
    assert str(caught.value) == (
        "an unfinished training can be resumed or restarted where the method is 'finetune' and an output is named"
    )


def test_a_network_that_cannot_be_written_is_refused_before_it_learns(
    parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.errors import BackboneError
    from tellapart.training.networks import export
    from tellapart.workflows import finetune  # before anything is replaced: what it imports stays as it is

    def cannot(network: object, name: str) -> bytes:
        raise BackboneError(Reason.BACKBONE_INVALID, "cannot be written")

    def never(*_: object) -> None:
        raise AssertionError("it was trained")

    monkeypatch.setattr(export, "canonical_bytes", cannot)
    monkeypatch.setattr(finetune, "run_job", never)
    with pytest.raises(BackboneError, match="cannot be written"):
        tuned(parts, *LENET)
