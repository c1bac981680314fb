"""`tellapart data augment`: sentences, a picture, and what is wrong with what was asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.builders import write_folders
from tests.classifier.models import backbone_file
from tests.cli.command import run


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return write_folders(Path("parts"), {"blue": 6, "red": 6})


def test_a_preset_is_explained_drawn_and_measured(parts: Path) -> None:
    ran = run("data", "augment", parts, "--preset", "small-defects", "-o", "s.png", "--backbone", backbone_file())
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0].startswith("preset    small-defects: for faults of a few pixels")
    assert lines[1].startswith("          keeps the whole picture")
    assert lines[3].startswith("labels    of 12 images, ")
    assert [line.split(":")[0].strip() for line in lines[4:9]] == [
        "horizontal flips",
        "vertical flips",
        "rotations by 90 degrees",
        "rotations by 180 degrees",
        "changes of hue",
    ]
    assert ran.err == "sheet   s.png\n"
    with Image.open("s.png") as sheet:
        assert sheet.format == "PNG"


def test_fields_and_recipes_are_taken(parts: Path) -> None:
    common = ("--no-check", "--backbone", backbone_file())
    ran = run("data", "augment", parts, *common, "--set", "hue=0.25", "--set", "size=40", "--json")
    assert ran.json["explanation"][0].endswith("; here with hue 0.25")
    assert ran.json["preprocess"] == "decode|upright|fit(40)"
    assert ran.json["labels"] is None
    Path("own.yaml").write_text("method: finetune\nfinetune:\n  augmentation:\n    preset: light\n")
    ran = run("data", "augment", parts, *common, "--recipe", "own.yaml")
    assert ran.out.startswith("preset    light: ")
    assert ran.err == ""


def test_what_cannot_be_is_said(parts: Path) -> None:
    ran = run("data", "augment", parts, "--set", "huee=0.1")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean 'finetune.augmentation.hue'?" in ran.err
    assert run("data", "augment", parts, "--preset", "loud").code == 2
    ran = run("data", "augment", parts, "--no-check", "--backbone", backbone_file(), "-o", "no/such/folder.png")
    assert ran.code == 1
    assert "no/such/folder.png could not be written: No such file or directory [write_failed]" in ran.err
