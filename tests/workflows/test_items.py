"""Several images of one piece, one decision, from Python and from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.builders import class_picture, png_bytes
from tests.classifier.models import CLASSES, model_folder
from tests.cli.command import run

from tellapart.errors import Reason, SettingsError, SpecError
from tellapart.records.roi import Roi
from tellapart.workflows.items import decide_items

NAMES = list(CLASSES)


def policy(condition: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "policy": 1,
        "name": "pieces",
        "states": {"fine": None, "red": None},
        "fallback": "fine",
        "window": {"item": True},
        "rules": [{"state": "red", "if": condition}],
        **more,
    }


ANY_RED = policy({"any": "red"})


def photos(folder: Path, **colours: str) -> Path:
    """Files by name and colour."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, colour) in enumerate(colours.items()):
        (folder / f"{name}.png").write_bytes(png_bytes(class_picture(NAMES.index(colour), 100 + number)))
    return folder


def test_all_images_of_a_call_are_one_piece(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", a="green", b="red", c="blue")
    (found,) = decide_items(model_folder(), [folder], policy=ANY_RED)
    (decision,) = found.decisions
    assert (found.name, decision.state, decision.subject) == ("item", "red", "item")
    assert decision.evidence == (str(folder / "b.png"),)
    assert decision.because == "1 of 3 images show 'red', one is enough"
    assert [one.id for one in found.observations] == [str(folder / f"{name}.png") for name in "abc"]


def test_a_file_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", a="green", b="red", c="blue")
    named = [folder, folder / "b.png", tmp_path / "p" / ".." / "p" / "b.png"]
    found = decide_items(model_folder(), named, policy=policy({"vote": "red", "at_least": 2}))[0]
    assert [Path(one.id).name for one in found.observations] == ["a.png", "b.png", "c.png"]
    assert found.decisions[0].state == "fine"
    rois = [Roi(((0.0, 0.0), (0.5, 1.0)), "left"), Roi(((0.5, 0.0), (1.0, 1.0)), "right")]
    halves = decide_items(model_folder(), [folder / "b.png"] * 2, policy=ANY_RED, rois=rois)[0]
    assert len(halves.observations) == 2


def test_the_order_of_the_files_decides_nothing(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", a="green", b="red", c="blue", d="red")
    files = sorted(folder.iterdir())
    vote = policy({"vote": "red", "share": 0.5})
    once = decide_items(model_folder(), files, policy=vote)[0].decisions
    assert decide_items(model_folder(), files[::-1], policy=vote)[0].decisions == once
    assert once[0].state == "red"


@pytest.mark.parametrize(("by", "names"), [("folder", ["one", "two"]), ("stem", ["one/p1", "one/p2", "two/p1"])])
def test_pieces_are_told_apart_by_folder_or_by_the_beginning_of_names(
    tmp_path: Path, by: Any, names: list[str]
) -> None:
    photos(tmp_path / "one", p1_top="red", p1_side="green", p2="blue")
    photos(tmp_path / "two", p1_top="green")
    found = decide_items(model_folder(), [tmp_path / "one", tmp_path / "two"], policy=ANY_RED, by=by)
    assert [one.name for one in found] == [str(tmp_path / name) for name in names]
    assert [one.decisions[0].state for one in found] == ["red", *["fine"] * (len(names) - 1)]


def test_views_weigh_as_the_policy_says(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", x_top="red", x_side="green", x_other="green")
    only_top = policy({"mean": "red", "views": {"side": 0, "rest": 0}, "at_least": 0.5})
    views = {"top": "*_top.*", "side": "*_side.*", "rest": "*"}
    found = decide_items(model_folder(), [folder], policy=only_top, views=views)[0]
    assert [one.view for one in found.observations] == ["rest", "side", "top"]
    assert found.decisions[0].state == "red"
    assert decide_items(model_folder(), [folder], policy=only_top)[0].decisions[0].state == "fine"


def test_regions_are_the_inputs_of_their_names(tmp_path: Path) -> None:
    pixels = np.concatenate([class_picture(NAMES.index("red"), 100), class_picture(NAMES.index("green"), 101)], axis=1)
    (tmp_path / "wide.png").write_bytes(png_bytes(pixels))
    rois = [Roi(((0.0, 0.0), (0.5, 1.0)), "left"), Roi(((0.5, 0.0), (1.0, 1.0)), "right")]
    two = {"inputs": {"left": {}, "right": {}}}
    for side, state in (("left", "red"), ("right", "fine")):
        asked = policy({"predicted": "red", "input": side}, **two)
        assert decide_items(model_folder(), [tmp_path / "wide.png"], policy=asked, rois=rois)[0].decisions[0].state == (
            state
        )
    with pytest.raises(SpecError) as caught:
        decide_items(model_folder(), [tmp_path / "wide.png"], policy=asked, rois=rois[:1])
    assert str(caught.value).endswith(
        "has the inputs 'left', 'right', and the regions are 'left': name a region for each input"
    )


def test_quality_is_judged_where_the_policy_weighs_by_it(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", a="red", b="green")
    weighed = policy({"mean": "red", "weights": "quality", "at_least": 0.5})
    seen = decide_items(model_folder(), [folder], policy=weighed)[0].observations
    assert all(one.quality is not None and 0 <= one.quality <= 1 for one in seen)
    assert {one.quality for one in decide_items(model_folder(), [folder], policy=ANY_RED)[0].observations} == {None}


def test_a_bad_image_is_refused_and_the_others_decide(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", a="red")
    (folder / "b.png").write_bytes(b"no picture")
    (found,) = decide_items(model_folder(), [folder], policy=ANY_RED)
    assert found.decisions[0].state == "red"
    assert [one.uri for one in found.refusals] == [str(folder / "b.png")]
    (folder / "a.png").unlink()
    (nothing,) = decide_items(model_folder(), [folder], policy=ANY_RED)
    assert nothing.decisions == ()


def test_a_policy_over_time_and_an_unknown_grouping_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        decide_items(model_folder(), [tmp_path], policy=policy({"any": "red"}, window={"last": 3}))
    assert caught.value.reason is Reason.BAD_POLICY
    assert str(caught.value).endswith(
        "decides 'state' over time: for several images of one piece write window: {item: true}"
    )
    with pytest.raises(SettingsError) as wrong:
        decide_items(model_folder(), [tmp_path], policy=ANY_RED, by="day")  # type: ignore[arg-type]
    assert str(wrong.value) == "a piece is the images of a call, folder or stem, got 'day'"


def test_the_command_writes_a_decision_with_the_predictions_behind_it(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", a_top="red", a_side="green")
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(ANY_RED))
    asked = ("predict", model_folder(), folder, "--item", "--policy", file)
    ran = run(*asked, "--view", "top=*_top.*")
    assert ran.code == 0
    first, side, top = ran.out.splitlines()
    assert first == "item: red (rule 1 (red): 1 of 2 images show 'red', one is enough)"
    assert side.startswith(f"  {folder / 'a_side.png'}: green (green ")
    assert top.startswith(f"  {folder / 'a_top.png'} [top]: red (red ")
    (line,) = run(*asked, "--item-by", "stem", "--json").lines
    assert line["item"] == str(folder / "a")
    assert [one["state"] for one in line["decisions"]] == ["red"]
    assert set(line["decisions"][0]) & {"at", "since", "changed"} == set()
    assert [one["uri"] for one in line["images"]] == [str(folder / "a_side.png"), str(folder / "a_top.png")]
    assert line["refused"] == []


def test_nothing_answered_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(ANY_RED))
    ran = run("predict", model_folder(), tmp_path / "a.png", "--item", "--policy", file)
    assert (ran.code, ran.out) == (3, "item: no decision, none of its images was answered\n")
    assert "refused: " in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--item",), "--item decides by a policy: name it with --policy FILE"),
        (("--policy", "p.yaml"), "--policy is about several images of one piece: add --item"),
        (("--item-by", "stem"), "--item-by is about several images of one piece: add --item"),
        (
            ("--item", "--policy", "p.yaml", "--csv"),
            "a decision on a piece is written as text or with --json, without heatmaps and embeddings",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: tuple[str, ...], message: str) -> None:
    ran = run("predict", "model", "x.png", *options)
    assert (ran.code, ran.err) == (2, f"error: {message} [bad_setting]\n")
