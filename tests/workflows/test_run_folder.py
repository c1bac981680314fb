"""The folder of a run: what may be gone on with, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tellapart import files
from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.files import holding
from tellapart.workflows import run_folder
from tellapart.workflows.run_folder import RunFolder


def _begun(tmp_path: Path) -> RunFolder:
    run = RunFolder.beside(tmp_path / "parts-model.zip")
    run.begin(resume=False)
    run.job.mkdir()
    return run


def test_it_lies_beside_the_model(tmp_path: Path) -> None:
    assert _begun(tmp_path).path == tmp_path / "parts-model.run"


def test_an_unfinished_run_is_not_thrown_away_unasked(tmp_path: Path) -> None:
    run = _begun(tmp_path)
    with pytest.raises(SettingsError) as caught:
        run.check(resume=False, restart=False)
    assert str(caught.value) == (
        f"an unfinished training lies in {run.path}: go on with --resume, or throw it away with --restart"
    )
    run.check(resume=True, restart=False)
    run.begin(resume=True)
    assert run.job.exists()
    run.check(resume=False, restart=True)
    run.begin(resume=False)
    assert not run.job.exists()


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    run = RunFolder.beside(tmp_path / "m")
    with pytest.raises(SettingsError) as caught:
        run.check(resume=True, restart=False)
    assert str(caught.value) == f"there is no unfinished training in {run.path} to go on with; leave out --resume"
    run.check(resume=False, restart=False)


def test_a_finished_run_keeps_its_logs_and_may_be_begun_anew(tmp_path: Path) -> None:
    run = _begun(tmp_path)
    run.keep("augmentation.png", b"png")
    (run.job / "history.csv").write_bytes(b"epoch\n")
    (run.job / "pixels.bin").write_bytes(b"much")
    run.finish()
    assert sorted(path.name for path in run.path.iterdir()) == ["augmentation.png", "history.csv"]
    run.check(resume=False, restart=False)
    (run.path / "notes.txt").write_text("mine")
    run.begin(resume=False)
    assert [path.name for path in run.path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.run").write_text("in the way")
    with pytest.raises(TrainingError) as caught:
        RunFolder.beside(tmp_path / "m").begin(resume=False)
    assert caught.value.reason is Reason.WRITE_FAILED


def test_only_one_process_trains_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "_WAIT_S", 0.0)
    run = RunFolder.beside(tmp_path / "m")
    with run.alone():
        run.job.mkdir()
        with pytest.raises(TrainingError) as caught, RunFolder.beside(tmp_path / "m").alone():
            raise AssertionError("both train")
        assert caught.value.reason is Reason.OUTPUT_EXISTS
        assert str(caught.value) == (
            f"another process trains in {run.path} already; wait until it is done, or name another output"
        )
        assert run.job.exists()
    with run.alone():
        pass
    assert [path.name for path in run.path.iterdir()] == ["job"]


def test_it_leaves_nothing_where_nothing_was_begun(tmp_path: Path) -> None:
    with RunFolder.beside(tmp_path / "m").alone():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_its_holder_removes_is_not_taken_for_one(tmp_path: Path) -> None:
    """Who opened the file before it was removed would lock what nobody else finds any more."""
    path = tmp_path / ".lock"
    with holding(path):
        waiting = path.open("a")
    with waiting, holding(path):
        assert files._locked(waiting)  # the old file: alone in that is nobody
        with pytest.raises(BlockingIOError), holding(path):
            raise AssertionError("both hold it")


def test_a_kill_while_it_is_finished_leaves_no_half_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _begun(tmp_path)
    (run.job / "job.json").write_bytes(b"{}")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # killed before it begins
    run.finish()
    monkeypatch.undo()
    run.check(resume=False, restart=False)
    run.begin(resume=False)
    assert list(run.path.iterdir()) == []
