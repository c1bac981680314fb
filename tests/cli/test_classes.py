"""`tellapart classes`: tables, JSON, pages, exit codes, and what a newcomer gets wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.classifier.models import own_copy
from tests.cli.command import run, start
from tests.workflows.classes.models import dynamic_model, more_images, photos

from tellapart.classifier.storage import load, read_card
from tellapart.workflows.verify import verify


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return dynamic_model(Path())


def test_a_preview_and_then_the_change(model: Path) -> None:
    more_images(Path("new"), {"pink": (4, 8)})
    seen = run("classes", "add", model, "new", "--preview")
    assert (seen.code, seen.err) == (0, "\nrun it again without --preview to make the change\n")
    lines = seen.out.splitlines()
    assert lines[:3] == [
        "preview     add: nothing was changed",
        "data        8 images seen: 8 new",
        "new         pink: 8 images",
    ]
    assert lines[3].startswith("judged on   ")
    assert lines[3].endswith(" images of the held-back split and 8 images of 'pink' in held-out folds")
    assert lines[4].startswith("accuracy    ")
    assert lines[5].startswith("f1_macro    ")
    assert lines[7] == "class  images  held out  recall before  after  lost  won"
    assert lines[11].split()[:4] == ["pink", "8", "8", "-"]
    made = run("classes", "add", model, "new", "--pictures", photos())
    assert made.out.splitlines()[0] == "version     2: add"
    assert made.out.splitlines()[1:] == lines[1:]
    assert made.err == (
        f"\nmodel   {model} is now {read_card(model).model_id}; `tellapart classes undo {model}` takes it back\n"
    )


def test_json_is_the_change_alone(model: Path) -> None:
    ran = run("classes", "merge", model, "red", "blue", "--into", "warm", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["model_id"] == read_card(model).model_id
    assert ran.json["arguments"] == {"names": ["red", "blue"], "into": "warm"}
    assert {one["label"] for one in ran.json["effect"]["classes"]} == {"green", "warm"}
    history = run("classes", "history", model, "--json").json
    assert [one["operation"] for one in history["entries"]] == ["train", "merge"]
    assert history["entries"][1]["mapping"] == {"0": [3], "1": [1], "2": [3]}
    assert history["entries"][1]["effect"] == ran.json["effect"]
    listed = run("classes", "list", model, "--json").json
    assert [one["name"] for one in listed["classes"]] == ["green", "warm"]
    assert run("classes", "undo", model, "--json").json["arguments"] == {"to": 1}


def test_every_change_in_lines(model: Path) -> None:
    assert run("classes", "rename", model, "red", "crimson").out.splitlines() == [
        "version     2: rename",
        "renamed     red → crimson",
        "answers     no answer changes",
    ]
    assert run("classes", "retire", model, "green").out.splitlines()[:2] == [
        "version     3: retire",
        "retired     green: 12 images leave",
    ]
    more_images(Path("pieces"), {"navy": (0, 5), "sky": (3, 5)})
    assert "split       blue → navy 5 + sky 5" in run("classes", "split", model, "blue", "pieces").out
    assert run("classes", "undo", model, "--to", 1).out.splitlines()[1].startswith("restored    version 1 of ")
    lines = run("classes", "history", model).out.splitlines()
    assert lines[0].split() == ["version", "at", "change", "classes", "images", "undo", "model", "id"]
    assert [line.split()[2] for line in lines[1:]] == ["train", "rename", "retire", "split", "undo,"]
    assert "split blue → navy, sky" in lines[4]
    assert verify(model).n_golden == 3


def test_a_sheet_shows_the_pictures(model: Path) -> None:
    more_images(Path("new"), {"near red": (2, 12)})
    ran = run("classes", "add", model, "new", "--preview", "--pictures", photos(), "--sheet", "s.html")
    assert ran.err.startswith("\nsheet   s.html\n")
    page = Path("s.html").read_text(encoding="utf-8")
    assert "<title>Preview: add on colours</title>" in page
    assert "data:image/webp;base64," in page
    assert "not found" not in page
    assert "<b>red</b> → " in page
    run("classes", "add", model, "new", "--preview", "--sheet", "s.html")
    assert "not found" in Path("s.html").read_text(encoding="utf-8")


def test_predictions_and_a_full_model(model: Path) -> None:
    run("predict", model, photos() / "red", "--json", "-o", "old.jsonl")
    run("classes", "rename", model, "red", "crimson")
    ran = run("classes", "translate", model, "old.jsonl", "-o", "new.jsonl")
    assert ran.out.splitlines() == [
        f"new.jsonl: 12 predictions in the terms of version 2 ({read_card(model).model_id})",
        "version 1  12 predictions",
    ]
    assert json.loads(Path("new.jsonl").read_text().splitlines()[0])["predicted"] in (["crimson"], ["blue"], ["green"])
    ran = run("classes", "consolidate", model, "-o", "full")
    assert ran.out.splitlines()[0] == f"full model  {read_card('full').model_id}: a linear probe of 36 images"
    assert ran.err == "\nmodel   full\n"
    assert run("model", "verify", "full").code == 0


def test_renaming_a_model_of_any_kind(tmp_path: Path) -> None:
    model = own_copy(tmp_path)
    assert run("classes", "rename", model, "green", "emerald").code == 0
    assert load(model).labels == ("blue", "emerald", "red")
    assert run("classes", "list", model).out.splitlines()[0].endswith("version 2")
    ran = run("classes", "retire", model, "red")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith("train it again with `tellapart train DATA --method dynamic` [classes_fixed]\n")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("retire", "colours", "gren"), 1, "did you mean 'green'? [unknown_label]"),
        (("merge", "colours", "red", "--into", "warm"), 2, "merging takes at least two different classes; "),
        (("rename", "colours", "red", "blue"), 1, "there is a class 'blue' already; "),
        (("add", "colours", "empty"), 1, "[dataset_empty]"),
        (("add", "colours", "nothing-here"), 1, "[dataset_not_found]"),
        (("retire", "nothing-here", "red"), 1, "[model_not_found]"),
        (("undo", "colours"), 2, "were never changed, so there is nothing to undo [bad_setting]"),
        (("translate", "colours", "none.jsonl", "-o", "x.jsonl"), 1, "[dataset_not_found]"),
        (("consolidate", "colours", "-o", "colours"), 2, "name another output [bad_setting]"),
    ],
)
def test_what_goes_wrong_is_one_sentence(model: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    Path("empty").mkdir()
    before = (model / "model.json").read_bytes()
    ran = run("classes", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert (model / "model.json").read_bytes() == before


def test_ctrl_c_leaves_the_old_model(model: Path, tmp_path: Path) -> None:
    more_images(Path("many"), {"pink": (4, 400)})
    process = start("classes", "add", model, "many", "--json", cache=tmp_path / "cache")
    lock = Path(".colours.lock")
    until = time.monotonic() + 30
    while not lock.exists() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:  # pragma: no cover
        process.kill()
        raise
    assert (process.returncode, out) == (130, b"")
    assert err.strip() == b"interrupted: nothing was half-written"
    assert load(model).labels == ("blue", "green", "red")
    assert sorted(path.name for path in Path().iterdir() if path.name.startswith(".")) == []
