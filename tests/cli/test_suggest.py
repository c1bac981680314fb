"""`tellapart data suggest`: a short report, a list to edit, a page, and what comes next."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file
from tests.cli.command import run

from tellapart.workflows import suggest as workflow


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    root = write_folders(Path("parts"), {"blue": 6, "red": 6})
    for seed in range(50, 58):
        (root / f"{seed}.png").write_bytes(png_bytes(class_picture(seed % 2, seed)))
    return root


def test_the_report_is_short_and_the_list_leads_on(parts: Path) -> None:
    ran = run(
        "data", "suggest", parts, "--next", 7, "-o", "labels.csv", "--report", "s.html", "--backbone", backbone_file()
    )
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "data      20 images seen: 12 labelled, 8 unlabelled, 0 refused"
    assert lines[1] == "proposed  blue 4, red 4"
    assert lines[2] == "accepted  none, for no precision was agreed on"
    assert lines[3] == "to label  7 images: the least sure, spread over what they show"
    assert lines[4].startswith("            1  ")
    assert lines[9] == "          … and 2 more"
    assert lines[10].startswith("advice    ")
    assert len(lines) == 11
    assert ran.err.splitlines() == [
        "report  s.html",
        "list    labels.csv: 8 images, 0 accepted; edit it, then",
        "        tellapart data fix parts labels.csv -o NEWDATA",
    ]
    assert "<title>Suggestions: parts</title>" in Path("s.html").read_text(encoding="utf-8")
    assert run("data", "fix", parts, "labels.csv", "--all", "-o", "r1").out == "r1: 8 relabel; 20 → 20 images\n"


def test_a_pool_and_new_labels_are_named_in_what_comes_next(parts: Path) -> None:
    Path("pool").mkdir()
    for path in parts.glob("*.png"):
        path.rename(Path("pool") / path.name)
    ran = run("data", "suggest", parts, "--pool", "pool", "-o", "labels.csv", "--backbone", backbone_file())
    assert ran.err.splitlines()[1] == "        tellapart data fix parts labels.csv --pool pool -o NEWDATA"
    done = run("data", "fix", parts, "labels.csv", "--pool", "pool", "--all", "-o", "r1")
    assert done.out == "r1: 8 relabel; 20 → 20 images\n"
    ran = run("data", "suggest", "pool", "-o", "first.csv", "--backbone", backbone_file())
    assert ran.err.splitlines()[1] == "        tellapart data fix pool first.csv --new-labels -o NEWDATA"


def test_json_is_the_result_alone(parts: Path) -> None:
    ran = run("data", "suggest", parts, "--json", "--next", 2, "--backbone", backbone_file())
    assert ran.err == ""
    assert [one["rank"] for one in ran.json["suggestions"]] == [1, 2, *[None] * 6]


def test_wrong_usage_ends_with_2(parts: Path) -> None:
    ran = run("data", "suggest", parts, "--precision", "98")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: a precision is a share between 0 and 1, such as 0.98, got 98 [bad_setting]\n"
    ran = run("data", "suggest", parts, "--hunt", "gold", "--backbone", backbone_file())
    assert (ran.code, ran.err) == (2, "error: no image has the label 'gold' (known: blue, red) [unknown_name]\n")


def test_nothing_to_suggest_is_a_failure_with_a_reason(parts: Path) -> None:
    for path in parts.glob("*.png"):
        path.unlink()
    ran = run("data", "suggest", parts)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith(" or lay them beside the class folders [dataset_empty]\n")


def test_a_list_that_cannot_be_written_is_told(parts: Path) -> None:
    (parts / "file").touch()
    ran = run("data", "suggest", parts, "-o", "parts/file/labels.csv", "--backbone", backbone_file())
    assert (ran.code, ran.out) == (1, "")
    assert "parts/file/labels.csv could not be written" in ran.err
    assert ran.err.endswith("[write_failed]\n")


def test_a_list_that_somebody_filled_in_is_not_replaced(parts: Path) -> None:
    Path("labels.csv").write_text("mine")
    ran = run("data", "suggest", parts, "-o", "labels.csv", "--backbone", "is never loaded")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "error: labels.csv exists, and may hold what somebody decided; choose another name or remove it [output_exists]\n"
    )
    assert Path("labels.csv").read_text() == "mine"


def test_an_interruption_leaves_nothing(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "advise", interrupt)
    ran = run("data", "suggest", parts, "-o", "labels.csv", "--backbone", backbone_file())
    assert (ran.code, ran.out, ran.err.strip()) == (130, "", "interrupted: nothing was half-written")
    assert sorted(path.name for path in Path().iterdir()) == ["parts", "xdg"]
