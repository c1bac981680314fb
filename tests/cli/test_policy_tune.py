"""`tellapart policy tune` from the command line: files in, files out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import run
from tests.workflows.tuning import POLICY, recorded

from tellapart.settings.policy_text import MARK


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    policy, recording, truth = tmp_path / "line.yaml", tmp_path / "rec.jsonl", tmp_path / "truth.csv"
    policy.write_text(POLICY, encoding="utf-8")
    images, episodes = recorded(6, seed=1, n_images=120, n_episodes=3)
    lines = [{"sequence": name, **one.to_json()} for name, of in images.items() for one in of]
    recording.write_text("".join(json.dumps(one) + "\n" for one in [*lines, {"at": "never"}]), encoding="utf-8")
    rows = [f"{name},{one.start_s},{one.end_s},{one.state}" for name, of in episodes.items() for one in of]
    truth.write_text("\n".join(["sequence,start,end,state", *rows, ""]), encoding="utf-8")
    return policy, recording, truth


def test_a_policy_is_tuned_in_place_with_a_page(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = run("policy", "tune", *files, "--budget", 20, "-o", files[0], "--page", page)
    assert ran.code == 0, ran.err
    assert "verdict   tuning pays: " in ran.out
    assert "held out  5 parts of 6 sequences, one at a time" in ran.out
    assert "1 lines were refused" in ran.err
    text = files[0].read_text(encoding="utf-8")
    assert text.startswith(f"{MARK}by tellapart policy tune, from line-4@")
    assert text.endswith("stable:\n  enter: {bad: 1}\n") or "enter: {bad: " in text
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 2
    assert "Tuning pays" in html
    assert "<script" not in html
    again = run("policy", "check", files[0])
    assert again.code == 0, again.err


def test_a_truth_without_names_belongs_to_the_only_sequence(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    policy, recording, truth = files
    only = [one for one in recording.read_text(encoding="utf-8").splitlines() if '"day-0"' in one]
    recording.write_text("\n".join(only), encoding="utf-8")
    rows = [one[6:] for one in truth.read_text(encoding="utf-8").splitlines() if one.startswith("day-0,")]
    truth.write_text("\n".join(["start,end,state", *rows]), encoding="utf-8")
    ran = run("policy", "tune", policy, recording, truth, "--budget", 5, "--gap", 2)
    assert ran.code == 0, ran.err
    assert "held out  3 stretches of the single sequence" in ran.out


def test_json_holds_everything_that_was_tried(files: tuple[Path, Path, Path]) -> None:
    ran = run("policy", "tune", *files, "--budget", 12, "--false-alarms", "9 per hour", "--only", "rules", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["aim"] == {"goal": "best-recall", "falseAlarmsPerHour": 9.0, "delayP90": None, "recall": None}
    track = told["tracks"]["state"]
    assert list(track["numbers"]) == ["rules[0].if.at_least"]
    assert len(track["candidates"]) <= 12
    assert set(track["heldOut"]["costPerHour"]) == {"given", "tuned"}
    assert "bad_row" in json.dumps(told["refused"])


def test_what_cannot_be_asked_is_refused_and_nothing_is_written(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "tuned.yaml"
    ran = run("policy", "tune", *files, "--false-alarms", "few", "-o", out)
    assert ran.code == 2
    assert ran.err == (
        "error: false alarms are limited as in '2 per shift', '0.5 per hour' or '3 per day', got 'few' [bad_setting]\n"
    )
    assert not out.exists()


def test_a_folder_that_is_not_there_is_said(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    ran = run("policy", "tune", *files, "--budget", 3, "-o", tmp_path / "none" / "tuned.yaml")
    assert ran.code == 1
    assert "tuned.yaml could not be written: No such file or directory [write_failed]" in ran.err


def test_sequences_that_are_left_out_are_said(files: tuple[Path, Path, Path]) -> None:
    with files[2].open("a", encoding="utf-8") as truth:
        truth.write("sunday,1,2,bad\n")
    rows = files[2].read_text(encoding="utf-8").splitlines()
    files[2].write_text("\n".join(row for row in rows if not row.startswith("day-2")), encoding="utf-8")
    ran = run("policy", "tune", *files, "--budget", 3)
    assert ran.code == 0, ran.err
    assert "1 sequences are recorded but not labelled and were left out: 'day-2'" in ran.err
    assert "1 sequences are labelled but not recorded and were left out: 'sunday'" in ran.err
