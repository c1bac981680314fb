"""Trainings in other processes: results, errors, kills and interruptions, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.training.finetune.jobs import learned, tiny_job

pytest.importorskip("torch")

from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.training.finetune.job import run_job
from tellapart.training.finetune.launch import launch
from tellapart.training.finetune.messages import MESSAGES, Listener, Teller

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes")


@pytest.fixture(autouse=True)
def _few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def trainers(folder: Path) -> list[int]:
    """Ids of the processes that train in a folder, without torchrun's own."""
    found = subprocess.run(
        ["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    lines = [line.split(maxsplit=1) for line in found[1:]]
    return [
        int(pid)
        for pid, args in lines
        if str(folder) in args and "finetune.job" in args and "distributed.run" not in args
    ]


def at_step(step: int, act: Callable[[], None]) -> Callable[[str, int, int], None]:
    """A `Progress` that acts once, as soon as `step` is done."""
    acted = threading.Event()

    def progress(_stage: str, done: int, _total: int) -> None:
        if done >= step and not acted.is_set():
            acted.set()
            act()

    return progress


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def begun(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from, after a while."""
    until = time.monotonic() + 60
    while not (folder / "checkpoint.safetensors").exists() and time.monotonic() < until:
        time.sleep(0.1)
    return (folder / "checkpoint.safetensors").exists()


def gone(folder: Path) -> bool:
    """Whether no process trains in the folder any more, after a while."""
    until = time.monotonic() + 15
    while trainers(folder) and time.monotonic() < until:
        time.sleep(0.1)
    return not trainers(folder)


def test_messages_pass_on_the_latest_progress_and_the_error(tmp_path: Path) -> None:
    listener, told = Listener(tmp_path), []
    teller = Teller(tmp_path)
    teller("training", 1, 3)
    teller("training", 3, 3)
    teller.failed(SettingsError(Reason.BAD_SETTING, "such is no setting"))
    with (tmp_path / MESSAGES).open("a") as file:
        file.write('{"half a li')
    listener.pass_on(lambda *step: told.append(step))
    listener.pass_on(lambda *step: told.append(step))
    assert told == [("training", 3, 3)]
    assert isinstance(listener.error, SettingsError)
    assert (listener.error.reason, str(listener.error)) == (Reason.BAD_SETTING, "such is no setting")


@pytest.mark.slow
def test_a_process_of_its_own_learns_the_same(tmp_path: Path) -> None:
    for name in ("here", "there"):
        tiny_job(tmp_path / name)
    told: list[tuple[str, int, int]] = []
    result = launch(tmp_path / "there", progress=lambda *step: told.append(step))
    assert learned(result) == learned(run_job(tmp_path / "here"))
    assert told[-1] == ("training the network", 6, 6)
    assert (tmp_path / "there/processes.log").read_text() == ""  # not a word of Lightning's


@pytest.mark.slow
def test_an_error_comes_back_as_it_was(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job", precision="16")
    with pytest.raises(SettingsError) as caught:
        launch(tmp_path / "job")
    assert str(caught.value) == "precision 16 needs a GPU, and there is none here: use auto, 32 or bf16"


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    chosen = {"epochs": 3, "optimizer": {"lr": 0.003}, "augmentation": {"preset": "standard"}}
    for name in ("one", "two"):
        tiny_job(tmp_path / name, **chosen, n_train=25)  # batches of 9, 8 and 8: unequal shares
    one, two = run_job(tmp_path / "one"), launch(tmp_path / "two", processes=2)
    for a, b in zip(learned(one), learned(two), strict=True):
        np.testing.assert_allclose([float(v or 0) for v in a.values()], [float(v or 0) for v in b.values()], atol=1e-4)


@pytest.mark.slow
def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    tiny_job(folder, epochs=120)
    result = launch(folder, processes=2, progress=at_step(6, lambda: kill(trainers(folder)[:1])))
    assert result.epochs == 120
    assert result.notes == ("a process died 1 time(s), and all were started again from the last checkpoint",)


@pytest.mark.slow
def test_a_killed_process_ends_with_a_sentence_and_can_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    for name in ("job", "whole"):
        tiny_job(tmp_path / name, epochs=60)
    with pytest.raises(TrainingError) as caught:
        launch(folder, progress=at_step(6, lambda: kill(trainers(folder))))
    assert caught.value.reason is Reason.PROCESS_DIED
    assert str(caught.value) == (
        "a process of the training was killed from outside (signal 9), as systems do when memory runs out: ask for the same "
        f"again to go on from the last checkpoint in {folder}; a smaller batch_size, more accumulate or fewer processes need "
        "less memory"
    )
    assert learned(launch(folder)) == learned(run_job(tmp_path / "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL], ids=["interrupt", "kill"])
@pytest.mark.parametrize("processes", [1, 2])
def test_no_process_survives_the_one_that_asked(tmp_path: Path, kind: signal.Signals, processes: int) -> None:
    folder = tmp_path / "job"
    tiny_job(folder, epochs=4000)
    code = (
        "import sys; from pathlib import Path; from tellapart.training.finetune.launch import launch; "
        f"launch(Path(sys.argv[1]), processes={processes}, progress=lambda *a: print(a, flush=True))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    assert b"training the network" in parent.stdout.readline()
    assert len(trainers(folder)) == processes
    assert begun(folder)
    parent.send_signal(kind)
    parent.wait(30)
    parent.stdout.close()
    assert gone(folder)
    assert (folder / "checkpoint.safetensors").exists()
