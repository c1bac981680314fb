"""The folder of a run: what may be gone on with, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.errors import Reason, SettingsError, TrainingError
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
