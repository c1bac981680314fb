"""Recordings that were edited or copied in part: the file is named, never a traceback, and nothing outside is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.streams.test_recorder import AT, seen_by

from tellapart.errors import DataError, Reason
from tellapart.settings.stream import Record
from tellapart.streams.health import CameraChange
from tellapart.streams.journal import Journal
from tellapart.streams.recorder import Recorder
from tellapart.streams.recording import Recording

GONE = object()


def recorded(folder: Path) -> None:
    """Three images of one run, and what became of a camera."""
    with Recorder(folder, Record(all=True, format="png"), run="1-2") as recorder:
        seen_by(recorder, range(3))
        recorder.ended(AT + 3)
    with Journal(folder, run="1-2") as journal:
        journal.camera(CameraChange("a", AT, "live", None))


def read(folder: Path) -> int:
    """All that can be read; how many images there are."""
    recording = Recording(folder)
    n = 0
    for run in recording.runs:
        n += len(list(recording.frames(run))) + recording.kept(run).n_seen
        n += len(list(recording.answers(run))) + len(recording.camera_changes(run)) + len(recording.decisions(run))
    return n


def damaged(folder: Path, file: str, key: str, value: Any) -> None:
    """The last line of a file says something else."""
    path = next(folder.rglob(f"{file}*.jsonl"))
    *lines, last = path.read_text().splitlines()
    line = json.loads(last)
    place = line["frame"] if key.startswith("frame.") else line
    name = key.removeprefix("frame.")
    if value is GONE:
        place.pop(name)
    else:
        place[name] = value
    path.write_text("".join(f"{one}\n" for one in [*lines, json.dumps(line)]))


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    recorded(tmp_path)
    assert read(tmp_path) == 3 + 3 + 3 + 1


@pytest.mark.parametrize(
    ("file", "key", "values"),
    [
        ("runs", "run", [GONE]),
        ("runs", "ended", [None, "x", -1, 1e300, [], {}]),
        ("observations", "frame", [GONE, None, [], "x", 7]),
        ("observations", "frame.camera", [GONE]),
        ("observations", "frame.number", [GONE, None, "x", {}]),
        ("observations", "at", [GONE, None, "x", []]),
        ("frames", "at", [GONE, None, "x", -1, 1e300, {}]),
        ("frames", "file", [GONE, "../../runs.jsonl", "/etc/passwd", "..", "a/b.png"]),
        ("frames", "number", [GONE, None, "x", []]),
        ("frames", "run", [GONE]),
        ("cameras", "at", [GONE, None, "x", []]),
        ("cameras", "state", [GONE]),
    ],
)
def test_a_line_that_lacks_something_is_told_with_its_file(
    file: str, key: str, values: list[Any], tmp_path: Path
) -> None:
    for number, value in enumerate(values):
        folder = tmp_path / str(number)
        recorded(folder)
        damaged(folder, file, key, value)
        with pytest.raises(DataError) as caught:
            read(folder)
        assert caught.value.reason is Reason.RECORDING_DAMAGED, value
        assert str(folder) in str(caught.value)
