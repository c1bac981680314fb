"""`tellapart classes propose` writes a page and a list, and says what comes next."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.cli.command import run

import tellapart as ta


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("place")
    ta.train(write_folders(root / "data", {"a": 12, "b": 12, "c": 12}, side=32), output=root / "model", golden=0)
    (root / "new").mkdir()
    for number in range(7):
        (root / "new" / f"{number}.png").write_bytes(png_bytes(class_picture(4, number, 32)))
    return root


def test_a_page_a_list_and_the_next_command(place: Path, tmp_path: Path) -> None:
    found = run(
        "classes", "propose", place / "model", place / "new", "-o", tmp_path / "p.html", "--csv", tmp_path / "l.csv"
    )
    assert found.code == 0
    assert found.out.splitlines()[0] == "data       7 images seen: 7 unknown, 0 refused"
    assert "unknown-1: 7 images" in found.out
    assert f"tellapart classes add {place / 'model'} {tmp_path / 'l.csv'} --images {place / 'new'}" in found.err
    assert (tmp_path / "p.html").read_text(encoding="utf-8").count("<img ") == 7
    assert len((tmp_path / "l.csv").read_text(encoding="utf-8-sig").splitlines()) == 8
    beside = run("classes", "propose", place / "model", place / "new", "--csv", place / "l.csv", "--json")
    assert [one["different"] for one in beside.json["proposals"]] == [7]
    assert "--images" not in beside.err


def test_nothing_to_propose_writes_no_list(place: Path, tmp_path: Path) -> None:
    found = run("classes", "propose", place / "model", place / "new", "--min-images", 8, "--csv", tmp_path / "l.csv")
    assert found.code == 0
    assert "no 8 of them are alike enough to make a class" in found.out
    assert not (tmp_path / "l.csv").exists()
    assert f"{tmp_path / 'l.csv'} was not written, there is nothing to name" in found.err
    (tmp_path / "l.csv").write_text("old")
    again = run("classes", "propose", place / "model", place / "new", "--min-images", 8, "--csv", tmp_path / "l.csv")
    assert "there is nothing to name: the file that is there is of another run" in again.err
    assert (tmp_path / "l.csv").read_text() == "old"
