"""The whole loop with cameras in memory: what is decided, whatever the batches, and what ends it."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.classifier.models import model_folder
from tests.workflows.watch.streams import START_S, frames, picture_of, stream, watched

from tellapart.errors import ModelError, Reason, SpecError, StreamError
from tellapart.files import holding
from tellapart.settings.stream_file import read_stream
from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange
from tellapart.streams.layout import LOCK
from tellapart.streams.memory import MemoryCameras, in_order
from tellapart.workflows.watch.watch import watch

RED_TWICE = """\
policy: 1
name: red twice
states: {red: null, other: null, silent: null}
fallback: other
window: {last: 3}
rules:
  - state: silent
    if: {silent_s: 2.5}
  - state: red
    if: {vote: red, at_least: 2}
"""
BOTH = """\
policy: 1
name: both
inputs: {left: {}, right: {}}
states: {same: null, different: null}
fallback: different
rules:
  - state: same
    if: {one_of: [
      {all_of: [{predicted: red, input: left}, {predicted: red, input: right}]},
      {all_of: [{predicted: blue, input: left}, {predicted: blue, input: right}]}]}
"""


def health(folder: Path) -> Any:
    """What the health file says."""
    return json.loads((folder / "line.watch/health.json").read_text())


def test_without_a_policy_the_answers_are_told_as_they_change(tmp_path: Path) -> None:
    result, changes = watched(stream(tmp_path), frames(["blue", "blue", "red", "?", "green"], files=True))
    assert changes == [(0, "front", "blue"), (2, "front", "red"), (4, "front", "green")]
    assert (result.n_frames, result.n_refused, result.n_failed, result.n_late) == (5, 1, 0, 0)
    assert result.decisions == {("front", "state", state): 1 for state in ("blue", "red", "green")}
    assert result.cameras["front"].n_refused == 1
    assert result.lines()[:2] == [f"line: 5 images in {result.seconds:,.1f} s, 1 refused", "  front: blue, 1 time"]


def test_a_policy_decides_and_hears_silence(tmp_path: Path) -> None:
    (tmp_path / "red.yaml").write_text(RED_TWICE)
    of = stream(tmp_path, cameras={"front": {"source": "rtsp://front", "policy": "red.yaml"}})
    shown = frames(["blue", "red", "red", "blue"])
    late = Frame("front", 9, START_S + 20, picture_of("blue"))
    _, changes = watched(of, [*shown, late])
    assert changes == [(0, "front", "other"), (2, "front", "red"), (5.5, "front", "silent"), (20, "front", "other")]


@pytest.mark.parametrize("at_once", [1, 2, 3, 16])
def test_decisions_do_not_depend_on_batches(tmp_path: Path, at_once: int) -> None:
    (tmp_path / "red.yaml").write_text(RED_TWICE)
    (tmp_path / "both.yaml").write_text(BOTH)
    of = stream(
        tmp_path,
        cameras={name: {"source": f"rtsp://{name}", "policy": "red.yaml"} for name in ("left", "right")},
        decisions={"pair": {"policy": "both.yaml", "inputs": {"left": "left", "right": "right"}}},
    )
    left = frames(["red", "red", "blue", "blue", "red", "red"], camera="left")
    right = frames(["red", "blue", "blue", "red", "red", "red"], camera="right")
    _, changes = watched(of, in_order(left, right), at_once=at_once, keep=False)
    assert sorted(changes) == [
        *((0, name, "other") for name in ("left",)),
        (0, "pair", "same"),
        (0, "right", "other"),
        (1, "left", "red"),
        (1, "pair", "different"),
        (2, "pair", "same"),
        (3, "left", "other"),
        (3, "pair", "different"),
        (4, "pair", "same"),
        (4, "right", "red"),
        (5, "left", "red"),
    ]


class Jittering(MemoryCameras):
    """Each camera in its order, but one up to half a second behind another; time is that of the newest image."""

    def __init__(self, shown: list[Frame], seed: int) -> None:
        late = random.Random(seed)
        arrivals = sorted((frame.at_s + late.uniform(0, 0.5), frame.camera, frame) for frame in shown)
        super().__init__([frame for _, _, frame in arrivals], at_once=late.randint(1, 4))


@pytest.mark.parametrize("seed", range(4))
def test_decisions_do_not_depend_on_what_arrives_first(tmp_path: Path, seed: int) -> None:
    (tmp_path / "both.yaml").write_text(BOTH)
    of = stream(
        tmp_path,
        cameras={name: {"source": f"rtsp://{name}"} for name in ("left", "right")},
        decisions={"pair": {"policy": "both.yaml", "inputs": {"left": "left", "right": "right"}}},
    )
    left = frames(["red", "blue", "red", "red", "blue"], camera="left", every_s=0.6)
    right = frames(["red", "red", "red", "blue", "blue"], camera="right", every_s=0.6)
    changes: list[tuple[str, str]] = []

    def listen(event: Any) -> None:
        if event.decision is not None and event.decision.changed:
            changes.append((event.decision.id, event.decision.state))

    ordered = list(changes)
    watch(of, cameras=MemoryCameras(in_order(left, right)), on_event=listen, keep=False)
    ordered, changes = changes, []
    result = watch(of, cameras=Jittering(in_order(left, right), seed), on_event=listen, keep=False)
    assert result.n_late == 0
    assert changes == ordered
    assert [state for _, state in ordered] == ["same", "different", "same", "different", "same"]


def test_regions_are_looked_at_each_by_itself(tmp_path: Path) -> None:

    both = np.hstack([picture_of("red"), picture_of("blue")])
    halves = {"left": {"rect": [0.0, 0.0, 0.5, 1.0]}, "right": {"rect": [0.5, 0.0, 1.0, 1.0]}}
    of = stream(tmp_path, cameras={"front": {"source": "rtsp://front", "regions": halves}})
    _, changes = watched(of, [Frame("front", 0, START_S, both), Frame("front", 1, START_S + 1, both[:, ::-1].copy())])
    assert changes == [
        (0, "front/left", "red"),
        (0, "front/right", "blue"),
        (1, "front/left", "blue"),
        (1, "front/right", "red"),
    ]


def test_a_file_is_decoded_once_for_all_of_its_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.image.preprocess import PreprocessSpec

    times: list[int] = []
    whole = PreprocessSpec.load_whole

    def counted(self: PreprocessSpec, *arguments: Any, **options: Any) -> Any:
        times.append(1)
        return whole(self, *arguments, **options)

    monkeypatch.setattr(PreprocessSpec, "load_whole", counted)
    monkeypatch.setattr(PreprocessSpec, "apply", lambda *_: pytest.fail("a region was decoded by itself"))
    regions = {str(n): {"rect": [n / 4, 0.0, (n + 1) / 4, 1.0]} for n in range(4)}
    of = stream(tmp_path, cameras={"front": {"source": "rtsp://front", "regions": regions}})
    result, _ = watched(of, frames(["red", "blue", "?"], files=True), keep=False)
    assert len(times) == 3
    assert (result.n_frames, result.n_refused) == (3, 1)


def test_the_health_file_says_how_it_ended(tmp_path: Path) -> None:
    watched(stream(tmp_path), frames(["blue", "red", "?"]))
    told = health(tmp_path)
    assert told["state"] == "stopped"
    assert told["frames"].pop("lastRefusal").startswith("front@1700000002.000000: not an image: ")
    assert told["frames"] == {"answered": 2, "refused": 1, "late": 0, "waiting": 0}
    assert [(one["subject"], one["state"], one["since"]) for one in told["decisions"]] == [
        ("front", "red", START_S + 1)
    ]
    assert [one["state"] for one in told["cameras"]] == ["ended"]
    assert [(one["name"], one["answered"], one["failed"]) for one in told["models"]] == [("colours", 2, 0)]
    assert [one["name"] for one in told["outputs"]] == ["recording", "journal", "health file"]


class Failing:
    """A sink whose disk is full at times."""

    name = "full disk"

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.n = 0

    def emit(self, event: Any) -> None:
        if event.decision is None:
            return
        self.n += 1
        if self.n in (2, 3):
            raise StreamError(Reason.SINK_FAILED, "no space left on the device")
        self.taken.append(event.decision.state)

    def close(self) -> None:
        """Nothing is open."""


def test_a_sink_that_fails_is_counted_and_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Failing()
    monkeypatch.setattr("tellapart.workflows.watch.outgoing.open_sinks", lambda *_: (sink,))
    of = stream(tmp_path, sinks=[{"jsonl": "events.jsonl"}])
    result, changes = watched(of, frames(["blue", "red", "green", "blue"]), at_once=1)
    assert len(changes) == 4
    assert result.failures == {"full disk": 2}
    assert result.messages == ["full disk: no space left on the device"]
    assert sink.taken == ["blue", "blue"]
    told = next(one for one in health(tmp_path)["outputs"] if one["name"] == "full disk")
    assert told == {
        "name": "full disk",
        "failing": False,
        "failed": 2,
        "message": "no space left on the device",
        "waiting": 0,
    }


def test_what_the_recorder_could_not_write_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tellapart.streams.kept.KeptFiles._write_frame", full)
    result, _ = watched(stream(tmp_path, record={"all": True}), frames(["blue", "red"]))
    assert result.failures == {"recording": 2}
    assert result.messages[0].endswith("could not be written: No space left on device")
    [told] = [one for one in health(tmp_path)["outputs"] if one["name"] == "recording"]
    assert told["failed"] == 2


def test_a_model_that_fails_on_an_image_is_told_and_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tellapart.classifier.classifier import Classifier

    real = Classifier.predict_jobs

    def failing(self: Classifier, jobs: Any, **options: Any) -> Any:
        if any(job.uri.endswith("1.000000") for job in jobs):
            raise RuntimeError("the accelerator is gone")
        return real(self, jobs, **options)

    monkeypatch.setattr(Classifier, "predict_jobs", failing)
    result, changes = watched(stream(tmp_path), frames(["blue", "red", "green"]))
    assert [state for _, _, state in changes] == ["blue", "green"]
    assert (result.n_frames, result.n_refused, result.n_failed) == (3, 0, 1)
    assert result.messages == ["model colours: RuntimeError: the accelerator is gone"]


class Endless(MemoryCameras):
    """A camera that never ends and shows one picture."""

    def __init__(self) -> None:
        super().__init__(self._endless())

    def _endless(self) -> Any:
        number = 0
        while True:
            yield Frame("front", number, START_S + number, picture_of("red"))
            number += 1


def test_it_stops_when_asked_and_closes_episodes(tmp_path: Path) -> None:
    (tmp_path / "visit.yaml").write_text(
        "policy: 1\nname: visit\nstates: {red: null, nobody: null}\nfallback: nobody\n"
        "window: {episode: {opens: {predicted: red}, closes: {gap_s: 5}}}\n"
        "rules: [{state: red, if: {vote: red, at_least: 1}}]\n"
    )
    of = stream(tmp_path, cameras={"front": {"source": "rtsp://front", "policy": "visit.yaml"}})
    enough, seen = threading.Event(), 0

    def view(now: Any) -> None:
        nonlocal seen
        seen = now.n_frames
        if seen:
            enough.set()

    before = threading.active_count()
    events: list[Any] = []
    result = watch(of, cameras=Endless(), until=enough.is_set, on_event=events.append, view=view)
    finals = [one.decision for one in events if one.decision is not None and one.decision.final]
    assert result.n_frames >= seen > 0
    assert [(one.state, one.episode) for one in finals] == [("red", 1)]
    assert health(tmp_path)["state"] == "stopped"
    assert threading.active_count() == before


class Sluggish(MemoryCameras):
    """Takes its time before it has anything."""

    calls = 0

    def wait(self, timeout_s: float) -> list[Frame]:
        self.calls += 1
        if self.calls < 6:
            time.sleep(0.1)
            return []
        return super().wait(timeout_s)


def test_a_camera_that_is_still_connecting_is_not_idle(tmp_path: Path) -> None:
    of = stream(tmp_path)
    result = watch(of, cameras=Sluggish(frames(["blue", "red"]), names=of.cameras), idle_s=0.2, keep=False)
    assert result.n_frames == 2


def test_a_listener_that_fails_ends_it_in_good_order(tmp_path: Path) -> None:
    def listen(event: Any) -> None:
        raise ValueError("not like this")

    before = threading.active_count()
    with pytest.raises(ValueError, match="not like this"):
        watch(stream(tmp_path), cameras=MemoryCameras(frames(["red"])), on_event=listen)
    assert (health(tmp_path)["state"], health(tmp_path)["message"]) == ("failed", "ValueError: not like this")
    assert threading.active_count() == before


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "line.watch").mkdir()
    with holding(tmp_path / "line.watch" / LOCK), pytest.raises(StreamError) as caught:
        watch(stream(tmp_path), cameras=MemoryCameras([]))
    assert caught.value.reason == "stream_in_use"


def test_what_cannot_be_read_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        watch(stream(tmp_path, models={"gone": "gone"}), cameras=MemoryCameras([]))
    with pytest.raises(SpecError):
        watch(tmp_path / "gone.yaml")
    assert list(tmp_path.iterdir()) == []


def test_keep_false_writes_nothing(tmp_path: Path) -> None:
    watched(stream(tmp_path, sinks=[{"jsonl": "out.jsonl"}]), frames(["red"]), keep=False)
    assert list(tmp_path.iterdir()) == []


def test_it_is_what_the_package_calls_watch() -> None:
    import tellapart as ta

    assert ta.watch is watch


def test_no_secret_is_told_or_kept(tmp_path: Path) -> None:
    values = {"stream": 1, "name": "line", "models": {"colours": str(model_folder())}}
    camera = {"source": "rtsp://me:${CAMERA_PASSWORD}@front/${CAMERA_KEY}"}
    environment = {"CAMERA_PASSWORD": "s3cr&t", "CAMERA_KEY": "k3y"}
    of = read_stream({**values, "cameras": {"front": camera}}, beside=tmp_path, environment=environment)
    address = of.cameras["front"].source
    assert address == "rtsp://me:s3cr&t@front/k3y"
    broken = Frame("front", 1, START_S + 1, b"none", address)
    change = CameraChange("front", START_S + 2, "gone", "live", f"{address} does not answer")
    shown = [Frame("front", 0, START_S, picture_of("red"), address), broken]
    cameras = MemoryCameras([*shown, Frame("front", 2, START_S + 3, picture_of("blue"), address)], changes=[change])
    events: list[Any] = []
    watch(of, cameras=cameras, on_event=events.append)
    assert [one.camera.message for one in events if one.camera] == ["rtsp://***@front/${CAMERA_KEY} does not answer"]
    kept = [path for path in (tmp_path / "line.watch").rglob("*") if path.is_file()]
    assert [path for path in kept if b"s3cr" in path.read_bytes() or b"k3y" in path.read_bytes()] == []
    assert any(b"${CAMERA_KEY}" in path.read_bytes() for path in kept)
