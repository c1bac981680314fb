"""Where a search lies: what is not lost by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.errors import SettingsError
from tellapart.workflows.run_folder import RunFolder
from tellapart.workflows.search_folder import SearchFolder


@pytest.fixture
def finished(tmp_path: Path) -> SearchFolder:
    folder = SearchFolder(RunFolder.beside(tmp_path / "m"))
    folder.path.mkdir(parents=True)
    (folder.path / "journal.log").write_text("{}")
    folder.finish()
    return folder


def test_a_finished_search_makes_room_for_another(finished: SearchFolder) -> None:
    finished.check(resume=False, restart=False)
    finished.begin(resume=False)
    assert not finished.path.exists()


def test_a_finished_search_that_is_gone_on_with_is_unfinished_again(finished: SearchFolder) -> None:
    finished.check(resume=True, restart=False)
    finished.begin(resume=True)
    with pytest.raises(SettingsError) as caught:
        finished.check(resume=False, restart=False)
    assert str(caught.value) == (
        f"an unfinished search lies in {finished.path}: go on with --resume, or throw it away with --restart"
    )
    finished.check(resume=False, restart=True)


def test_a_training_that_was_begun_after_a_search_is_not_lost_to_the_next(finished: SearchFolder) -> None:
    finished.run.job.mkdir()
    with pytest.raises(SettingsError, match="an unfinished training lies in"):
        finished.check(resume=False, restart=False)
    finished.check(resume=False, restart=True)


def test_a_training_that_more_trials_made_needless_goes(finished: SearchFolder) -> None:
    finished.run.job.mkdir()
    finished.finish()
    assert not finished.run.job.exists()
