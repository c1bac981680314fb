"""The folder of a run: what may be continued, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.workflows.run_folder import RunFolder

IDENTITY = {"recipe": {"epochs": 3}, "data": "abc", "seed": 0}


def _begun(tmp_path: Path) -> RunFolder:
    run = RunFolder.beside(tmp_path / "parts-model.zip", IDENTITY)
    assert run.begin(resume=False, restart=False) is False
    run.job.mkdir()
    return run


def test_it_lies_beside_the_model(tmp_path: Path) -> None:
    assert _begun(tmp_path).path == tmp_path / "parts-model.run"


def test_an_unfinished_run_is_not_thrown_away_unasked(tmp_path: Path) -> None:
    run = _begun(tmp_path)
    with pytest.raises(SettingsError) as caught:
        run.begin(resume=False, restart=False)
    assert str(caught.value) == (
        f"an unfinished training lies in {run.path}: go on with --resume, or throw it away with --restart"
    )
    assert run.begin(resume=True, restart=False) is True
    assert run.job.exists()
    assert run.begin(resume=False, restart=True) is False
    assert not run.job.exists()


def test_another_training_is_not_continued(tmp_path: Path) -> None:
    run = _begun(tmp_path)
    other = RunFolder(run.path, {**IDENTITY, "data": "def", "seed": 1})
    with pytest.raises(SettingsError) as caught:
        other.begin(resume=True, restart=False)
    assert str(caught.value) == (
        f"the unfinished training in {run.path} was another one: data, seed differ; ask for the same again, or throw it "
        "away with --restart"
    )


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    run = RunFolder.beside(tmp_path / "m", IDENTITY)
    with pytest.raises(
        SettingsError, match=r"there is no unfinished training in .*m\.run to go on with; leave out --resume"
    ):
        run.begin(resume=True, restart=False)


def test_a_finished_run_keeps_its_logs_and_may_be_begun_anew(tmp_path: Path) -> None:
    run = _begun(tmp_path)
    run.keep("history.csv", b"epoch\n")
    run.finish()
    assert not run.job.exists()
    assert (run.path / "history.csv").read_bytes() == b"epoch\n"
    assert run.begin(resume=False, restart=False) is False


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.run").write_text("in the way")
    with pytest.raises(TrainingError) as caught:
        RunFolder.beside(tmp_path / "m", IDENTITY).begin(resume=False, restart=False)
    assert caught.value.reason is Reason.WRITE_FAILED
