"""Hostile files and data sets from the command line: a documented result or a stable code, counted, no traceback."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file, model_folder
from tests.cli.command import Ran, run
from tests.hostile import ACCEPTED, write_hostile_corpus

from tellapart.errors import Reason

CODES = {reason.value for reason in Reason}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def train(data: Path, *options: object) -> tuple[Ran, dict[str, Any]]:
    """Train and give the model's card, {} when there is none."""
    output = data.parent / "model"
    ran = run("train", data, "-o", output, "--backbone", backbone_file(), "--golden", 2, "--no-cache", *options)
    card = json.loads((output / "model.json").read_text()) if ran.code == 0 else {}
    if ran.code:
        assert ran.err.startswith("error: ")
        assert ran.err.rsplit("[", 1)[1].rstrip("]\n") in CODES
        assert not output.exists()
    else:
        facts = card["data"]
        assert facts["used"] + facts["unlabelled"] + sum(facts["refused"].values()) == facts["seen"]
    return ran, card


def test_every_hostile_file_asked_for_by_name_is_judged_as_documented(tmp_path: Path) -> None:
    expected = write_hostile_corpus(tmp_path / "corpus")
    names = sorted(expected)
    ran = run(
        "predict", model_folder(), *(tmp_path / "corpus" / name for name in names if name != "folder.jpg"), "--json"
    )
    names.remove("folder.jpg")  # a folder stands for the images in it: there are none
    assert ran.code == 0
    assert [line["uri"] for line in ran.lines] == [str(tmp_path / "corpus" / name) for name in names]
    got = {name: line.get("refused", {"code": ACCEPTED})["code"] for name, line in zip(names, ran.lines, strict=True)}
    assert got == {name: expected[name] for name in names}


@pytest.mark.parametrize("form", ["--json", "--csv", "text"])
def test_the_hostile_folder_is_counted(tmp_path: Path, form: str) -> None:
    expected = write_hostile_corpus(tmp_path / "corpus")
    ran = run("predict", model_folder(), tmp_path / "corpus", *([form] if form != "text" else []))
    assert ran.code == 0
    n_refused = sum(outcome != ACCEPTED for name, outcome in expected.items() if name != "folder.jpg")
    assert f"{n_refused} of {len(expected) - 1} images refused" in ran.err
    if form == "text":
        assert len(ran.out.splitlines()) == len(expected) - 1 - n_refused


def test_training_among_hostile_files(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"bad": 8, "good": 8})
    expected = write_hostile_corpus(tmp_path / "parts" / "good")
    ran, card = train(tmp_path / "parts")
    assert ran.code == 0, ran.err
    counted = Counter(expected.values())
    del counted[ACCEPTED]
    counted["not_a_file"] -= 3  # the folder named like a picture, and links in a circle: listed, they lead nowhere
    counted["file_not_found"] += 2
    assert Counter(card["data"]["refused"]) == counted
    assert card["data"]["used"] == 16 + sum(outcome == ACCEPTED for outcome in expected.values())
    imported = run("data", "import", tmp_path / "parts", "-o", tmp_path / "d.parquet", "--json")
    assert imported.code == 0
    seen = imported.json["images"] + len(imported.json["refused"])
    assert seen == card["data"]["seen"]
    ran = run("evaluate", tmp_path / "model", tmp_path / "parts", "-o", tmp_path / "r", "--json", "--no-cache")
    assert ran.code == 0
    assert Counter(entry["refused"]["code"] for entry in ran.json["refused"]) == counted


def photos(folder: Path, n: int = 16) -> Path:
    folder.mkdir()
    for i in range(n):
        (folder / f"{i:02d}.png").write_bytes(png_bytes(class_picture(i % 2, i)))
    return folder


def table(folder: Path, rows: list[str], header: str = "file_name,label") -> Path:
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / "labels.csv"


def rows(n: int = 16) -> list[str]:
    return [f"{i:02d}.png,{'bad' if i % 2 else 'good'}" for i in range(n)]


def test_labels_that_differ_in_case_or_spaces_are_kept_and_named(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"Good": 6, "good": 6, " good ": 6, "bad": 6})
    ran, card = train(tmp_path / "parts")
    assert ran.code == 0
    assert [label["name"] for label in card["labels"]] == ["Good", "bad", "good"]
    assert any("'Good', 'good' differ only in case or spacing" in line for line in card["data"]["summary"])


