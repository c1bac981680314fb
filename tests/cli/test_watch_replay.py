"""`tellapart watch --replay` and `tellapart why` from outside, after a real run over a real folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
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
  belt: {source: in, settled_s: 0.1, policy: red.yaml}
sinks:
  - jsonl: out.jsonl
record: {all: true}
"""
POLICY = """\
policy: 1
name: red
states: {red: a red one lies there, other: null, silent: null}
fallback: other
rules:
  - {state: silent, if: {silent_s: 0.4}}
  - {state: red, if: {predicted: red}}
"""


def tellapart(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in the site's folder."""
    command = [sys.executable, "-m", "tellapart", *arguments]
    return subprocess.run(command, cwd=site, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a stream has watched a few images, and then nothing for a while."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(model_folder(), site / "colours")
    (site / "in").mkdir()
    for number, colour in enumerate(["red", "red", "blue", "?", "green", "red"]):
        path = site / f"in/{number}.jpg"
        path.write_bytes(b"nonsense" if colour == "?" else jpeg_bytes(picture_of(colour, number, 64)))
    (site / "line.yaml").write_text(STREAM)
    (site / "red.yaml").write_text(POLICY)
    done = tellapart(site, "watch", "line.yaml", "--until-idle", "3s")
    assert done.returncode == 0, done.stderr
    return site


def decisions(lines: list[str]) -> list[dict[str, Any]]:
    """Of a sink's file or the command's output."""
    return [value["decision"] for line in lines if "decision" in (value := json.loads(line))]


@pytest.mark.parametrize("more", [(), ("--predictions",), ("--speed", "100000")])
def test_a_replay_decides_as_live_and_writes_nothing(site: Path, more: tuple[str, ...]) -> None:
    live = decisions((site / "out.jsonl").read_text().splitlines())
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()}
    done = tellapart(site, "watch", "line.yaml", "--replay", "line.watch", "--json", *more)
    assert done.returncode == 0, done.stderr
    *events, summary = done.stdout.splitlines()
    assert decisions(events) == live
    assert len(live) > 2
    value = json.loads(summary)["summary"]
    assert (value["same"], value["predictions"], len(value["runs"])) == (True, more == ("--predictions",), 1)
    assert value["runs"][0]["warnings"] == []
    assert before == {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()}


def test_a_replay_ends_with_a_line_for_each_run(site: Path) -> None:
    done = tellapart(site, "watch", "line.yaml", "--replay", "line.watch")
    assert done.stderr.splitlines()[-1].startswith("run of 20")
    assert "Z: 6 images, " in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].endswith("decisions: the same as live")


def test_why_finds_the_decision_here(site: Path) -> None:
    first = decisions((site / "out.jsonl").read_text().splitlines())[0]
    done = tellapart(site, "why", first["decisionId"][:12], "-o", "why.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("belt is 'red' (a red one lies there) since 20")
    assert "the first state after the start" in done.stdout
    assert "  line.watch/recording/frames/" in done.stdout
    assert (site / "why.png").read_bytes()[:4] == b"\x89PNG"
    gone = tellapart(site, "why", "ffffffffffffffff")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr.strip().endswith("[decision_not_found]")


def test_options_of_replays_alone_are_refused(site: Path) -> None:
    done = tellapart(site, "watch", "line.yaml", "--speed", "2")
    assert done.returncode == 2
    assert "belong to --replay [bad_setting]" in done.stderr
