"""Two workers of Ray Train learn what one process does; one that is killed is started again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.training.finetune.jobs import tiny_job
from tests.training.finetune.test_launch import at_step, kill, learned

pytest.importorskip("torch")
pytest.importorskip("ray")

from tellapart.errors import Reason, SettingsError
from tellapart.training.finetune.job import run_job
from tellapart.training.finetune.launch import launch

pytestmark = pytest.mark.slow


def workers() -> list[int]:
    """Ids of the processes of Ray that train."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    lines = [line.split(maxsplit=1) for line in found[1:]]
    return [int(pid) for pid, args in lines if args.startswith("ray::") and "TrainWorker" in args]


def test_two_workers_learn_what_one_process_does(tmp_path: Path) -> None:
    chosen = {"epochs": 3, "optimizer": {"lr": 0.003}, "augmentation": {"preset": "standard"}}
    for name in ("one", "two"):
        tiny_job(tmp_path / name, **chosen, n_train=25)
    one, two = run_job(tmp_path / "one"), launch(tmp_path / "two", processes=2, engine="ray")
    for a, b in zip(learned(one), learned(two), strict=True):
        np.testing.assert_allclose([float(v or 0) for v in a.values()], [float(v or 0) for v in b.values()], atol=1e-4)


def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    folder, killed = tmp_path / "job", []

    def kill_one() -> None:
        killed.extend(workers()[:1])
        kill(killed)

    tiny_job(folder, epochs=150)
    result = launch(folder, processes=2, engine="ray", progress=at_step(6, kill_one))
    assert result.epochs == 150
    assert len(killed) == 1


def test_what_is_wrong_with_the_job_comes_back_as_a_sentence(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job", precision="16")
    with pytest.raises(SettingsError) as caught:
        launch(tmp_path / "job", processes=2, engine="ray")
    assert caught.value.reason is Reason.BAD_SETTING
    assert str(caught.value) == "precision 16 needs a GPU, and there is none here: use auto, 32 or bf16"
