"""Replays: the same frames give the same decisions, whatever the speed, the batches and the order of arrival."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workflows.watch.streams import frames, stream

from tellapart.errors import DataError, Reason, SettingsError, SpecError
from tellapart.settings.stream import Stream
from tellapart.streams.frame import Frame
from tellapart.streams.memory import MemoryCameras, in_order
from tellapart.workflows.replay import replay
from tellapart.workflows.watch.looking import Looking
from tellapart.workflows.watch.watch import watch

RED = """\
policy: 1
name: red
states: {red: null, other: null, silent: null}
fallback: other
window: {seconds: 4}
rules:
  - {state: silent, if: {silent_s: 2.5}}
  - {state: red, if: {vote: red, at_least: 2}}
stable: {hold_s: {red: 1.5}}
"""
BOTH = """\
policy: 1
name: both
inputs: {left: {}, right: {}}
states: {same: null, different: null}
fallback: different
rules:
  - state: same
    if: {all_of: [{predicted: red, input: left}, {predicted: red, input: right}]}
"""
VISITS = """\
policy: 1
name: visits
states: {good: null, bad: null, empty: null}
fallback: good
outside: empty
window: {episode: {opens: {predicted: green}, closes: {gap_s: 2}}}
rules:
  - {state: bad, if: {any: red}}
"""
COLOURS = ("red", "green", "blue")


def of_two_cameras(folder: Path, **record: Any) -> Stream:
    """Silence, votes, two inputs and episodes."""
    for name, text in (("red", RED), ("both", BOTH), ("visits", VISITS)):
        (folder / f"{name}.yaml").write_text(text)
    cameras = {
        "left": {"source": "rtsp://left", "policy": "red.yaml"},
        "right": {"source": "rtsp://right", "policy": "visits.yaml"},
    }
    inputs = {"left": "left", "right": "right"}
    return stream(
        folder,
        cameras=cameras,
        decisions={"pair": {"policy": "both.yaml", "inputs": inputs, "patience_s": 2.0}},
        record={"all": True, "format": "png", **record},
    )


def lived(of: Stream, shown: list[Frame], at_once: int = 16) -> list[str]:
    """Ids of what was decided live, in order of time."""
    found: list[Any] = []
    watch(of, cameras=MemoryCameras(shown, names=of.cameras, at_once=at_once), on_event=found.append, workers=1)
    return ids(event.decision for event in found if event.decision)


def ids(decisions: Any) -> list[str]:
    """Of changes and ends of episodes."""
    kept = sorted((one for one in decisions if one.changed or one.final), key=lambda one: (one.at_s, one.subject))
    return [one.id for one in kept]


def shots(colours: str, camera: str, *, files: bool = False, every_s: float = 1.0) -> list[Frame]:
    """One frame of each colour by its first letter; a blank is a second without one."""
    names = {name[0]: name for name in COLOURS}
    found = frames([names.get(letter, "blue") for letter in colours], camera=camera, files=files, every_s=every_s)
    return [frame for frame, letter in zip(found, colours, strict=True) if letter != " "]


SCENE = in_order(shots("rrbbr    rrb", "left"), shots("bgrg  gg   b", "right", files=True))


@pytest.mark.parametrize("predictions", [False, True])
@pytest.mark.parametrize("speed", [None, 1000.0])
def test_a_replay_decides_as_live(tmp_path: Path, predictions: bool, speed: float | None) -> None:
    of = of_two_cameras(tmp_path)
    live = lived(of, SCENE)
    result = replay(of, tmp_path / "line.watch", predictions=predictions, speed=speed)
    assert len(live) > 8
    assert ids(result.decisions) == live
    assert result.is_same
    assert result.runs[0].warnings == ()
    assert len(result.runs[0].lived) == len(live)
    assert result.lines() == [
        f"run of 2023-11-14T22:13:20.000000Z: {len(SCENE)} images, {len(live)} decisions: the same as live"
    ]


@settings(max_examples=15, deadline=None)
@given(
    left=st.text("rgb ", min_size=1, max_size=12),
    right=st.text("rgb ", min_size=1, max_size=12),
    at_once=st.integers(1, 7),
    speed=st.sampled_from([None, 1000.0]),
    seed=st.integers(0, 99),
    predictions=st.booleans(),
)
def test_whatever_was_shown_a_replay_decides_as_live(
    left: str, right: str, at_once: int, speed: float | None, seed: int, predictions: bool
) -> None:
    jitter = random.Random(seed)
    shown = in_order(shots(left, "left", every_s=0.5), shots(right, "right", files=True))
    moved = in_order([Frame(f.camera, f.number, f.at_s + jitter.random() / 4, f.image) for f in shown])
    if not moved:
        return
    with TemporaryDirectory() as folder:
        of = of_two_cameras(Path(folder))
        live = lived(of, moved, at_once)
        assert ids(replay(of, Path(folder) / "line.watch", predictions=predictions, speed=speed).decisions) == live


def test_every_run_begins_with_an_empty_memory(tmp_path: Path) -> None:
    of = of_two_cameras(tmp_path)
    first = lived(of, SCENE)
    later = [Frame(f.camera, f.number, f.at_s + 5000, f.image) for f in SCENE]
    second = lived(of, later)
    result = replay(of, tmp_path / "line.watch")
    assert [ids(run.decisions) for run in result.runs] == [first, second]
    assert result.is_same


def later(shown: list[Frame], by_s: float) -> list[Frame]:
    """The same frames at other times."""
    return [Frame(one.camera, one.number, one.at_s + by_s, one.image) for one in shown]


def test_runs_whose_times_overlap_are_told_apart(tmp_path: Path) -> None:
    """Videos are looked at faster than time goes by, and clocks are put back between two runs."""
    of = of_two_cameras(tmp_path)
    decided = [lived(of, later(SCENE, by_s)) for by_s in (0.0, 2.25, -4.5)]
    result = replay(of, tmp_path / "line.watch", predictions=True)
    assert [ids(one.decisions) for one in result.runs] == decided
    assert [ids(one.lived) for one in result.runs] == decided
    assert result.is_same
    runs = tmp_path / "line.watch/recording/runs.jsonl"
    runs.write_text("".join(line for line in runs.read_text().splitlines(keepends=True) if "began" in line))
    killed = replay(of, tmp_path / "line.watch", predictions=True).runs
    assert [one.result.n_frames for one in killed] == [len(SCENE)] * 3
    assert all(not one.new for one in killed)


def test_hours_after_the_end_of_a_run_are_its_own_where_they_say_so(tmp_path: Path) -> None:
    """A run over a video ends before the last image was taken: it is looked at as if it were filmed now."""
    of = of_two_cameras(tmp_path)
    shown = [*SCENE, *later(SCENE, 7200.0)]
    live = lived(of, shown)
    runs = tmp_path / "line.watch/recording/runs.jsonl"
    began, ended = runs.read_text().splitlines()
    runs.write_text(f"{began}\n{json.dumps(json.loads(ended) | {'ended': SCENE[-1].at_s})}\n")
    run = replay(of, tmp_path / "line.watch").runs[0]
    assert run.result.n_frames == len(shown)
    assert ids(run.decisions) == live


def test_a_run_whose_last_images_nobody_answered_ends_where_it_had_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody ends it amid a burst: what was not decided live is not decided in a replay either."""
    of = of_two_cameras(tmp_path)
    last, let_go = SCENE[-1].at_s, threading.Event()

    class Stuck(Looking):
        def __call__(self, shown: Any) -> Any:
            assert shown[-1].at_s <= last or let_go.wait(60)
            return super().__call__(shown)

    monkeypatch.setattr("tellapart.workflows.watch.watch.Looking", Stuck)
    monkeypatch.setattr("tellapart.workflows.watch.run.FINISH_S", 0.05)
    shown = [*SCENE, *later(SCENE, 500.0)]
    cameras = MemoryCameras(shown, names=of.cameras, at_once=1)
    heard: list[Any] = []
    watch(of, cameras=cameras, on_event=heard.append, workers=1, until=lambda: cameras.now_s() > last + 400)
    let_go.set()
    result = replay(of, tmp_path / "line.watch", predictions=True)
    assert 0 < result.runs[0].result.n_frames <= len(SCENE)
    assert ids(result.decisions) == ids(event.decision for event in heard if event.decision)
    assert result.is_same


