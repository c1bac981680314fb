"""What a recipe may ask of a training, each in a job of its own: tasks, teachers, rates, loaders, logs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.finetune.jobs import labelled, learned, pictures, targets, tiny_job

torch = pytest.importorskip("torch")

from safetensors.numpy import load_file  # noqa: E402

from tellapart.errors import Reason, SettingsError, TrainingError  # noqa: E402
from tellapart.records import Task  # noqa: E402
from tellapart.settings.recipe import Finetune  # noqa: E402
from tellapart.training.augmentation.transforms import seed_of  # noqa: E402
from tellapart.training.finetune import logs, lr_finder, module, range_test  # noqa: E402
from tellapart.training.finetune.job import JobResult, Labelled, run_job, write_job  # noqa: E402

SEVERAL = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32)


def run(
    folder: Path, *, task: Task = Task.MULTICLASS, columns: Any = None, inputs: Any = None, **options: Any
) -> JobResult:
    """Train LeNet on 12 images and validate it on 6."""
    rows = np.tile(targets(3), (4, 1)) if columns is None else np.tile(columns, (3, 1))
    write_job(
        folder,
        finetune=Finetune.model_validate({"start": "scratch", "epochs": 2, "batch_size": 6} | options),
        network="lenet",
        spec="decode|upright|fit(32)",
        task=task,
        n_classes=3,
        train=Labelled(pictures(12), rows),
        val=Labelled(pictures(6, 1), rows[:6]),
        **(inputs or {}),
    )
    return run_job(folder)


def test_several_labels_per_image(tmp_path: Path) -> None:
    result = run(tmp_path, task=Task.MULTILABEL, columns=SEVERAL, loss={"name": "asymmetric"})
    assert result.metric_name == "average_precision_macro"
    assert set(result.history[0]) >= {"val_loss", "average_precision_macro", "f1_macro"}
    assert 0 < (result.metric or 0) <= 1


def test_a_loss_of_several_labels_for_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the loss 'bce' is for several labels per image"):
        run(tmp_path, loss={"name": "bce"})


def test_a_teacher_is_followed(tmp_path: Path) -> None:
    """By its answers alone: they contradict every label."""
    wrong = 10 * np.roll(targets(12), 1, axis=1)
    wishes = {"teacher": "unused", "weight": 1.0, "temperature": 1.0}
    result = run(
        tmp_path, inputs={"teacher": wrong}, distillation=wishes, epochs=12, optimizer={"lr": 0.01},
        augmentation={"preset": "none"},
    )  # fmt: skip
    assert float(result.history[-1]["accuracy"] or 0) < 0.2
    assert float(result.history[-1]["train_loss"] or 9) < 0.5


def test_a_head_starts_where_it_is_told(tmp_path: Path) -> None:
    weight, bias = np.full((84, 3), 0.25, np.float32), np.array([1, 2, 3], np.float32)
    run(tmp_path, inputs={"head": (weight, bias)}, epochs=1, optimizer={"lr": 1e-12})
    found = load_file(tmp_path / "weights.safetensors")
    np.testing.assert_allclose(found["head.weight"], weight.T, atol=1e-6)
    np.testing.assert_allclose(found["head.bias"], bias, atol=1e-6)


def test_a_head_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        run(tmp_path, inputs={"head": (np.zeros((5, 3), np.float32), np.zeros(3, np.float32))})
    assert str(caught.value) == f"{tmp_path}/head.npz starts a head of (5, 3), but lenet has one of (84, 3)"


def test_a_learning_rate_is_found_once(tmp_path: Path) -> None:
    result = run(tmp_path, optimizer={"lr": "find"}, epochs=1)
    found = json.loads((tmp_path / "lr-0.json").read_text())
    assert len(found["rates"]) == len(found["losses"]) > 9
    assert ("by a range test" if found["lr"] else "found no learning rate") in result.notes[0]


def test_an_optimiser_without_an_automatic_rate_has_one_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: Any, **__: Any) -> lr_finder.Found:
        return lr_finder.Found(rate, (1e-6, 1e-5), (1.0, 1.0), (1.0, 1.0), "why")

    monkeypatch.setattr(range_test, "find_network_lr", found)
    own = {"name": "adafactor", "lr": "find"}
    rate: float | None = 1e-3
    assert run(tmp_path / "found", optimizer=own, epochs=1).notes == ("learning rate 0.001 by a range test: why",)
    rate = None
    with pytest.raises(SettingsError) as caught:
        run(tmp_path / "none", optimizer=own)
    assert str(caught.value) == (
        "the range test found no learning rate (why), and there is no automatic one for the optimiser 'adafactor': "
        "set optimizer.lr to a number"
    )


def test_processes_that_load_give_the_same_batches(tmp_path: Path) -> None:
    results = [run(tmp_path / str(loaders), loaders=loaders, epochs=1) for loaders in (0, 2)]
    assert learned(results[0]) == learned(results[1])


def test_tensorboard_has_every_epoch(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run(tmp_path, tensorboard=True)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(tmp_path / "tensorboard"))
    log.Reload()
    assert [event.step for event in log.Scalars("val_loss")] == [1, 2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_mlflow_has_one_run_with_recipe_and_epochs(tmp_path: Path) -> None:
    """Warnings are MLflow's own and those of its database's driver."""
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    uri = f"sqlite:///{tmp_path}/runs.db"
    result = run(tmp_path / "job", mlflow=uri)
    client = mlflow.tracking.MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "tellapart"]
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.params["finetune.batch_size"] == "6"
    history = client.get_metric_history(found.info.run_id, "val_loss")
    assert [one.step for one in history] == [1, 2]
    assert history[-1].value == pytest.approx(result.history[-1]["val_loss"])


def test_mlflow_is_told_not_to_report_before_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(Exception):
        pass

    def asked(module: str, **_: str) -> None:
        assert (module, os.environ["MLFLOW_DISABLE_TELEMETRY"]) == ("mlflow", "true")
        raise Asked

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    monkeypatch.setattr(logs, "require", asked)
    with pytest.raises(Asked):
        logs.trackers(tmp_path, tiny_job(tmp_path, mlflow="sqlite:///runs.db"))


def test_what_a_network_draws_follows_from_the_seed() -> None:
    """torch takes 64 bits of a seed: the batch's has the recipe's above them."""
    drawn = [seed_of(seed, 3, 1 << 40) % module._PRIME for seed in range(50)]
    assert len(set(drawn)) == 50


def test_mlflow_that_cannot_track_is_named(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(SettingsError, match=r"^MLflow cannot track to 'nowhere://at-all': ") as caught:
        run(tmp_path, mlflow="nowhere://at-all")
    assert caught.value.reason is Reason.BAD_SETTING


def test_jobs_are_equal_for_equal_seeds_only(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tiny_job(tmp_path / name)
    first = run_job(tmp_path / "a")
    assert learned(first) == learned(run_job(tmp_path / "b"))
    write_job(
        tmp_path / "c", finetune=Finetune(start="scratch", epochs=2, batch_size=8), network="lenet",
        spec="decode|upright|fit(32)", task=Task.MULTICLASS, n_classes=3, train=labelled(24), val=labelled(9, 1), seed=1,
    )  # fmt: skip
    assert learned(first) != learned(run_job(tmp_path / "c"))
