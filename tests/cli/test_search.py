"""`train --search` on the command line: a table, JSON, and what an interruption leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.builders import write_folders
from tests.cli.command import run

from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.searched import Searched, Tried
from tellapart.settings.recipe import Recipe
from tellapart.workflows import train as workflow
from tellapart.workflows.run_folder import RunFolder
from tellapart.workflows.search_folder import SearchFolder

pytest.importorskip("optuna")


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_folders(tmp_path / "parts", {"bad": 12, "good": 12}, side=32)


def test_a_table_comes_before_the_summary(parts: Path, tmp_path: Path) -> None:
    done = run("train", "parts", "--method", "probe", "--size", 64, "--search", 5, "--golden", 0, "--no-cache")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["Trial", "Method", "What", "differs", "Score", "Interval", "Time", "Network", "Ended"]
    assert [line.split()[0].rstrip("*") for line in lines[1:3]] == ["0", "1"]
    assert sum(line.split()[0].endswith("*") for line in lines[1:3]) == 1
    assert "class_weight none" in lines[2]
    assert lines[3] == ""
    again = run("train", "parts", "--method", "probe", "--size", 64, "--search", 1, "--golden", 0, "--json")
    assert [one["ended"] for one in again.json["search"]["trials"]] == ["complete"]
    assert "headline_metric" in again.json


def test_options_of_a_training_need_no_method_in_a_search(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[Recipe, Any, Any]] = []

    def train(*_: object, recipe: Recipe, search: int | None, search_minutes: float | None, **__: object) -> None:
        found.append((recipe, search, search_minutes))
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "train", train)
    run("train", "parts", "--search", 3, "--epochs", 4)
    run("train", "parts", "--search-minutes", 1.5, "--loss", "auto")
    assert [(recipe.method, n, m) for recipe, n, m in found] == [("probe", 3, None), ("probe", None, 1.5)]
    assert found[0][0].finetune.epochs == 4
    refused = run("train", "parts", "--epochs", 4)
    assert refused.code == 2
    assert "--epochs works with the method 'finetune', not 'probe'" in refused.err


def test_ctrl_c_shows_what_there_is(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.workflows.search import SearchInterrupted

    done = Tried(0, "probe", "–", Estimate(0.9, 0.8, 0.95, 20), 65.0, 6_700_000, "complete")
    given_up = Tried(1, "finetune", "lr 0.001", Estimate(0.4, None, None, 0), 30.0, 0, "pruned", "too slow")

    def train(*_: object, **__: object) -> None:
        raise SearchInterrupted(Searched((done, given_up), "f1_macro", 20), Path("parts-model.run/search"))

    monkeypatch.setattr(workflow, "train", train)
    ended = run("train", "parts", "--search", 3)
    assert ended.code == 130
    assert ended.err == (
        "Trial  Method    What differs  Score  Interval     Time     Network  Ended\n"
        "0      probe     –             0.900  0.800–0.950  1.1 min  6.7 MB   complete\n"
        "1      finetune  lr 0.001      0.400  –            30 s     –        pruned: too slow\n"
        "\n"
        "the search goes on with --resume\n\n"
        "interrupted: nothing was half-written\n"
    )


def test_ctrl_c_tells_how_a_training_goes_on(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object, output: Path, **__: object) -> None:
        RunFolder.beside(output).job.mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "train", train)
    ended = run("train", "parts", "--method", "finetune", "-o", "model")
    assert (ended.code, ended.err) == (
        130,
        "the training goes on with --resume\n\ninterrupted: nothing was half-written\n",
    )


def test_the_files_of_a_search_are_for_people(tmp_path: Path) -> None:
    done = Tried(0, "probe", "–", Estimate(0.9, 0.8, 0.95, 20), 65.0, 6_700_000, "complete")
    failed = Tried(1, "finetune", "size 64, loss focal", None, 30.0, 0, "failed", "no memory, none")
    folder = SearchFolder(RunFolder(tmp_path / "model.run"))
    folder.path.mkdir(parents=True)
    folder.tell(Searched((done, failed), "f1_macro", 20, 0, 0, "Trial 0 was taken."), {"taken": Recipe(size=64)})
    assert (folder.path / "trials.csv").read_text(encoding="utf-8") == (
        "trial,method,differs,score,low,high,seconds,network_bytes,ended,why,taken\n"
        "0,probe,–,0.9,0.8,0.95,65.0,6700000,complete,,1\n"
        '1,finetune,"size 64, loss focal",,,,30.0,0,failed,"no memory, none",0\n'
    )
    assert (folder.path / "taken.yaml").read_text(encoding="utf-8") == "size: 64\n"
    picture = (folder.path / "search.svg").read_text(encoding="utf-8")
    assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert picture.count("<circle") == 1
