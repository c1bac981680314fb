"""`tellapart check`: a short report on stdout, files when asked for, and an exit code for CI."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file
from tests.cli.command import run

from tellapart.data.hygiene import exact_duplicates
from tellapart.workflows import check as workflow


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    # What single checks say is tested beside them; here one is enough.
    monkeypatch.setattr(workflow, "known_checks", lambda: (exact_duplicates.CHECK,))
    return write_folders(Path("parts"), {"bad": 3, "good": 3})


def test_clean_data_end_with_0(parts: Path) -> None:
    ran = run("check", parts)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "data      6 images seen: 6 looked at, 0 refused, 0 unlabelled"
    assert lines[1].startswith("checks    1 check in ")
    assert lines[-1] == "nothing is wrong with 6 images"


def test_an_error_ends_with_4_unless_ci_does_not_mind(parts: Path) -> None:
    shutil.copy(parts / "good" / "0000.png", parts / "bad" / "copy.png")
    assert run("check", parts).code == 4
    assert run("check", parts, "--fail-on", "warning").code == 4
    ran = run("check", parts, "--fail-on", "never")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "1 error in 7 images"


def test_a_note_never_stops_ci(parts: Path) -> None:
    shutil.copy(parts / "good" / "0000.png", parts / "good" / "copy.png")
    assert run("check", parts, "--fail-on", "warning").code == 0


def test_json_is_the_result_alone(parts: Path) -> None:
    shutil.copy(parts / "good" / "0000.png", parts / "bad" / "copy.png")
    ran = run("check", parts, "--json")
    assert ran.code == 4
    assert ran.json["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert ran.json["findings"][0]["images"] == ["bad/copy.png", "good/0000.png"]


def test_report_and_proposals_lead_to_a_repair(parts: Path) -> None:
    shutil.copy(parts / "good" / "0000.png", parts / "good" / "copy.png")
    ran = run("check", parts, "-o", "report.html", "--proposals", "fixes.csv")
    assert ran.err.splitlines() == [
        "report  report.html",
        "fixes   fixes.csv: 1 proposed, 1 accepted beforehand; edit the file, then",
        "        tellapart data fix parts fixes.csv -o NEWDATA",
    ]
    assert "<title>Data check: parts</title>" in Path("report.html").read_text(encoding="utf-8")
    assert run("data", "fix", parts, "fixes.csv", "-o", "r1").out == "r1: 1 drop; 7 → 6 images\n"
    assert run("check", "r1").out.splitlines()[-1] == "nothing is wrong with 6 images"
    again = run("check", parts, "--proposals", "fixes.csv")
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("error: fixes.csv exists, and may hold what somebody decided")


def test_the_next_command_reads_the_data_in_the_same_way(parts: Path) -> None:
    shutil.copy(parts / "good" / "0000.png", parts / "good" / "copy.png")
    parts.rename("my parts")
    Path("map.yaml").write_text("rename: {good: fine}\n")
    options = ("--labels", "map.yaml", "--single-label", "--allow-outside", "--task", "binary")
    ran = run("check", "my parts", *options, "--proposals", "fixes.csv")
    command = ran.err.splitlines()[-1].strip()
    assert command == (
        "tellapart data fix 'my parts' fixes.csv --labels map.yaml --task binary --single-label --allow-outside -o NEWDATA"
    )
    assert run(*shlex.split(command)[1:]).out == "NEWDATA: 1 drop; 7 → 6 images\n"


def test_unknown_checks_are_wrong_usage(parts: Path) -> None:
    ran = run("check", parts, "--only", "duplicates")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: there is no check 'duplicates'; did you mean 'exact_duplicates'? (known: exact_duplicates) "
        "[unknown_name]\n"
    )
    assert run("check", parts, "--skip", "exact_duplicates").err == (
        "error: no check is left to run; skip fewer of them [bad_setting]\n"
    )


def test_a_report_that_cannot_be_written_is_told(parts: Path) -> None:
    ran = run("check", parts, "-o", "no/such/folder.html")
    assert ran.code == 1
    assert "no/such/folder.html could not be written" in ran.err


def test_names_from_anywhere_are_only_text(parts: Path) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    for folder in ("good", "bad"):
        (parts / folder / name).write_bytes(png_bytes(class_picture(0, 9)))
    run("check", parts, "-o", "report.html", "--proposals", "fixes.csv")
    html = Path("report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html


def test_training_runs_the_cheap_checks(parts: Path) -> None:
    shutil.copy(parts / "good" / "0000.png", parts / "bad" / "copy.png")
    ran = run("train", parts, "-o", "model", "--backbone", backbone_file())
    told = [line for line in ran.out.splitlines() if "under several labels" in line or line.startswith("checks")]
    assert told == [
        "warning     1 image lies in the data under several labels at once, such as bad/copy.png as 'bad' and 'good'; "
        "decide on one label for each: nobody can learn both",
        "checks      tellapart check DATA shows more",
    ]
