"""`tellapart policy check`: faults, labels of a model, and what happens at the edges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.classifier.models import model_folder
from tests.cli.command import Ran, run

from tellapart.classifier.storage import read_card
from tellapart.errors import SpecError
from tellapart.settings.policy_file import identity, read_policy
from tellapart.workflows.policy_check import check_policy

LINE = """\
policy: 1
name: line
states: {ok: fine, defective: null, ask: null}
fallback: ask
window: {last: 5}
rules:
  - state: defective
    if: {vote: defect, confidence: 0.8, at_least: 3}
  - state: ok
    if: {mean: good, at_least: 0.7}
stable: {hold_s: {defective: 5.5}, enter: {ok: 3}, cool_down_s: {defective: 12}}
"""


def ending(code: int, *arguments: object) -> Ran:
    """A run that ends so."""
    ran = run(*arguments)
    assert ran.code == code, ran.err
    return ran


def cases(values: Any) -> dict[tuple[str, str], str]:
    """State by what a case is about and what was shown."""
    found = check_policy(values)
    assert found.ok
    return {(one.about, one.shown): one.state for one in found.edges}


def test_a_sound_policy(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(LINE)
    ran = run("policy", "check", file)
    lines = ran.out.splitlines()
    assert lines[0] == f"{file} ({identity(read_policy(file))}): no fault"
    assert [line.split("  ")[-1].strip() for line in lines if "of 5 images for defect" in line] == [
        "fallback", "rule 1 (defective)", "rule 1 (defective)"
    ]  # fmt: skip
    assert "    4 images, votes tied: defect, good                    ask        fallback" in lines
    assert "  rule 2 (ok): mean good, at_least 0.7" in lines
    value = json.loads(run("policy", "check", file, "--json").out)
    assert (value[0]["ok"], value[0]["faults"]) == (True, [])
    assert {"about", "shown", "state", "rule", "because", "track"} == set(value[0]["edges"][0])


def test_edges_are_those_of_the_engine(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(LINE)
    found = cases(file)
    vote = "rule 1 (defective): vote defect, confidence 0.8, at_least 3"
    assert [found[vote, f"{k} of 5 images for defect"] for k in (2, 3, 4)] == ["ask", "defective", "defective"]
    assert [found[vote, f"5 images, defect {p:g}"] for p in (0.799, 0.8, 0.801)] == ["ask", "defective", "defective"]
    assert found["always", "no image at all"] == ""
    assert found["always", "5 images, all unknown"] == "ask"
    assert found["always", "the first image: good"] == "ok"
    assert found["hold_s defective 5.5", "ok found 4 s after defective came, in force 6 s"] == "ok"
    assert found["cool_down_s defective 12", "defective found 3 s after it was left, in force 12 s"] == "defective"
    assert found["enter ok 3", "after defective, found 2 of 3 times in a row"] == "defective"
    assert found["enter ok 3", "after defective, found 3 of 3 times in a row"] == "ok"


@pytest.mark.parametrize("stable", [
    "{enter: {ok: 100000000}}", "{hold_s: {ok: 1e+308}, cool_down_s: {ok: 1e+308}}", "{hold_s: {ok: 1e-308}}"
])  # fmt: skip
def test_what_no_clock_and_no_patience_reaches_is_not_tried(tmp_path: Path, stable: str) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(LINE[: LINE.index("stable:")] + f"stable: {stable}\n")
    assert any("5 images, all unknown" in shown for _, shown in cases(file))


@pytest.mark.parametrize(("condition", "shown", "states"), [
    ({"bayes": "good", "at_least": 0.9}, "probability {:g}", {0.899: "b", 0.9: "a", 0.901: "a"}),
    ({"margin": True, "at_least": 0.2}, "margin {:g}", {0.199: "b", 0.2: "a", 0.201: "a"}),
    ({"ood": True, "at_least": 1.5}, "OOD score {:g}", {1.499: "b", 1.5: "a", 1.501: "a"}),
    ({"running": "good", "below": 0.3}, "all confidences {:g}", {0.299: "a", 0.3: "b", 0.301: "b"}),
    ({"vote": "good", "share": 0.6}, "{:g} of 5 images for good", {2: "b", 3: "a", 4: "a"}),
    ({"undecided": True, "share": 0.6}, "{:g} of 5 images without an answer", {2: "b", 3: "a", 4: "a"}),
    ({"majority": "good"}, "{:g} of 5 images show good", {0: "b", 1: "b", 2: "b", 3: "a", 4: "a", 5: "a"}),
    ({"any": "good"}, "{:g} of 5 images show good", {0: "b", 1: "a", 5: "a"}),
    ({"every": "good"}, "{:g} of 5 images show good", {0: "b", 4: "b", 5: "a"}),
    ({"confidence": "good", "at_least": 0.5, "below": 0.7}, "confidence {:g}",
     {0.499: "b", 0.5: "a", 0.501: "a", 0.699: "a", 0.7: "b", 0.701: "b"}),
])  # fmt: skip
def test_just_below_at_and_just_above(condition: dict[str, Any], shown: str, states: dict[float, str]) -> None:
    values = {
        "policy": 1, "name": "p", "states": {"a": None, "b": None}, "fallback": "b", "window": {"last": 5},
        "rules": [{"state": "a", "if": condition}],
    }  # fmt: skip
    found = {what: state for (_, what), state in cases(values).items()}
    assert {at: found[shown.format(at)] for at in states} == states


def test_silence_and_windows_of_seconds() -> None:
    rules = [{"state": "a", "if": {"silent_s": 3}}]
    values = {"policy": 1, "name": "p", "states": {"a": None, "b": None}, "fallback": "b", "window": {"seconds": 10}}
    found = {what: state for (_, what), state in cases({**values, "rules": rules}).items()}
    assert found["any other label, then no image for just less than 3 s"] == "b"
    assert found["any other label, then no image for 3 s"] == "a"


def test_episodes_and_several_inputs() -> None:
    values: dict[str, Any] = {
        "policy": 1, "name": "p", "states": {"a": None, "b": None, "none": None}, "fallback": "b", "outside": "none",
        "inputs": {"left": {}, "right": {}},
        "window": {"episode": {"opens": {"trigger": "in"}, "closes": {"gap_s": 4}}},
        "rules": [{"state": "a", "if": {"all_of": [
            {"vote": "bad", "at_least": 2, "input": "left"}, {"any": "bad", "input": "right"}]}}],
    }  # fmt: skip
    found = {what: state for (about, what), state in cases(values).items() if "vote" in about}
    assert found == {
        "1 of 5 images for bad": "b", "2 of 5 images for bad": "a", "3 of 5 images for bad": "a",
    }  # fmt: skip


def test_faults_and_their_exit_code(tmp_path: Path) -> None:
    good, broken, dead = (tmp_path / name for name in ("good.yaml", "broken.yaml", "dead.yaml"))
    good.write_text(LINE)
    broken.write_text(LINE.replace("fallback: ask", "fallback: asks").replace("hold_s", "holds_s"))
    dead.write_text(LINE.replace("mean: good", "vote: defect, confidence: 0.9").replace("at_least: 0.7", "at_least: 4"))
    ran = ending(4, "policy", "check", good, broken, dead)
    told = [line for line in ran.out.splitlines() if "fault" in line]
    assert told == [
        f"{good} ({identity(read_policy(good))}): no fault",
        f"{broken}: 1 fault",
        "  fault: line 11: there is no 'holds_s' in stable; did you mean 'hold_s'?",
        f"{dead} ({identity(read_policy(dead))}): 2 faults",
        "  fault: rule 2 (ok) can never hold: rule 1 (defective) holds whenever it does, and goes before it",
        "  fault: the state 'ok' can never come about: no rule that can hold gives it",
    ]
    assert check_policy(tmp_path / "gone.yaml").faults == (
        f"the policy {tmp_path / 'gone.yaml'} cannot be read: No such file or directory",
    )


def test_labels_of_the_model(tmp_path: Path) -> None:
    model = model_folder()
    labels = [label.name for label in read_card(model).schema.labels]
    file = tmp_path / "line.yaml"
    file.write_text(LINE.replace("vote: defect", f"vote: {labels[0]}").replace("mean: good", f"mean: {labels[1]}s"))
    fault = f"rules[1].if names the label '{labels[1]}s', which its input does not have; did you mean {labels[1]!r}?"
    assert check_policy(file, models=model).faults == (fault,)
    assert f"  fault: {fault}" in ending(4, "policy", "check", file, "--model", f"image={model}").out.splitlines()
    file.write_text(LINE.replace("vote: defect", f"vote: {labels[0]}").replace("mean: good", f"mean: {labels[1]}"))
    assert run("policy", "check", file, "--model", model).out.splitlines()[0].endswith(": no fault")
    with pytest.raises(SpecError, match=r"^the policy line has no input 'left', its inputs are 'image'$"):
        check_policy(file, models={"left": model})
    ran = ending(2, "policy", "check", file, "--model", model, "--model", f"image={model}")
    assert "--model is given once for all inputs, or as INPUT=MODEL for each" in ran.err


def test_large_windows_and_long_times_take_no_longer() -> None:
    values = read_policy(yaml.safe_load(LINE.replace("last: 5", "last: 9000").replace("at_least: 3", "at_least: 150")))
    found = {one.shown: one.state for one in check_policy(values).edges}
    assert [found[f"{k} of 200 images for defect"] for k in (149, 150, 151)] == ["ask", "defective", "defective"]
    slow = LINE.replace("defective: 12", "defective: 86400").replace("defective: 5.5", "defective: 3600")
    shown = [one.shown for one in check_policy(yaml.safe_load(slow)).edges if one.about.startswith(("hold", "cool"))]
    assert [one.split(", ")[1] for one in shown] == ["in force 3600 s", "in force 86400 s"]