@pytest.mark.parametrize("damage", ["decisions", "cameras"])
@pytest.mark.parametrize("line", ["no JSON", '{"run": "RUN", "at": "never"}', '{"run": "RUN", "at": null}'])
def test_a_damaged_journal_is_told(damage: str, line: str, tmp_path: Path) -> None:
    of = of_two_cameras(tmp_path)
    lived(of, SCENE[:4])
    name = json.loads((tmp_path / "line.watch/recording/runs.jsonl").read_text().splitlines()[0])["run"]
    with next((tmp_path / "line.watch/decisions").glob(f"{damage}-*.jsonl")).open("a") as journal:
        journal.write(line.replace("RUN", name) + "\n")
    with pytest.raises(DataError) as caught:
        replay(of, tmp_path / "line.watch", predictions=True)
    assert caught.value.reason is Reason.RECORDING_DAMAGED
    assert f"{damage}-2023-11-14.jsonl" in str(caught.value)


def test_images_around_changes_alone_are_told_and_answers_decide_all_the_same(tmp_path: Path) -> None:
    of = of_two_cameras(tmp_path, all=False, before_s=0.5, after_s=0.5, format="jpeg")
    shown = in_order(shots("b" * 30 + "rrr" + "b" * 10, "left"), shots("b" * 43, "right"))
    live = lived(of, shown)
    run = replay(of, tmp_path / "line.watch").runs[0]
    kept = run.kept
    assert kept is not None
    assert kept.n_seen == 86
    assert 40 < kept.n_missing < 80
    assert kept.n_inexact == kept.n_seen - kept.n_missing
    assert run.warnings == (
        f"{kept.n_missing} of 86 images were not kept: a replay does not see them (`record: {{all: true}}` keeps "
        "everything, `--predictions` needs no images)",
        f"{kept.n_inexact} images of video were kept as JPEG: models may say something else of them "
        "(`record: {format: png}` loses nothing)",
    )
    answered = replay(of, tmp_path / "line.watch", predictions=True)
    assert ids(answered.decisions) == live
    assert answered.runs[0].warnings == ()


