"""A fit from its folder: what it leaves, and that an interrupted one ends as an uninterrupted one does."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.finetune.jobs import learned, tiny_job

pytest.importorskip("torch")

from safetensors.numpy import load_file

from tellapart.training.finetune.attempts import fit
from tellapart.training.finetune.job import Progress, read_job, read_result, run_job

SILENT: Progress = lambda _stage, _done, _total: None  # noqa: E731


class Killed(BaseException):
    """Stands for the end of a process: nothing handles it."""


def killed_at(folder: Path, steps: int, *, checkpoint_s: float = 300.0) -> None:
    """Train until step number `steps` (from 1), and no further."""

    def progress(_stage: str, done: int, _total: int) -> None:
        if done == steps:
            raise Killed

    with pytest.raises(Killed):
        fit(folder, read_job(folder), progress, checkpoint_s=checkpoint_s)


def same_weights(one: Path, other: Path) -> bool:
    a, b = load_file(one / "weights.safetensors"), load_file(other / "weights.safetensors")
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_a_job_leaves_weights_history_and_result(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job", epochs=3, optimizer={"lr": 0.01})
    told: list[tuple[str, int, int]] = []
    result = run_job(tmp_path / "job", lambda *step: told.append(step))
    assert (result.epochs, result.ended, result.stopped_early) == (3, "complete", False)
    assert (result.metric or 0.0) > 0.9  # colours are easy
    assert [told[0], told[-1]] == [("training the network", 1, 9), ("training the network", 9, 9)]
    rows = list(csv.DictReader((tmp_path / "job/history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[2]["f1_macro"]) == pytest.approx(float(result.history[2]["f1_macro"] or 0), rel=1e-5)
    assert read_result(tmp_path / "job") == result
    assert not list((tmp_path / "job").glob("lightning_logs"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ema": 0.9, "dropout": 0.3, "accumulate": 2, "augmentation": {"mixup": 0.2, "cutmix": 1.0}},
        {"tune": "head_then_all", "head_epochs": 1, "optimizer": {"name": "sgd"}, "schedule": {"name": "plateau"}},
        {"loss": {"name": "supervised_contrastive"}, "sampler": "balanced", "schedule": {"name": "one_cycle"}},
    ],
    ids=["plain", "average", "phases", "contrastive"],
)
@pytest.mark.parametrize("checkpoint_s", [300.0, 0.0], ids=["epochs", "within"])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    tmp_path: Path, options: dict[str, Any], checkpoint_s: float
) -> None:
    chosen = {"epochs": 3, **options}
    for name in ("whole", "interrupted"):
        tiny_job(tmp_path / name, **chosen)
    whole = run_job(tmp_path / "whole")
    steps = 3 * 3 * int(options.get("accumulate", 1))
    killed_at(tmp_path / "interrupted", 3, checkpoint_s=checkpoint_s)
    assert (tmp_path / "interrupted/checkpoint-within.safetensors").exists() == (checkpoint_s == 0)
    for at in (steps // 3 + 1, steps // 2 + 1, steps):
        killed_at(tmp_path / "interrupted", at, checkpoint_s=checkpoint_s)
    interrupted = run_job(tmp_path / "interrupted")
    assert learned(interrupted) == learned(whole)
    assert same_weights(tmp_path / "interrupted", tmp_path / "whole")
