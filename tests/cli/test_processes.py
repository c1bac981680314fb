"""Real processes: pipes that close, Ctrl-C, kill -9. Whatever the moment, what lies on the disk is whole."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.builders import class_picture, jpeg_bytes, write_folders
from tests.classifier.models import backbone_file, model_folder, photos
from tests.cli.command import run, start

from tellapart.classifier.storage import check_all
from tellapart.workflows.verify import verify

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")


def finish(child: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = child.communicate(timeout=120)
    return child.returncode, out.decode(), err.decode()


def litter(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if ".new-" in path.name or ".old-" in path.name]


def test_a_real_command_prints_utf8_json_lines(tmp_path: Path) -> None:
    shutil.copy(photos() / "red" / "0000.png", tmp_path / "größe 🐸.png")
    code, out, err = finish(start("predict", model_folder(), tmp_path / "größe 🐸.png", "--json", cache=tmp_path))
    assert (code, err) == (0, "")
    assert json.loads(out)["uri"].endswith("größe 🐸.png")


def test_any_locale_takes_any_name(tmp_path: Path) -> None:
    shutil.copy(photos() / "red" / "0000.png", tmp_path / "größe 🐸.png")
    for form in ("--json", "--csv"):
        command = start("predict", model_folder(), tmp_path, form, cache=tmp_path, encoding="ascii")
        code, out, err = finish(command)
        assert (code, err) == (0, ""), form
        assert "red" in out


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    paths = [photos()] * 400
    child = start("predict", model_folder(), *paths, "--json", cache=tmp_path)
    assert child.stdout is not None
    assert child.stderr is not None
    first = child.stdout.readline()
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()
    child.wait(timeout=120)
    assert json.loads(first)["uri"].endswith("blue/0000.png")
    assert (child.returncode, err) == (0, b"")


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">/dev/full", 1, "error: the result could not be written: No space left on device [write_failed]\n"),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="a device of Linux")
def test_results_that_find_no_place(redirection: str, code: int, said: str) -> None:
    command = [sys.executable, "-m", "tellapart", "predict", str(model_folder()), str(photos()), "--json"]
    ran = subprocess.run(["sh", "-c", f'exec "$@" {redirection}', "sh", *command], capture_output=True, check=False)
    assert (ran.returncode, ran.stderr.decode()) == (code, said)


def many_photos(folder: Path) -> Path:
    """Some hundred images that take a second or more to embed."""
    data = [jpeg_bytes(class_picture(i % 2, i, 640), quality=90) for i in range(6)]
    for i in range(300):
        target = folder / ("bad" if i % 2 else "good") / f"{i}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data[i % 6] + i.to_bytes(2, "big"))  # what stands behind a JPEG is no part of the picture
    return folder


@pytest.mark.parametrize("output", ["model", "model.zip"])
def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path, output: str) -> None:
    data = many_photos(tmp_path / "parts")
    child = start("train", data, "-o", tmp_path / output, "--backbone", backbone_file(), cache=tmp_path / "cache")
    cache = tmp_path / "cache" / "embeddings"
    deadline = time.monotonic() + 60
    while not list(cache.glob("*.sqlite*")) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)  # images are being read now: an interrupt before that would meet Python's start
    child.send_signal(signal.SIGINT)
    code, out, err = finish(child)
    assert (code, out) == (130, "")
    assert err.strip() == "interrupted: nothing was half-written"
    assert not (tmp_path / output).exists()
    assert litter(tmp_path) == []


def test_kill_at_any_moment_of_a_training(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"bad": 10, "good": 10})
    model, cache, moments = tmp_path / "model", tmp_path / "cache", random.Random(3)
    arguments = ["train", tmp_path / "parts", "-o", model, "--backbone", backbone_file(), "--golden", 2]
    started = time.monotonic()
    assert finish(start(*arguments, "--no-cache", "--name", "whole", cache=cache))[0] == 0
    whole = time.monotonic() - started
    shutil.rmtree(model)
    seen = set()
    for turn in range(6):
        child = start(*arguments, "--name", f"turn-{turn}", cache=cache)
        time.sleep(moments.uniform(0.3, 1.05) * whole)  # the moment of the kill is the point
        child.kill()
        finish(child)
        if model.exists():
            check_all(model)
            seen.add(json.loads((model / "model.json").read_text())["name"])
    code, _, err = finish(start(*arguments, "--name", "after", cache=cache))
    assert (code, "Traceback" in err) == (0, False)
    assert verify(model).n_golden == 2
    ran = run(*arguments, "--name", "again", TELLAPART_CACHE_DIR=str(cache))
    assert ran.code == 0
    assert json.loads((model / "model.json").read_text())["training"]["images_from_cache"] == 20
    assert not list((cache / "embeddings").glob("*.damaged"))
    assert seen <= {f"turn-{turn}" for turn in range(6)}
