"""Few-shot and classic methods from the command line, from the folder to the exported file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import write_folders
from tests.classifier.models import backbone_file
from tests.cli.command import run


def parts(root: Path, per_class: int) -> Path:
    return write_folders(root / "parts", dict.fromkeys(("bad", "good"), per_class), side=32)


def test_one_image_per_class_is_told_not_to_be_judged(tmp_path: Path) -> None:
    model = tmp_path / "model"
    options = ("--method", "few-shot", "--backbone", backbone_file(), "-o", model)
    ran = run("train", parts(tmp_path, 1), *options)
    assert ran.code == 0
    assert "judged on   nothing: every class has one image or group" in ran.out
    assert ran.out.endswith("\nnot measured: no image is left to judge on\n")
    assert "report.html" not in ran.err
    assert run("train", tmp_path / "parts", *options, "--json").json is None
    assert "not measured: no image is left to judge on" in run("model", "show", model).out
    assert run("model", "verify", model).code == 0
    assert run("predict", model, tmp_path / "parts" / "bad" / "0000.png").out.startswith(str(tmp_path / "parts"))


@pytest.mark.parametrize("method", ["hog", "sift"])
def test_classic_methods_end_in_a_model_like_any_other(tmp_path: Path, method: str) -> None:
    model, picture = tmp_path / "model", tmp_path / "parts" / "bad" / "0000.png"
    ran = run("train", parts(tmp_path, 8), "-o", model, "--method", method, "--head", "svm", "--size", "48")
    assert ran.code == 0
    assert run("model", "verify", model).code == 0
    assert f"backbone    {method} (Apache-2.0)" in run("model", "show", model).out
    assert run("model", "export", model, "-o", tmp_path / "model.onnx").code == 0
    assert "bad" in run("predict", model, picture).out


def test_a_head_of_classic_methods_is_not_for_others(tmp_path: Path) -> None:
    ran = run("train", parts(tmp_path, 4), "--head", "svm")
    assert ran.code != 0
    assert "--head works with the method 'hog' or 'sift', not 'probe'" in ran.err
