"""`data fix`, `data diff` and `data log`: from an edited list of fixes to a revision, and back to what happened."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.command import run
from tests.data.tiny import put

from tellapart.data.dataset import Dataset
from tellapart.data.repair.fixes import Fix, write_fixes


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    put(Path("parts"), "good/0.png", "good/1.png", "Good/2.png", "scratch/3.png", "scratch/4.png")
    fixes = [Fix("drop", "good/0.png"), Fix("merge", value="good", was="Good")]
    write_fixes([*fixes, Fix("relabel", "scratch/3.png", "good", accept=False)], Path("fixes.csv"))
    return Path("parts")


def test_a_fix_makes_a_revision_and_leaves_the_originals(parts: Path) -> None:
    before = sorted((path, path.read_bytes()) for path in parts.rglob("*.png"))
    ran = run("data", "fix", parts, "fixes.csv", "-o", "r1", "--who", "Ada", "--why", "dirty lens")
    assert (ran.code, ran.out) == (0, "r1: 1 drop, 1 merge; 5 → 4 images\n")
    assert ran.err == "not accepted: 1 line; accept in the file, or everything with --all\n"
    assert sorted((path, path.read_bytes()) for path in parts.rglob("*.png")) == before
    revision = Dataset.read("r1")
    assert [(sample.uri, sample.labels) for sample in revision.samples] == [
        ("Good/2.png", ("good",)),
        ("good/1.png", ("good",)),
        ("scratch/3.png", ("scratch",)),
        ("scratch/4.png", ("scratch",)),
    ]
    again = run("data", "fix", parts, "fixes.csv", "-o", "r1")
    assert (again.code, again.out) == (1, "")
    assert again.err == ("error: r1 exists, and a revision never replaces another; choose a new name [output_exists]\n")


def test_the_difference_and_the_log_tell_what_was_done(parts: Path) -> None:
    run("data", "fix", parts, "fixes.csv", "-o", "r1", "--who", "Ada", "--why", "dirty lens")
    write_fixes([Fix("move", "scratch/3.png", "test")], Path("more.csv"))
    assert run("data", "fix", "r1", "more.csv", "-o", "r2", "--who", "Bob").code == 0
    ran = run("data", "diff", parts, "r2")
    assert ran.out.splitlines() == [
        "dropped     1",
        "  good/0.png  good → –",
        "relabelled  1",
        "  Good/2.png  Good → good",
        "moved       1",
        "  scratch/3.png  – → test",
    ]
    assert run("data", "diff", parts, "r2", "--json").json["moved"] == [
        {"uri": "scratch/3.png", "was": "", "now": "test"}
    ]
    assert run("data", "diff", "r2", "r2").out == "no difference\n"
    steps = run("data", "log", "r2", "--json").json
    assert [(step["who"], step["why"], step["counts"]) for step in steps] == [
        ("Bob", "", {"move": 1}),
        ("Ada", "dirty lens", {"drop": 1, "merge": 1}),
    ]
    lines = run("data", "log", "r2").out.splitlines()
    assert lines[0].startswith("r2  ")
    assert lines[0].endswith(" by Bob")
    assert lines[-1] == "parts"
    assert run("data", "log", parts).out == "parts: no revision; the data are as they were made\n"


def test_everything_is_accepted_when_asked(parts: Path) -> None:
    ran = run("data", "fix", parts, "fixes.csv", "-o", "r1", "--all", "--json")
    assert ran.json["counts"] == {"drop": 1, "merge": 1, "relabel": 1}
    assert (ran.json["idle"], ran.json["declined"]) == (0, 0)


def test_what_contradicts_an_earlier_line_is_left_out_and_said(parts: Path) -> None:
    write_fixes([Fix("relabel", "scratch/3.png", "good"), Fix("drop", "scratch/3.png")], Path("mine.csv"))
    ran = run("data", "fix", parts, "mine.csv", "-o", "r1", "--all")
    assert (ran.code, ran.out) == (0, "r1: 1 relabel; 5 → 5 images\n")
    assert ran.err == "not accepted: 1 line; contradicting an earlier one\n"


def test_faults_of_file_and_data_come_together(parts: Path) -> None:
    Path("fixes.csv").write_text("accept,uri,action,value\nyes,no.png,drop,\noh,good/1.png,drop,\n")
    ran = run("data", "fix", parts, "fixes.csv", "-o", "r1")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "error: fixes.csv has 2 faults, so nothing was changed:\n"
        "  line 2: the data set has no image 'no.png'\n"
        "  line 3: accept is yes or no, got 'oh' [bad_row]\n"
    )
    assert not Path("r1").exists()


def test_an_edited_file_is_refused(parts: Path) -> None:
    ids = {sample.uri: sample.id for sample in _identified(parts).samples}
    write_fixes([Fix("drop", "good/0.png", id=ids["good/0.png"])], Path("mine.csv"))
    (parts / "good" / "0.png").write_bytes(b"another")
    ran = run("data", "fix", parts, "mine.csv", "-o", "r1")
    assert ran.code == 1
    assert "line 2: 'good/0.png' is another image than the one that was checked (its bytes changed)" in ran.err


def test_a_revision_never_lies_inside_its_data(parts: Path) -> None:
    ran = run("data", "fix", parts, "fixes.csv", "-o", parts / "r1")
    assert ran.code == 2
    assert ran.err == (
        "error: the revision parts/r1 would lie inside the data parts, where originals are never touched; "
        "name an output outside of it [bad_setting]\n"
    )


def test_not_every_image_may_be_dropped(parts: Path) -> None:
    write_fixes([Fix("drop", uri) for uri in Dataset.read(parts).uris], Path("mine.csv"))
    ran = run("data", "fix", parts, "mine.csv", "-o", "r1")
    assert ran.err == "error: mine.csv would drop every image; accept fewer of its lines [dataset_empty]\n"


def _identified(parts: Path) -> Dataset:
    from tellapart.data.repair.identity import identify

    return identify(Dataset.read(parts))
