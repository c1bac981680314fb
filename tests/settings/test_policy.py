"""Policy files: what is refused, in which words, and at which line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tellapart.errors import SpecError
from tellapart.settings.policy_file import read_policy

GOOD = """\
policy: 1
name: line
states: {ok: fine, defective: null, ask: null}
fallback: ask
window: {last: 5}
rules:
  - state: defective
    if: {vote: defect, confidence: 0.8, at_least: 3}
  - state: ok
    name: clearly good
    if:
      all_of:
        - {mean: good, at_least: 0.7, weights: recency, half_life_s: 2}
        - {unknown: false}
"""


def refused(tmp_path: Path, text: str) -> list[str]:
    """The faults of a file."""
    file = tmp_path / "line.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        read_policy(file)
    assert caught.value.reason == "bad_policy"
    before = f"the policy {file} cannot be used: "
    assert str(caught.value).startswith(before)
    return str(caught.value).removeprefix(before).split("; ")


def test_a_flat_policy_is_one_of_one_track(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(GOOD)
    policy = read_policy(file)
    assert list(policy.tracks) == ["state"]
    assert [rule.state for rule in policy.tracks["state"].rules] == ["defective", "ok"]
    assert policy.tracks["state"].rules[1].name == "clearly good"


def test_all_faults_with_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("policy: 1", "policy: 2").replace("name: line", "nam: line").replace("last: 5", "last: 0")
    text = text.replace("confidence: 0.8", "confidence: 1.8").replace("unknown: false", "unknow: false")
    assert refused(tmp_path, text.replace("half_life_s: 2", "half_life: 2")) == [
        "line 1: policy must be 1, got 2",
        "name is missing",
        "line 5: window.last must be a number of at least 1, got 0",
        "line 8: rules[0].if.confidence must be a number of at most 1, got 1.8",
        "line 13: there is no 'half_life' in rules[1].if.all_of[0]",
        "did you mean 'half_life_s'?",
        "line 14: rules[1].if.all_of[1] is a condition with one of the keys confidence, margin, ood, predicted, unknown, "
        "silent_s, trigger, vote, undecided, majority, any, every, max, mean, running, bayes, all_of, one_of, "
        "none_of, got 'unknow'",
        "line 2: there is no 'nam' in a policy",
        "did you mean 'name'?",
    ]


@pytest.mark.parametrize(("old", "new", "fault"), [
    ("fallback: ask", "fallback: asks",
     "fallback names the state 'asks', which is not among the states; did you mean 'ask'?"),
    ("- state: ok", "- state: fine",
     "rules[1].state names the state 'fine', which is not among the states: ok, defective, ask"),
    ("window: {last: 5}", "window: {last: 5, seconds: 2}",
     "window names one of last, seconds, episode and item, got last and seconds"),
    ("window: {last: 5}", "window: {}", "window names one of last, seconds, episode and item, got none"),
    ("window: {last: 5}", "window: {episode: {opens: {}, closes: {}}}",
     "window.episode.closes must name gap_s, predicted, trigger, after_s or after_images: nothing would end an episode"),
    (", at_least: 3", "", "rules[0].if needs at_least (so many votes) or share (of the votes), one of them"),
    ("recency, half", "equal, half", "rules[1].if takes half_life_s with weights: recency, and only with these"),
    (", at_least: 0.7", "", "rules[1].if needs at_least or below: it would always hold"),
    ("at_least: 0.7", "at_least: 0.7, below: 0.7", "rules[1].if can never hold: at least 0.7 and below 0.7"),
    ("vote: defect", "vote: defect, input: left", "rules[0].if names the input 'left', which is not among the inputs: image"),
    ("name: line", "name: line\ninputs: {left: {}, right: {}}", "rules[0].if must name its input: there are left, right"),
    ("name: line", "name: line\ninputs: {image: {labels: [defects, good]}}",
     "rules[0].if names the label 'defect', which its input does not have; did you mean 'defects'?"),
    ("name: line", "name: line\nstable: {enter: {defect: 2}}",
     "stable.enter names the state 'defect', which is not among the states; did you mean 'defective'?"),
    ("name: line", "name: line\noutside: ok", "outside is the state between episodes, and the window has no episode"),
    ("state: defective", "state: defective\n    name: clearly good",
     "two rules are called 'clearly good': give each a name of its own"),
    ("window: {last: 5}", "window: {last: 10001}", "window.last must be a number of at most 10000, got 10001"),
    ("window: {last: 5}", "window: {episode: {opens: {predicted: defect}, closes: {predicted: defect}}}",
     "window.episode opens and closes with the answer 'defect': it could never open"),
    ("window: {last: 5}", "window: {episode: {opens: {input: left}, closes: {gap_s: 2}}}",
     "window.episode.opens names the input 'left', which is not among the inputs: image"),
    ("window: {last: 5}", "inputs: {image: {labels: [defect, good]}}\nwindow: {episode: {opens: {}, closes: {predicted: god}}}",
     "window.episode.closes names the label 'god', which its input does not have; did you mean 'good'?"),
    ("name: line", "name: line\ngroups: {bad: [bad]}", "groups.bad has the name of a label: give it one of its own"),
    ("name: line", "name: line\ngroups: {bad: [dent], worse: [bad]}",
     "groups.worse names the group 'bad': a group is made of labels"),
    ("name: line", "name: line\ngroups: {bad: [defekt]}\ninputs: {image: {labels: [defect, good]}}",
     "groups.bad names the label 'defekt', which no input has; did you mean 'defect'?"),
    ("name: line", "name: line\ngroups: {bad: []}", "groups.bad must be a list or section that is not empty"),
    ("weights: recency", "weights: [recency, sharpness]", "must be 'equal' or 'quality' or 'confidence' or 'recency'"),
    ("weights: recency", "weights: age", "must be 'equal' or 'quality' or 'confidence' or 'recency'"),
    ("{unknown: false}", "{undecided: true}",
     "rules[1].if needs at_least (so many images) or share (of the images), one of them"),
])  # fmt: skip
def test_what_cannot_be_meant(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert fault in "; ".join(refused(tmp_path, GOOD.replace(old, new)))


@pytest.mark.parametrize(("values", "fault"), [
    ({}, "policy is missing; name is missing; states is missing; fallback is missing"),
    ({"policy": 1, "name": "a", "states": {"ok": None}, "fallback": "ok", "windw": {"last": 3}},
     "there is no 'windw' in a policy; did you mean 'window'?"),
    ({"policy": 1, "name": "a", "states": {"ok": None}, "fallback": "ok", "xxxx": 1, "yyyy": 2},
     "outside, stable, costs; there is no 'yyyy' in a policy"),
    ({"policy": 1, "name": "a", "tracks": {}}, "tracks must be a list or section that is not empty, got a section"),
    ({"policy": "1", "name": "a", "states": {"ok": None}, "fallback": "ok"}, "policy must be 1, got '1'"),
    ({"policy": 1, "name": "a", "states": ["ok"], "fallback": "ok"},
     "states must be a section of names and values, got a list"),
    ({"policy": 1, "name": "a", "states": {"ok": None}, "fallback": "ok", "rules": [{"state": "ok", "if": 3}]},
     "rules[0].if is a condition with one of the keys"),
    ({"policy": 1, "name": "a", "fallback": "ok", "tracks": {"a": {"states": {"ok": None}, "fallback": "ok"}}},
     "fallback belongs into one of the tracks, beside which it stands"),
])  # fmt: skip
def test_plain_values(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_policy(values)
    assert str(caught.value).startswith("the policy cannot be used: ")
    assert fault in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^the policy .*gone.yaml cannot be read: No such file or directory$"):
        read_policy(tmp_path / "gone.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"^the policy .*bytes.yaml cannot be read: it is no UTF-8 text$"):
        read_policy(tmp_path / "bytes.yaml")
    assert refused(tmp_path, "- policy: 1\n") == ["it holds a list, expected lines such as 'policy: 1'"]
    assert refused(tmp_path, "policy: 1\nname: [a\n")[0].startswith("it is not YAML near line")
    assert "line 3: name was given before, in line 2" in refused(tmp_path, "policy: 1\nname: a\nname: b\n")


def test_weights_are_one_or_several_and_groups_are_labels(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    text = GOOD.replace(
        "name: line", "name: line\ngroups: {bad: [defect, dent]}\ninputs: {image: {labels: [defect, dent, good]}}"
    )
    file.write_text(
        text.replace("vote: defect", "vote: bad").replace("weights: recency", "weights: [recency, quality]")
    )
    rules = read_policy(file).tracks["state"].rules
    assert [leaf.model_dump()["weights"] for leaf in rules[1].when.leaves() if leaf.kind == "mean"] == [
        ("recency", "quality")
    ]
    file.write_text(text)
    rules = read_policy(file).tracks["state"].rules
    assert [leaf.model_dump()["weights"] for leaf in rules[1].when.leaves() if leaf.kind == "mean"] == [("recency",)]
    assert [leaf.kind for leaf in rules[1].when.leaves()] == ["mean", "unknown"]


def test_contradictions_have_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("fallback: ask", "fallback: asks").replace("vote: defect", "vote: defect, input: left")
    assert refused(tmp_path, text) == [
        "line 4: fallback names the state 'asks', which is not among the states",
        "did you mean 'ask'?",
        "line 8: rules[0].if names the input 'left', which is not among the inputs: image",
    ]
    tracks = "policy: 1\nname: two\ntracks:\n  left:\n    states: {ok: null}\n    fallback: okay\n"
    assert refused(tmp_path, tracks)[0] == (
        "line 6: tracks.left.fallback names the state 'okay', which is not among the states"
    )


def test_a_stream_file_is_told_from_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "line.yaml"
    path.write_text("stream: 1\nname: line\nmodels: {m: x}\ncameras: {}\n")
    with pytest.raises(SpecError) as caught:
        read_policy(path)
    assert str(caught.value) == (
        f"the policy {path} cannot be used: it is a stream file, which names policies; `tellapart watch` reads it"
    )
