"""`tellapart watch` from outside: real folders, real processes, signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.builders import jpeg_bytes
from tests.classifier.models import model_folder
from tests.workflows.watch.streams import picture_of

STREAM = """\
stream: 1
name: line
models: {colours: colours}
cameras:
  belt: {source: in, settled_s: 0.1}
sinks:
  - jsonl: out.jsonl
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a model, a stream file and a folder of images, one of which is none."""
    shutil.copytree(model_folder(), tmp_path / "colours")
    (tmp_path / "in").mkdir()
    for number, colour in enumerate(["red", "red", "blue", "green"]):
        (tmp_path / f"in/{number}.jpg").write_bytes(jpeg_bytes(picture_of(colour, number, 64)))
    (tmp_path / "in/1a.jpg").write_bytes(b"nonsense")
    (tmp_path / "line.yaml").write_text(STREAM)
    return tmp_path


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in the site's folder."""
    command = [sys.executable, "-m", "tellapart", "watch", *arguments]
    return subprocess.run(command, cwd=site, capture_output=True, text=True, timeout=60)


def states(lines: list[str]) -> list[str]:
    return [json.loads(line)["decision"]["state"] for line in lines if '"decision"' in line]


def test_a_folder_is_looked_at_and_the_changes_are_told(site: Path) -> None:
    done = run(site, "line.yaml", "--until-idle", "3s", "--json")
    assert done.returncode == 0, done.stderr
    *events, summary = done.stdout.splitlines()
    assert states(events) == ["red", "blue", "green"]
    assert json.loads(summary)["summary"]["frames"] == {
        "answered": 4, "refused": 1, "dropped": 0, "late": 0, "failed": 0,
    }  # fmt: skip
    assert states((site / "out.jsonl").read_text().splitlines()) == ["red", "blue", "green"]
    assert json.loads((site / "line.watch/health.json").read_text())["state"] == "stopped"


def test_lines_for_people(site: Path) -> None:
    done = run(site, "line.yaml", "--until-idle", "3s", "--all")
    told = [line.partition(" ")[2] for line in done.stdout.splitlines() if " belt: " in line and "camera" not in line]
    assert told == [f"belt: {colour}, the answer is '{colour}'" for colour in ("red", "red", "blue", "green")]
    assert done.stderr.splitlines()[0].startswith("line: 5 images in ")


def test_a_sink_on_the_standard_output_has_it_for_itself(site: Path) -> None:
    text = (site / "line.yaml").read_text().replace("out.jsonl", '"-"')
    (site / "piped.yaml").write_text(text.replace("name: line", "name: piped"))
    done = run(site, "piped.yaml", "--until-idle", "3s")
    assert done.returncode == 0, done.stderr
    assert states(done.stdout.splitlines()) == ["red", "blue", "green"]
    assert all(line.startswith('{"stream":"piped",') for line in done.stdout.splitlines())
    assert " belt: red, the answer is 'red'" in done.stderr


def test_check_only_checks(site: Path) -> None:
    done = run(site, "line.yaml", "--check")
    assert done.returncode == 0
    assert "camera    belt: " in done.stdout
    assert sorted(path.name for path in site.iterdir()) == ["colours", "in", "line.yaml"]
    (site / "line.yaml").write_text(STREAM.replace("source: in", "source: inn"))
    done = run(site, "line.yaml", "--check")
    assert done.returncode == 2
    assert done.stderr.startswith("error: the stream line would not run: camera belt: there is no file or folder ")
    assert done.stderr.endswith("inn [bad_stream]\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(site: Path, number: int) -> None:
    command = [sys.executable, "-m", "tellapart", "watch", "line.yaml", "--json"]
    running = subprocess.Popen(command, cwd=site, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        assert "camera" in running.stdout.readline()
        running.send_signal(number)
        out, _ = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 0
    assert "summary" in json.loads(out.splitlines()[-1])
    assert json.loads((site / "line.watch/health.json").read_text())["state"] == "stopped"


def test_a_second_ctrl_c_ends_it_at_once(site: Path) -> None:
    code = (
        "import os, signal, sys, time\n"
        "from tellapart.cli.watch import _stopping\n"
        "with _stopping() as stopped:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    assert stopped.wait(10)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], timeout=50, env=dict(os.environ))
    assert done.returncode == 130
    assert time.monotonic() - began < 50


@pytest.mark.parametrize(("arguments", "fault"), [
    (["--for", "soon"], "--for takes a duration such as 30s, 10m or 2h, got 'soon'"),
    (["--speed", "2"], "--speed, --predictions and --policies belong to --replay"),
])  # fmt: skip
def test_options_that_cannot_be(site: Path, arguments: list[str], fault: str) -> None:
    done = run(site, "line.yaml", *arguments)
    assert (done.returncode, done.stderr) == (2, f"error: {fault} [bad_setting]\n")


def test_a_folder_in_use_is_said(site: Path) -> None:
    from tellapart.files import holding
    from tellapart.streams.layout import LOCK

    (site / "line.watch").mkdir()
    with holding(site / "line.watch" / LOCK):
        done: Any = run(site, "line.yaml")
    assert done.returncode == 1
    assert "another process watches with the folder" in done.stderr