def test_another_policy_decides_something_else(tmp_path: Path) -> None:
    of = of_two_cameras(tmp_path)
    lived(of, SCENE)
    others = tmp_path / "others"
    others.mkdir()
    (others / "red.yaml").write_text(RED.replace("at_least: 2", "at_least: 3"))
    run = replay(of, tmp_path / "line.watch", policy_dir=others).runs[0]
    assert not run.is_same
    assert {one.subject for one in (*run.missing, *run.new)} == {"left"}
    old = next(one.policy for one in run.missing)
    new = next(one.policy for one in run.new)
    assert run.warnings == (f"live the policy was {old}, now it is {new}",)
    (others / "red.yaml").write_text(RED.replace("name: red", "name: other"))
    renamed = replay(of, tmp_path / "line.watch", policy_dir=others).runs[0]
    assert [one.partition("@")[0] for one in renamed.warnings] == ["live the policy was red"]
    assert ", now it is other@" in renamed.warnings[0]
    (others / "red.yaml").write_text(RED.replace("at_least: 2", "at_least: 3"))
    said = f"{len(run.missing)} of live are missing, {len(run.new)} are new"
    assert replay(of, tmp_path / "line.watch", policy_dir=others).lines()[0].endswith(said)
    with pytest.raises(SpecError) as caught:
        replay(of, tmp_path / "line.watch", policy_dir=tmp_path / "line.watch")
    assert caught.value.reason is Reason.BAD_STREAM
    assert "holds none of the policy files that the stream names: both.yaml, red.yaml, visits.yaml" in str(caught.value)


def test_a_killed_run_is_replayed_as_far_as_it_is_there(tmp_path: Path) -> None:
    of = of_two_cameras(tmp_path)
    lived(of, SCENE)
    recording = tmp_path / "line.watch/recording"
    lines = (recording / "runs.jsonl").read_text().splitlines()
    (recording / "runs.jsonl").write_text(lines[0] + "\n")
    observations = next(recording.glob("observations-*.jsonl"))
    observations.write_bytes(observations.read_bytes()[:-20])
    result = replay(of, recording, predictions=True)
    assert result.runs[0].result.n_frames == len(SCENE) - 1
    lived(of, [Frame(f.camera, f.number, f.at_s + 5000, f.image) for f in SCENE])
    killed, whole = replay(of, recording).runs
    assert whole.is_same
    assert len(killed.lived) == len(whole.lived)
    assert [one.at_s > SCENE[-1].at_s for one in killed.missing] == [True] * len(killed.missing)
    assert "the run was not ended but killed: what time alone brought after the last image is missing" in "\n".join(
        result.lines()
    )


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    of = of_two_cameras(tmp_path)
    with pytest.raises(DataError, match=r"there is no recording .*nowhere: no such folder"):
        replay(of, tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no recording: a stream.s folder has one at recording/runs\.jsonl"):
        replay(of, tmp_path)
    lived(of, SCENE)
    with pytest.raises(SettingsError, match="the speed of a replay is a number above 0, got 0"):
        replay(of, tmp_path / "line.watch", speed=0)
    with pytest.raises(SpecError, match="images of the camera 'left', which the stream does not have"):
        replay(stream(tmp_path), tmp_path / "line.watch")
    observations = next((tmp_path / "line.watch/recording").glob("observations-*.jsonl"))
    observations.write_bytes(b"{torn\n" + observations.read_bytes())
    with pytest.raises(DataError, match="line 1: this is no line of a recording; remove the line") as caught:
        replay(of, tmp_path / "line.watch", predictions=True)
    assert caught.value.reason is Reason.RECORDING_DAMAGED
    observations.write_bytes(observations.read_bytes().replace(b"{torn\n", b"").replace(b'"predicted"', b'"said"', 1))
    with pytest.raises(
        DataError, match=r"holds a line that lacks something or says it wrongly: KeyError\('predicted'\)"
    ):
        replay(of, tmp_path / "line.watch", predictions=True)


def test_an_image_that_was_changed_is_refused(tmp_path: Path) -> None:
    of = of_two_cameras(tmp_path)
    lived(of, SCENE)
    picture = next((tmp_path / "line.watch/recording/frames").glob("*/*_left.png"))
    picture.write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"is not the image that was recorded: .*; delete it to go on"):
        replay(of, tmp_path / "line.watch")
    picture.unlink()
    assert replay(of, tmp_path / "line.watch").runs[0].warnings[0].startswith("1 of 15 images were not kept")


def test_somebody_may_end_a_replay(tmp_path: Path) -> None:
    of = of_two_cameras(tmp_path)
    live = lived(of, SCENE)
    result = replay(of, tmp_path / "line.watch", until=lambda: True)
    assert result.runs == ()
    assert len(live) > 0
