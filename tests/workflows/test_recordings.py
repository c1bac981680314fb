"""Recorded observations read back: what is taken, what is refused and with which words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import DataError, SettingsError
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import read_policy
from tellapart.workflows.recordings import read_recording


def line(at_s: float = 0.0, **more: Any) -> dict[str, Any]:
    one = Observation(at_s, "image", f"i{at_s:g}", {"ok": 0.9, "bad": 0.1}, ("ok",), uri=f"{at_s:g}.jpg", model_id="m")
    return one.to_json() | more


def predicted(uri: str, **more: Any) -> dict[str, Any]:
    results = [{"label": "ok", "confidence": 0.9}]
    return {"uri": uri, "classifierResults": results, "predicted": ["ok"], "unknown": False, "modelId": "m"} | more


def written(path: Path, *lines: Any) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines), "utf-8")
    return path


def policy(*inputs: str) -> Any:
    return read_policy(
        {"policy": 1, "name": "p", "states": {"a": None}, "fallback": "a", "inputs": {name: {} for name in inputs}}
    )


def test_sequences_are_apart_and_sorted_by_time(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", line(2.0, sequence="b"), line(1.0, sequence="b"), line(5.0, sequence="a"))
    found = read_recording(path)
    assert list(found) == ["a", "b"]
    assert [one.at_s for one in found["b"]] == [1.0, 2.0]
    assert found.refusals == ()


def test_pictures_of_several_folders_are_several_sequences(tmp_path: Path) -> None:
    uris = ["film/a/1.jpg", "film/a/2.jpg", "film/b/1.jpg", "1.jpg"]
    path = written(tmp_path / "p.jsonl", *map(predicted, uris))
    found = read_recording(path, policy=policy("door"), fps=2.0)
    assert {name: [(one.at_s, one.uri) for one in of] for name, of in found.items()} == {
        "a": [(0.0, "film/a/1.jpg"), (0.5, "film/a/2.jpg")],
        "b": [(0.0, "film/b/1.jpg")],
        "": [(0.0, "1.jpg")],
    }


def test_answers_of_predict_get_a_time_an_input_and_an_id(tmp_path: Path) -> None:
    refused = {"uri": "2.jpg", "refused": {"code": "truncated", "message": "2.jpg ends too early"}}
    path = written(tmp_path / "p.jsonl", predicted("1.jpg"), refused, predicted("3.jpg", roi="left"))
    found = read_recording(path, policy=policy("door"), fps=4.0)
    assert [(one.at_s, one.input, one.id) for one in found[""]] == [
        (0.0, "door", "1.jpg"),
        (0.5, "door", "3.jpg [left]"),
    ]
    (told,) = found.refusals
    assert (told.uri, told.code) == (f"{path}:2", "truncated")
    assert told.message == "the image was refused: 2.jpg ends too early"


@pytest.mark.parametrize(("bad", "why"), [
    ("{nonsense", "it is not JSON (Expecting property name enclosed in double quotes at character 2)"),
    ("[1]", "it is not an object"),
    ({"at": 1.0, "input": "image", "id": "x", "predicted": []}, "the key 'classifierResults' is missing"),
    (line(1.0, predicted="ok"), "predicted is a list of labels, and at a number"),
    (line(1.0, at="noon"), "could not convert string to float: 'noon'"),
    (line(1.0, at="1"), "predicted is a list of labels, and at a number"),
    (line(1.0, classifierResults=[{"label": "ok", "confidence": 1.5}]), "a confidence lies in 0–1, got 1.5"),
    ('{"at": NaN}', "NaN is no figure"),
    ('{"at": 1e999, "input": "i", "id": "x", "classifierResults": [], "predicted": []}', "at is inf"),
    (predicted("x.jpg"), "it has no time, which the lines before it have"),
    (json.dumps(line(1.0)).replace("0.9", "1" + "0" * 400), "int too large to convert to float"),
    (line(1.0, predicted={"ok": 1}), "predicted is a list of labels, and at a number"),
    (line(1.0, unknown="false"), "unknown is true or false, got 'false'"),
    (line(1.0, view=["top"]), "view is a text, got ['top']"),
    (line(1.0, trigger=5), "trigger is a text, got 5"),
    (line(1.0, quality=-1.0), "a quality lies in 0–1, got -1"),
    (line(1.0, classifierResults=[{"label": "ok", "confidence": 0.9}] * 2), "a label has one confidence, and here one has two"),
])  # fmt: skip
def test_a_bad_line_is_refused_and_the_rest_is_read(tmp_path: Path, bad: Any, why: str) -> None:
    path = written(tmp_path / "r.jsonl", line(0.0), bad, "", line(2.0))
    found = read_recording(path)
    assert [one.at_s for one in found[""]] == [0.0, 2.0]
    (told,) = found.refusals
    assert told.sentence == f"{path}:2: it is no line of a recording: {why} [bad_row]"


@pytest.mark.parametrize("good", [[line(0.0), line(2.0)], [predicted("0.jpg"), predicted("1.jpg")]])
def test_a_bad_first_line_does_not_refuse_the_others(tmp_path: Path, good: list[Any]) -> None:
    for bad in ({"nothing": 1}, {"at": 1.0, "sequence": ""}):
        found = read_recording(written(tmp_path / "r.jsonl", bad, *good))
        assert found.n_observations == 2
        assert len(found.refusals) == 1


def test_each_image_has_an_id_of_its_own(tmp_path: Path) -> None:
    over = [line(float(n), uri="frame.jpg", id=None) for n in range(3)]
    found = read_recording(written(tmp_path / "over.jsonl", *over))
    assert [one.id for one in found[""]] == ["frame.jpg", "frame.jpg (1)", "frame.jpg (2)"]
    path = written(tmp_path / "twice.jsonl", line(0.0), line(1.0), line(0.0), line(0.0, input="other"))
    twice = read_recording(path)
    assert [(one.input, one.at_s) for one in twice[""]] == [("image", 0.0), ("other", 0.0), ("image", 1.0)]
    assert [one.sentence for one in twice.refusals] == [
        f"{path}:3: it is no line of a recording: the id 'i0' was given to an image before: each has one of its own [bad_row]"
    ]


def test_what_is_null_counts_as_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", line(0.0, sequence=None, input=None, id=None, view=None))
    (one,) = read_recording(path)[""]
    assert (one.input, one.id, one.view) == ("image", "0.jpg", None)


def test_the_input_must_be_named_where_the_policy_has_several(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", predicted("a.jpg", input="left"), predicted("b.jpg"))
    found = read_recording(path, policy=policy("left", "right"))
    assert [one.id for one in found[""]] == ["a.jpg"]
    assert "it names no input, and the policy has 'left', 'right'" in found.refusals[0].message


def test_regions_of_an_image_have_its_time_and_the_input_of_their_name(tmp_path: Path) -> None:
    lines = [predicted(uri, roi=roi) for uri in ("a.jpg", "b.jpg") for roi in ("left", "right")]
    found = read_recording(written(tmp_path / "r.jsonl", *lines), policy=policy("left", "right"), fps=2.0)
    expected = [(0.0, "left", "a.jpg [left]"), (0.0, "right", "a.jpg [right]")]
    expected += [(0.5, "left", "b.jpg [left]"), (0.5, "right", "b.jpg [right]")]
    assert [(one.at_s, one.input, one.id) for one in found[""]] == expected


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    found = read_recording(written(tmp_path / "r.jsonl", line(0.0), "[" * 100_000))
    assert len(found.refusals) == 1


def test_observations_of_other_policies_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", line(0.0, input="left"), line(0.0, input="top"))
    found = read_recording(path, policy=policy("left"))
    assert (list(found), found.n_observations, found.n_foreign) == ([""], 1, 1)
    expected = (
        f"{path} holds no observation that can be used: what was recorded is called 'left', 'top', and no input of the policy "
        "is; name them, as INPUT=left"
    )
    with pytest.raises(DataError, match=re.escape(expected)):
        read_recording(path, policy=policy("door", "window"))


def test_what_inputs_were_called(tmp_path: Path) -> None:
    path = written(
        tmp_path / "r.jsonl", line(1.0, input="gate/top"), line(0.0, input="gate/left"), line(0.0, input="x")
    )
    found = read_recording(path, policy=policy("a", "b"), inputs={"a": "gate/left", "b": "gate/top"})
    assert [(one.at_s, one.input) for one in found[""]] == [(0.0, "a"), (1.0, "b")]
    assert found.n_foreign == 1
    both = read_recording(path, policy=policy("a", "x"), inputs={"a": "x"})
    assert [one.input for one in both[""]] == ["a", "x"]
    with pytest.raises(SettingsError, match="the policy has no input 'c'; it has 'a', 'b'"):
        read_recording(path, policy=policy("a", "b"), inputs={"c": "x"})


def test_a_policy_of_one_input_hears_each_region_apart(tmp_path: Path) -> None:
    lines = [line(0.0, input="gate/left"), line(0.0, input="gate/top"), line(1.0, input="gate/top", sequence="night")]
    path = written(tmp_path / "r.jsonl", *lines)
    found = read_recording(path, policy=policy("image"))
    assert list(found) == ["gate/left", "gate/top", "night/gate/top"]
    assert {one.input for of in found.values() for one in of} == {"image"}
    only = read_recording(path, policy=policy("image"), inputs={"image": "gate/top"})
    assert (list(only), only.n_foreign) == (["", "night"], 1)


@pytest.mark.parametrize("inside", ["", "recording"])
def test_the_folder_of_a_stream_is_one_sequence(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / inside
    folder.mkdir(exist_ok=True)
    written(folder / "observations-2026-01-02-00.jsonl", line(20.0))
    written(folder / "observations-2026-01-01-23.jsonl", line(10.0))
    assert [one.at_s for one in read_recording(tmp_path)[""]] == [10.0, 20.0]


def test_other_files_of_a_folder_are_a_sequence_each(tmp_path: Path) -> None:
    written(tmp_path / "monday.jsonl", line(1.0))
    written(tmp_path / "tuesday.jsonl", line(1.0), line(2.0, sequence="night"))
    assert list(read_recording(tmp_path)) == ["monday", "night", "tuesday"]


def test_what_holds_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file or folder") as missing:
        read_recording(tmp_path / "nothing.jsonl")
    assert missing.value.reason == "dataset_not_found"
    empty = written(tmp_path / "e.jsonl")
    with pytest.raises(DataError, match="holds no observation that can be used: it is empty"):
        read_recording(empty)
    with pytest.raises(DataError, match=r"all 1 lines were refused, the first: .*:1: it is no line of a recording"):
        read_recording(written(tmp_path / "bad.jsonl", "x"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="holds no recording"):
        read_recording(tmp_path / "folder")
    with pytest.raises(SettingsError, match="a number above 0, got 0"):
        read_recording(empty, fps=0.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=30), st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["at", "input", "id", "uri", "predicted", "classifierResults", "sequence", "refused", "label"]),
        inner, max_size=5), max_leaves=8)), max_size=6))  # fmt: skip
def test_no_line_however_strange_ends_the_reading(tmp_path_factory: pytest.TempPathFactory, strange: list[Any]) -> None:
    path = written(tmp_path_factory.mktemp("r") / "r.jsonl", line(0.0), *strange)
    assert read_recording(path)[""][0].at_s == 0.0
