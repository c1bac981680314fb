"""optimizer.lr: find, in a job: what it leaves, and that a resumed training does not measure again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.training.finetune.jobs import tiny_job

pytest.importorskip("torch")

from tellapart.training.finetune.job import run_job


def test_a_job_finds_its_rate_and_leaves_the_curve_with_its_picture(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job", epochs=1, optimizer={"lr": "find", "name": "sgd"}, schedule={"name": "constant"})
    result = run_job(tmp_path / "job")
    curve = json.loads((tmp_path / "job/lr-0.json").read_text())
    assert len(curve["rates"]) == len(curve["losses"]) > 9
    assert (tmp_path / "job/lr.svg").read_text().startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    if curve["lr"] is None:
        assert "the range test found no learning rate" in result.notes[0]
    else:
        assert result.notes == (f"learning rate {curve['lr']:.2g} by a range test: {curve['why']}",)
        assert result.history[0]["lr"] == pytest.approx(curve["lr"])


def test_a_curve_that_lies_there_is_not_measured_again(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job", epochs=1, optimizer={"lr": "find"}, schedule={"name": "constant"})
    curve = {"lr": 0.0123, "rates": [0.0123], "losses": [1.0], "smoothed": [1.0], "why": "it was written by hand"}
    (tmp_path / "job/lr-0.json").write_text(json.dumps(curve))
    result = run_job(tmp_path / "job")
    assert result.notes == ("learning rate 0.012 by a range test: it was written by hand",)
    assert result.history[0]["lr"] == pytest.approx(0.0123)


def test_a_curve_without_a_suggestion_leaves_the_automatic_rate(tmp_path: Path) -> None:
    tiny_job(tmp_path / "job", epochs=1, optimizer={"lr": "find"}, schedule={"name": "constant"})
    curve = {"lr": None, "rates": [1e-6], "losses": [1.0], "smoothed": [1.0], "why": "it is flat"}
    (tmp_path / "job/lr-0.json").write_text(json.dumps(curve))
    result = run_job(tmp_path / "job")
    assert result.notes[0].startswith(
        "the range test found no learning rate (it is flat), so it is the automatic one, "
    )