def test_rows_that_point_nowhere_or_outside(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    (tmp_path / "secret.png").write_bytes(png_bytes())
    bad = ["nowhere.png,good", "../secret.png,good", f"{tmp_path}/secret.png,bad", ",good", "/etc/passwd,good"]
    bad += [
        "http://example.org/nothing/x.png,good",
        "..,good",
        "\0.png,good",
        "sub/../../secret.png,bad",
        "file:///etc/passwd,bad",
    ]
    ran, card = train(table(folder, rows() + bad))
    assert ran.code == 0, ran.err
    facts = card["data"]
    assert (facts["seen"], facts["used"], sum(facts["refused"].values())) == (16 + len(bad), 16, len(bad))
    assert set(facts["refused"]) <= {"file_not_found", "outside_root", "bad_row", "not_a_file"}
    assert facts["refused"]["outside_root"] >= 3
    ran = run("data", "import", folder / "labels.csv", "-o", tmp_path / "d.parquet", "--json")
    assert (ran.json["images"], len(ran.json["refused"])) == (16, len(bad))


def test_rows_that_come_twice_or_contradict(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 18)
    given = [*rows(18), "00.png,good", "00.png,good", "01.png,good"]
    ran, card = train(table(folder, given))
    assert ran.code == 0, ran.err
    assert card["data"]["refused"] == {"duplicate_row": 2, "label_conflict": 2}
    assert card["data"]["seen"] == len(given)


def test_huge_fields_and_torn_rows(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    given = [*rows(), f"{'x' * 500_000},good", f"00.png,{'y' * 2_000_000}", "a,b,c,d", "03.png", '"unclosed,bad']
    ran, card = train(table(folder, given))
    assert ran.code == 0, ran.err
    assert card["data"]["used"] >= 15
    assert sum(card["data"]["refused"].values()) >= 4
    assert len(ran.out) < 20_000


@pytest.mark.skipif(os.name != "posix", reason="such names cannot be made here")
def test_names_with_newlines_and_links_to_nowhere(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"bad": 8, "good": 8, "new\nclass": 4})
    (tmp_path / "parts" / "bad" / "new\nline.png").write_bytes(png_bytes(class_picture(0, 50)))
    (tmp_path / "parts" / "bad" / "link.png").symlink_to("nowhere.png")
    (tmp_path / "parts" / "good" / "loop").symlink_to(tmp_path / "parts" / "good")
    (tmp_path / "parts" / "broken").symlink_to(tmp_path / "nowhere")
    ran, card = train(tmp_path / "parts")
    assert ran.code == 0, ran.err
    assert card["data"]["refused"] == {"file_not_found": 1}
    assert "new\\nclass" in ran.out
    assert not any(line.startswith("class") for line in ran.out.splitlines())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"file_name,label\n",
        b"\xff\xfe\xfa\xfb",
        b"\0\0\0\0",
        b"label\ngood\n",
        b"file_name\n00.png\n01.png\n",
        b'file_name,label\n"00.png,good\n01.png,bad\n',
        b"a;b;c\n1;2;3\n",
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json", ".parquet", ".xml"])
def test_files_that_are_no_data_set(tmp_path: Path, content: bytes, suffix: str) -> None:
    folder = photos(tmp_path / "photos", 2)
    path = folder / f"labels{suffix}"
    path.write_bytes(content)
    ran, _ = train(path)
    assert ran.code == 1
    ran = run("data", "import", path, "-o", tmp_path / "d.parquet")
    assert ran.code in (0, 1)
    if ran.code:
        assert ran.err.rsplit("[", 1)[1].rstrip("]\n") in CODES


@pytest.mark.parametrize(
    ("classes", "code"), [({"good": 5}, "too_few_classes"), ({"good": 1}, "too_few_classes"), ({}, "dataset_empty")]
)
def test_too_little_to_train_on(tmp_path: Path, classes: dict[str, int], code: str) -> None:
    (tmp_path / "parts").mkdir()
    write_folders(tmp_path / "parts", classes)
    ran, _ = train(tmp_path / "parts")
    assert ran.code == 1
    assert ran.err.endswith(f"[{code}]\n")


@pytest.mark.parametrize("target", ["photos", "photos/00.png", "nowhere", "photos/labels.csv"])
def test_what_is_no_model_is_said_to_be_none(tmp_path: Path, target: str) -> None:
    table(photos(tmp_path / "photos", 2), rows(2))
    for arguments in (["predict", tmp_path / target, tmp_path], ["model", "verify", tmp_path / target]):
        ran = run(*arguments)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.rstrip().endswith(("[model_not_found]", "[model_damaged]"))


@pytest.mark.parametrize(
    "option", [["--backbone", "clasic"], ["--backbone", "nowhere.onnx"], ["--preprocess", "magic"]]
)
def test_wrong_values_are_refused_before_anything_is_written(tmp_path: Path, option: list[str]) -> None:
    write_folders(tmp_path / "parts", {"bad": 2, "good": 2})
    ran = run("train", tmp_path / "parts", "-o", tmp_path / "model", *option)
    assert ran.code in (1, 2)
    assert ran.err.startswith("error: ")
    assert not (tmp_path / "model").exists()


def test_a_backbone_that_is_none(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"bad": 2, "good": 2})
    for name, data in {
        "empty.onnx": b"",
        "text.onnx": b"no network",
        "half.onnx": backbone_file().read_bytes()[:900],
    }.items():
        (tmp_path / name).write_bytes(data)
        ran = run("train", tmp_path / "parts", "-o", tmp_path / "model", "--backbone", tmp_path / name)
        assert ran.code == 1
        assert ran.err.endswith("[backbone_invalid]\n")


def test_folders_whose_names_are_no_text(tmp_path: Path) -> None:
    model = tmp_path / os.fsdecode(b"mod\xe9l")
    write_folders(tmp_path / "parts", {"bad": 8, "good": 8})
    trained = run("train", tmp_path / "parts", "-o", model, "--backbone", backbone_file(), "--no-cache")
    assert trained.code == 0, trained.err
    for command in (["verify"], ["show"], ["show", "--json"], ["export", "-o", tmp_path / os.fsdecode(b"\xe9.onnx")]):
        ran = run("model", command[0], model, *command[1:])
        assert ran.code == 0, ran.err
        assert "\\udce9" in ran.out or ran.json["name"] == model.name
    assert "\\udce9.zip: " in run("model", "pack", model, tmp_path / os.fsdecode(b"\xe9.zip")).out
