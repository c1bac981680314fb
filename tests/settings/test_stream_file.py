"""Stream files: what is refused, in which words, and at which line; and what becomes of paths and secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tellapart.errors import SpecError
from tellapart.settings.stream import CameraSettings, Stream
from tellapart.settings.stream_file import read_stream
from tellapart.settings.stream_paths import is_file
from tellapart.settings.stream_secrets import hidden

POLICY = "policy: 1\nname: alone\nstates: {ok: null}\nfallback: ok\n"
PAIR = "policy: 1\nname: pair\ninputs: {front: {}, back: {}}\nstates: {ok: null}\nfallback: ok\n"
GOOD = """\
stream: 1
name: dock
models: {doors: models/doors, vests: models/vests}
triggers: {belt: {file: belt.touch}}
cameras:
  yard:
    source: rtsp://viewer:${DOCK_PASSWORD}@10.0.0.7/stream
    model: doors
    regions:
      left: {rect: [0.0, 0.1, 0.5, 0.9], policy: alone.yaml}
      gate: {polygon: [[0.5, 0.1], [0.9, 0.1], [0.7, 0.9]], model: vests}
  belt:
    source: arrivals
    model: doors
    sample: {trigger: belt}
decisions:
  both:
    policy: pair.yaml
    inputs: {front: yard/gate, back: belt}
sinks:
  - jsonl: out/decisions.jsonl
  - cloudevents: "-"
