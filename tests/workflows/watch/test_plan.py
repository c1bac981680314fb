"""What a stream file comes to, and what keeps it from running."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.classifier.models import model_folder
from tests.workflows.watch.streams import stream

from tellapart.decision.engine import Engine
from tellapart.errors import SpecError
from tellapart.records.labels import LabelSchema, Task
from tellapart.records.observation import Observation
from tellapart.records.roi import Roi
from tellapart.settings.policy_file import identity
from tellapart.workflows.watch.check import check_stream
from tellapart.workflows.watch.default_policy import default_policy
from tellapart.workflows.watch.plan import plan_of

LABELS = {"colours": LabelSchema.from_names(["blue", "green", "red"], task=Task.MULTICLASS)}
BOTH = "policy: 1\nname: both\ninputs: {left: {}, right: {}}\nstates: {a: null}\nfallback: a\n"
ONE = "policy: 1\nname: one\nstates: {a: null, b: null}\nfallback: a\nrules: [{state: b, if: {RULE}}]\n"


def test_what_decides_on_what(tmp_path: Path) -> None:
    (tmp_path / "both.yaml").write_text(BOTH)
    (tmp_path / "one.yaml").write_text(ONE.replace("RULE", "predicted: red"))
    halves = {"up": {"rect": [0.0, 0.0, 1.0, 0.5]}, "down": {"rect": [0.0, 0.5, 1.0, 1.0], "policy": "one.yaml"}}
    of = stream(
        tmp_path,
        cameras={
            "front": {"source": "rtsp://front", "regions": halves},
            "back": {"source": "in"},
            "side": {"source": "rtsp://side"},
        },
        decisions={"pair": {"policy": "both.yaml", "inputs": {"left": "front/up", "right": "back"}, "patience_s": 3.0}},
    )
    plan = plan_of(of, LABELS)
    told = [(one.subject, one.policy.name, dict(one.inputs), one.patience_s) for one in plan.rulings]
    assert told == [
        ("front/down", "one", {"image": "front/down"}, 1.0),
        ("side", "answers", {"image": "side"}, 1.0),
        ("pair", "both", {"left": "front/up", "right": "back"}, 3.0),
    ]
    assert plan.regions() == {
        "front": (Roi(((0.0, 0.0), (1.0, 0.5)), "up"), Roi(((0.0, 0.5), (1.0, 1.0)), "down")),
        "back": (),
        "side": (),
    }
    assert [seat.backlogs for seat in plan.seats()] == [(), (), ("back",)]


@pytest.mark.parametrize(("rule", "asks"), [
    ("mean: red, at_least: 0.5, weights: quality", True),
    ("all_of: [{one_of: [{mean: red, at_least: 0.5, weights: quality}]}]", True),
    ("mean: red, at_least: 0.5, weights: confidence", False),
    ("predicted: red", False),
])  # fmt: skip
def test_quality_is_judged_where_a_policy_asks_for_it(tmp_path: Path, rule: str, asks: bool) -> None:
    (tmp_path / "one.yaml").write_text(ONE.replace("RULE", rule))
    of = stream(tmp_path, cameras={"front": {"source": "rtsp://front", "policy": "one.yaml"}})
    assert [look.quality for look in plan_of(of, LABELS).looks["front"]] == [asks]


def seen(at_s: float, *predicted: str, unknown: bool = False) -> Observation:
    return Observation(at_s, "image", str(at_s), {}, predicted, unknown)


def test_the_default_states_are_the_answers() -> None:
    policy = default_policy(LABELS["colours"])
    assert list(policy.tracks["state"].states) == ["blue", "green", "red", "unknown", "not sure"]
    shown = [seen(0, "red"), seen(1), seen(2, unknown=True), seen(3, "blue")]
    found = [one.state for one in Engine(policy, identity(policy)).run(shown)]
    assert found == ["red", "not sure", "unknown", "blue"]


def test_labels_that_are_called_like_states_are_no_harm() -> None:
    schema = LabelSchema.from_names(["not sure", "unknown"], task=Task.MULTICLASS)
    policy = default_policy(schema)
    shown = [seen(0, "unknown"), seen(1, unknown=True), seen(2, "not sure"), seen(3)]
    assert [one.state for one in Engine(policy, "x").run(shown)] == ["unknown", "unknown", "not sure", "not sure"]


def test_several_labels_are_tracks_of_their_own() -> None:
    policy = default_policy(LabelSchema.from_names(["helmet", "vest"], task=Task.MULTILABEL))
    shown = [seen(0, "helmet", "vest"), seen(1, "vest"), seen(2), seen(3, unknown=True)]
    found = [(one.track, one.state) for one in Engine(policy, "x").run(shown) if one.changed]
    assert found == [
        ("helmet", "yes"),
        ("vest", "yes"),
        ("helmet", "no"),
        ("vest", "no"),
        ("helmet", "unknown"),
        ("vest", "unknown"),
    ]


def test_what_would_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(ONE.replace("RULE", "predicted: red"))
    of = stream(
        tmp_path,
        models={"colours": str(model_folder()), "more": str(model_folder())},
        cameras={
            "front": {
                "source": "http://u:p@front/snap.jpg",
                "kind": "snapshot",
                "model": "colours",
                "policy": "one.yaml",
            }
        },
        triggers={"belt": {"file": "belt.touch"}},
        sinks=[{"csv": "out/rows.csv"}],
    )
    found = check_stream(of)
    model_id = found.models["colours"]
    assert found.lines() == [
        f"stream    line, kept in {tmp_path / 'line.watch'}",
        f"model     colours: {model_id}",
        f"model     more: {model_id}",
        "camera    front: http://***@front/snap.jpg, 2 images a second",
        "  region  all of the picture: model colours",
        f"decision  front: {identity(found.plan.rulings[0].policy)}",
        f"sink      csv {tmp_path / 'out/rows.csv'}",
        "note      no region is looked at by the model more",
        "note      no camera waits for the trigger belt",
    ]
    assert found.to_json()["regions"] == [{"input": "front", "model": "colours", "region": None}]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.yaml"]


def test_everything_that_keeps_it_from_running_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(ONE.replace("RULE", "predicted: rad"))
    (tmp_path / "in.mp4").mkdir()
    (tmp_path / "out").write_text("")
    of = stream(
        tmp_path,
        cameras={
            "front": {"source": "rtsp://front", "policy": "one.yaml"},
            "back": {"source": "gone"},
            "side": {"source": "in.mp4", "kind": "video"},
            "top": {"source": "ftp://top"},
        },
        sinks=[{"csv": "out/rows.csv"}],
    )
    with pytest.raises(SpecError) as caught:
        check_stream(of)
    told = str(caught.value)
    assert caught.value.reason == "bad_stream"
    for fault in (
        f"camera back: there is no file or folder {tmp_path / 'gone'}",
        f"camera side: {tmp_path / 'in.mp4'} is a folder, not a video",
        "camera top: ",
        f"sink csv {tmp_path / 'out/rows.csv'}: {tmp_path / 'out'} is a file, not a folder",
        "policy one of front: rules[0].if names the label 'rad', which its input does not have; did you mean 'red'?",
    ):
        assert fault in told


def test_a_damaged_model_is_said_with_its_name(tmp_path: Path) -> None:
    shutil.copytree(model_folder(), tmp_path / "model")
    (tmp_path / "model/backbone.onnx").write_bytes(b"nothing")
    with pytest.raises(SpecError, match=r"the stream line would not run: model colours: "):
        check_stream(stream(tmp_path, models={"colours": "model"}))
