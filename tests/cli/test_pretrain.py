"""`tellapart backbones pretrain` from a folder of photos to a backbone; Ctrl-C and kill -9 leave nothing half-written."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import get_args

import pytest

pytest.importorskip("torch")

from tests.builders import write_folders
from tests.cli.command import run, start

from tellapart.cli.backbones_pretrain import _PRESETS
from tellapart.settings.recipe import Preset

ASKED = ("--backbone", "lenet", "--start", "scratch", "--size", "32", "--batch-size", "16", "--seed", "3")


def photos(root: Path) -> Path:
    folder = write_folders(root / "photos", {"a": 20, "b": 20}, side=24)
    (folder / "bad.jpg").write_bytes(b"no image")
    return folder


def test_from_forty_photos_to_a_backbone(tmp_path: Path) -> None:
    output = tmp_path / "mine.onnx"
    ran = run("backbones", "pretrain", photos(tmp_path), "-o", output, *ASKED, "--epochs", 2)
    assert ran.code == 0
    assert ran.out.startswith("images      40 of 41 used, 1 refused\nrefused     bad.jpg: not an image")
    assert ran.err.startswith("40 images are very few")
    assert (
        f"backbone  {output}\nweights   {tmp_path / 'mine.safetensors'}\ncurves    {tmp_path / 'mine.onnx.run'}"
        in ran.err
    )
    shown = run("backbones", "show", output, "--json", TELLAPART_CACHE_DIR=str(tmp_path / "cache"))
    assert shown.json["source"] == "pre-trained by SimCLR on 40 images, starting from fresh weights of lenet"


def test_dino_with_a_preset_as_json(tmp_path: Path) -> None:
    output = tmp_path / "mine.onnx"
    options = ("--method", "dino", "--epochs", 1, "--augment", "small-defects", "--set", "prototypes=16")
    small = ("--set", "local_size=1", "--set", "local_views=1", "--json")
    ran = run("backbones", "pretrain", photos(tmp_path), "-o", output, *ASKED, *options, *small)
    assert ran.code == 0
    assert ran.json["images"] == {"seen": 41, "accepted": 40, "refused": 1}
    assert [epoch["number"] for epoch in ran.json["epochs"]] == [0, 1]
    assert output.exists()


def test_what_cannot_be_is_an_error_of_usage(tmp_path: Path) -> None:
    folder = photos(tmp_path)
    ran = run("backbones", "pretrain", folder, "-o", tmp_path / "mine.pt")
    assert (ran.code, ran.out) == (2, "")
    assert "ends in .onnx" in ran.err
    ran = run("backbones", "pretrain", folder, "-o", tmp_path / "mine.onnx", *ASKED, "--set", "epochen=3")
    assert ran.code == 2
    assert ran.err == (
        "error: the options cannot be used: --set epochen=3: there is no 'epochen'; did you mean 'epochs'? [bad_setting]\n"
    )
    ran = run("backbones", "pretrain", folder, "-o", tmp_path / "mine.onnx", *ASKED, "--resume")
    assert ran.code == 2
    assert "there is no unfinished training" in ran.err


def test_the_presets_are_those_of_recipes() -> None:
    assert get_args(Preset) == _PRESETS


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_after_a_signal_the_run_goes_on(ending: signal.Signals, tmp_path: Path) -> None:
    folder, output = photos(tmp_path), tmp_path / "mine.onnx"
    asked = ("backbones", "pretrain", folder, "-o", output, *ASKED, "--epochs", 60)
    child = start(*asked, cache=tmp_path / "cache")
    deadline = time.monotonic() + 100
    while not (tmp_path / "mine.onnx.run/job/checkpoint.safetensors").exists():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(ending)
    _, err = child.communicate(timeout=60)
    if ending == signal.SIGINT:
        assert child.returncode == 130
        assert err.decode().endswith("interrupted: nothing was half-written\n")
    assert not output.exists()
    assert run(*asked, "--resume").code == 0
    assert output.exists()
    assert output.with_suffix(".safetensors").exists()