"""
ENVIRONMENT = {"DOCK_PASSWORD": "s3cr&t"}


def stream_of(folder: Path, text: str = GOOD) -> Stream:
    """The stream of a file, beside which its policies lie."""
    (folder / "alone.yaml").write_text(POLICY)
    (folder / "pair.yaml").write_text(PAIR)
    (folder / "dock.yaml").write_text(text)
    return read_stream(folder / "dock.yaml", environment=ENVIRONMENT)


def refused(folder: Path, text: str) -> str:
    """What is said about a file."""
    with pytest.raises(SpecError) as caught:
        stream_of(folder, text)
    assert caught.value.reason == "bad_stream"
    before = f"the stream file {folder / 'dock.yaml'} cannot be used: "
    assert str(caught.value).startswith(before)
    return str(caught.value).removeprefix(before)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    stream = stream_of(tmp_path)
    assert stream.models["doors"] == str(tmp_path / "models/doors")
    assert stream.folder == str(tmp_path / "dock.watch")
    assert stream.cameras["belt"].source == str(tmp_path / "arrivals")
    assert stream.cameras["yard"].source == "rtsp://viewer:s3cr&t@10.0.0.7/stream"
    assert stream.cameras["yard"].regions["left"].policy == str(tmp_path / "alone.yaml")
    assert stream.decisions["both"].policy == str(tmp_path / "pair.yaml")
    assert stream.triggers["belt"].file == str(tmp_path / "belt.touch")
    assert [sink.model_dump(exclude_defaults=True) for sink in stream.sinks] == [
        {"jsonl": str(tmp_path / "out/decisions.jsonl")},
        {"cloudevents": "-"},
    ]


def test_secrets_are_known_and_kept_out_of_what_is_told(tmp_path: Path) -> None:
    stream = stream_of(tmp_path)
    assert stream.secrets == ENVIRONMENT
    told = "rtsp://viewer:s3cr&t@10.0.0.7 failed: s3cr%26t, s3cr&t"
    assert hidden(told, stream.secrets) == "rtsp://***@10.0.0.7 failed: ${DOCK_PASSWORD}, ${DOCK_PASSWORD}"
    assert hidden("http://root:pass@cam/x@y and a@b", {}) == "http://***@cam/x@y and a@b"
    fault = refused(tmp_path, GOOD.replace("source: rtsp", "kind: ${DOCK_PASSWORD}\n    source: rtsp"))
    assert "${DOCK_PASSWORD}" in fault
    assert "s3cr&t" not in fault


def test_all_faults_with_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("stream: 1", "stream: 2").replace("0.9], policy", "1.9], policy").replace("trigger:", "triger:")
    text = text.replace("- jsonl: out/decisions.jsonl", "- json: out/decisions.jsonl").replace(
        "inputs: {fr", "input: {fr"
    )
    assert refused(tmp_path, text).split("; ") == [
        "line 1: stream must be 1, got 2",
        "line 10: cameras.yard.regions.left.rect[3] must be a number of at most 1, got 1.9",
        "line 15: there is no 'triger' in cameras.belt.sample",
        "did you mean 'trigger'?",
        "line 17: decisions.both.inputs is missing",
        "line 19: there is no 'input' in decisions.both",
        "did you mean 'inputs'?",
        "line 21: sinks[0] is a sink with one of the keys jsonl, csv, evidence, cloudevents, got 'json'",
    ]


@pytest.mark.parametrize(("old", "new", "fault"), [
    ("model: vests", "model: vest",
     "line 11: cameras.yard.regions.gate.model names the model 'vest', which is not declared; did you mean 'vests'?"),
    ("    model: doors\n    regions", "    regions",
     "line 9: cameras.yard.regions.left must name its model: there are doors, vests"),
    ("    model: doors\n    sample", "    sample", "line 12: cameras.belt must name its model: there are doors, vests"),
    ("{trigger: belt}", "{trigger: bell}",
     "line 15: cameras.belt.sample.trigger names the trigger 'bell', which is not declared; did you mean 'belt'?"),
    ("{trigger: belt}", "{trigger: belt, fps: 2}",
     "line 15: cameras.belt.sample names one of fps, every, motion and trigger, got fps and trigger"),
    ("yard/gate", "yard/gates",
     "line 19: decisions.both.inputs.front names 'yard/gates', which no camera shows; did you mean 'yard/gate'?"),
    ("back: belt", "bak: belt", "line 19: decisions.both.inputs.bak is no input of the policy; did you mean 'back'?; "
     "line 19: decisions.both.inputs lacks 'back', which the policy hears"),
    ("policy: alone.yaml", "policy: pair.yaml",
     "line 10: cameras.yard.regions.left.policy names a policy of several inputs "
     "(front, back): say in `decisions` which regions these are"),
    ("policy: alone.yaml", "policy: gone.yaml",
     "line 10: cameras.yard.regions.left.policy cannot be used: the policy "),
    ("[0.0, 0.1, 0.5, 0.9]", "[0.5, 0.1, 0.5, 0.9]",
     "line 10: cameras.yard.regions.left has no area: x0, y0 are the upper left corner"),
    ("[0.7, 0.9]],", "[0.7, 0.9]], rect: [0.1, 0.1, 0.2, 0.2],",
     "line 11: cameras.yard.regions.gate is a rect or a polygon, not both"),
    ("name: dock", "name: a/b",
     "line 2: name is part of other names and of files: it may not begin with a dot, nor hold / or \\"),
    ("  both:", "  belt:", "line 17: decisions.belt is called like a camera: decisions are told apart by their names"),
    ("DOCK_PASSWORD", "DOCK_PASS",
     "line 7: cameras.yard.source takes ${DOCK_PASS} from the environment, where it is not set"),
    ("[0.0, 0.1, 0.5, 0.9]", "[0.0, 0.1, 0.5]", "line 10: cameras.yard.regions.left.rect[3] is missing"),
    ("[0.0, 0.1, 0.5, 0.9]", "[0, 0.1, 0.5, 0.9, 1]",
     "line 10: cameras.yard.regions.left.rect must be a list of at most 4, got a list"),
    ("rect: [0.0, 0.1, 0.5, 0.9]", "polygon: [[0, 0], [1, 1]]",
     "line 10: cameras.yard.regions.left.polygon must be a list of at least 3, got a list"),
])  # fmt: skip
def test_what_cannot_be_meant(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert old in GOOD
    assert fault in refused(tmp_path, GOOD.replace(old, new))


def test_plain_values(tmp_path: Path) -> None:
    values: dict[str, Any] = {"stream": 1, "name": "a", "models": {"m": "m"}, "cameras": {"c": {"source": "in"}}}
    assert read_stream(values, beside=tmp_path).cameras["c"].source == str(tmp_path / "in")
    with pytest.raises(SpecError, match=r"^the stream cannot be used: cameras is missing$"):
        read_stream({name: value for name, value in values.items() if name != "cameras"})


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^the stream file .*gone.yaml cannot be read: No such file or directory$"):
        read_stream(tmp_path / "gone.yaml")
    assert refused(tmp_path, "- stream: 1\n") == "it holds a list, expected lines such as 'stream: 1'"
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"^the stream file .*bytes.yaml cannot be read: it is no UTF-8 text$"):
        read_stream(tmp_path / "bytes.yaml")


@pytest.mark.parametrize(("source", "kind", "found"), [
    ("in", "auto", True), ("line.mp4", "auto", True), ("rtsp://cam", "auto", False), ("usb:0", "auto", False),
    ("/dev/video1", "auto", False), ("/dev/video1", "usb", False), ("http://cam/a.jpg", "snapshot", False),
    ("line", "video", True),
])  # fmt: skip
def test_which_sources_are_files(source: str, kind: str, found: bool) -> None:
    camera = CameraSettings.model_validate({"source": source, "kind": kind})
    assert is_file(camera) is found


def test_a_policy_is_told_from_a_stream_file(tmp_path: Path) -> None:
    path = tmp_path / "cap.yaml"
    path.write_text("policy: 1\nname: cap\nstates: {ok: fine}\nfallback: ok\n")
    with pytest.raises(SpecError) as caught:
        read_stream(path)
    assert str(caught.value) == (
        f"the stream file {path} cannot be used: it is a policy; a stream file names the cameras to watch, and the policies "
        "that decide on them"
    )
