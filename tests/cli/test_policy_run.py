"""`tellapart policy run` and `policy evaluate`: from the command line, on a recording that is checked by hand."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import run

from tellapart.records.observation import Observation

# A letter a second: what the model answers, and what is true.
ANSWERS = {"one": "..bb..b..a", "two": "aa..bb...."}
TRUTH = "sequence,start,end,state\none,2,5,bad\none,9,10,ok\ntwo,0,2,ok\ntwo,4,6,bad\ntwo,8,9,bad\n"
LABELS = {".": "nothing", "a": "good", "b": "defect"}
POLICY = """
policy: 1
name: line
states: {ok: fine, bad: broken, empty: nothing there}
fallback: empty
rules:
- {state: bad, if: {predicted: defect}}
- {state: ok, if: {predicted: good}}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = []
    for sequence, letters in ANSWERS.items():
        for second, letter in enumerate(letters):
            label = LABELS[letter]
            one = Observation(float(second), "image", f"{sequence}-{second}", {label: 1.0}, (label,))
            rows.append(json.dumps(one.to_json() | {"sequence": sequence}))
    Path("r.jsonl").write_text("\n".join([*rows, "nonsense"]) + "\n", "utf-8")
    Path("truth.csv").write_text(TRUTH, "utf-8")
    Path("p.yaml").write_text(POLICY, "utf-8")
    Path("slow.yaml").write_text(POLICY.replace("name: line", "name: slow\nstable: {enter: {bad: 2, ok: 2}}"), "utf-8")


def test_changes_line_by_line() -> None:
    ran = run("policy", "run", "p.yaml", "r.jsonl", "--json")
    assert ran.code == 0
    assert [(one["subject"], one["at"], one["state"]) for one in ran.lines] == [
        ("one", 0, "empty"), ("one", 2, "bad"), ("one", 4, "empty"), ("one", 6, "bad"), ("one", 7, "empty"),
        ("one", 9, "ok"), ("two", 0, "ok"), ("two", 2, "empty"), ("two", 4, "bad"), ("two", 6, "empty"),
    ]  # fmt: skip
    assert all(one["policy"].startswith("line@") and one["evidence"] for one in ran.lines)
    expected = "r.jsonl:21: it is no line of a recording: it is not JSON (Expecting value at character 1) [bad_row]"
    assert ran.err.splitlines() == [expected, "1 lines were refused"]


def test_every_decision() -> None:
    ran = run("policy", "run", "p.yaml", "r.jsonl", "--json", "--all")
    assert [one["state"][0] for one in ran.lines] == list("eebbeebeeo" + "ooeebbeeee")


def test_a_timeline_for_people() -> None:
    ran = run("policy", "run", "p.yaml", "r.jsonl", "--truth", "truth.csv", COLUMNS="30")
    lines = ran.out.splitlines()
    assert lines[0] == "one: 0.00 s to 9.00 s, 10 images, 6 changes"
    assert lines[1] == "  truth       bbbbbb        oo"
    assert lines[2] == "  decided ····bbbb····bb····oo"
    assert lines[3].split() == ["·", "empty", "o", "ok", "b", "bad"]
    assert lines[5] == "        2.00 s  bad        2.00 s  rule 1 (bad): the answer is 'defect'"
    assert "\x1b" not in ran.out


def test_decisions_as_a_file() -> None:
    assert run("policy", "run", "p.yaml", "r.jsonl", "--json", "-o", "d.jsonl").out == ""
    assert len(Path("d.jsonl").read_text("utf-8").splitlines()) == 10


def test_figures_by_hand() -> None:
    found = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "--json").json
    track = found["tracks"]["state"]
    assert (found["images"], found["unit"], found["resamples"]) == (20, "episode", 1000)
    assert found["hours"] == pytest.approx(20 / 3600)
    assert (track["rest"], track["asking"], track["delayFrom"]) == ("empty", None, "start")
    bad, ok = (track["states"][name] for name in ("bad", "ok"))
    assert (bad["counts"]["n_true"], bad["counts"]["n_found"], bad["counts"]["n_false"]) == (3, 2, 1)
    assert bad["figures"]["recall"]["value"] == pytest.approx(2 / 3)
    assert bad["figures"]["precision"]["value"] == pytest.approx(2 / 3)
    assert (ok["figures"]["recall"]["value"], ok["figures"]["delay_s_p90"]["value"]) == (1.0, 0.0)
    assert track["totalCost"] == 2
    assert track["confusion"] == {
        "rows": ["ok", "bad", "no episode"], "columns": ["ok", "bad", "empty"], "counts": [[2, 0, 0], [0, 2, 1], [0, 1, 0]],
    }  # fmt: skip
    assert [one["how"] for of in track["sequences"] for one in of["episodes"]] == [
        "found", "found", "found", "found", "missed"
    ]  # fmt: skip
    assert [one["refused"]["code"] for one in found["refused"]] == ["bad_row"]


def test_figures_for_people() -> None:
    ran = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv")
    assert "bad         2 of 3 found, 1 missed; 3 decided, 1 false" in ran.out.splitlines()
    assert "all         4 of 5 found, 1 false" in ran.out.splitlines()
    assert "1 lines were refused" in ran.err


def test_policies_compared() -> None:
    ran = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "--compare", "slow.yaml", "--json")
    (slow,) = ran.json["compared"]
    assert slow["policy"].startswith("slow@")
    assert slow["tracks"]["state"]["states"]["bad"]["counts"]["n_false"] == 0
    recall = next(one for one in slow["differences"] if one["figure"] == "recall")
    assert (recall["first"], recall["other"]) == (0.8, 0.6)
    told = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "--compare", "slow.yaml").out
    assert "  recall                    0.800 → 0.600, −0.200" in told


def test_a_truth_of_another_clock_is_told() -> None:
    header, *rows = Path("truth.csv").read_text("utf-8").splitlines()
    start = header.split(",").index("start")
    moved = [one.split(",") for one in rows]
    for one in moved:
        one[start : start + 2] = [str(float(t) + 1e6) for t in one[start : start + 2]]
    Path("moved.csv").write_text("\n".join([header, *map(",".join, moved)]), "utf-8")
    told = run("policy", "evaluate", "p.yaml", "r.jsonl", "moved.csv").err
    assert (
        f"{len(rows)} true episodes lie outside the recorded time of their sequence and were left out: the times of the truth "
        "are those of the recording's clock"
    ) in told.splitlines()
    assert "the truth, where it was recorded, never names 'ok', 'bad', so all of these are false alarms" in told
    assert "outside" not in run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv").err


def test_a_forgotten_rate_is_told() -> None:
    lines = [{"uri": f"{n}.jpg", "classifierResults": [], "predicted": [["ok", "bad"][n // 5 % 2]]} for n in range(60)]
    Path("film.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    rows = [f"{n},{n + 1},{['ok', 'bad'][n % 2]}" for n in range(12)]
    Path("film.csv").write_text("\n".join(["start,end,state", *rows]), "utf-8")
    told = "no true episode lies in the second half of what was recorded: have truth and recording the same clock, and is --fps"
    assert told in run("policy", "evaluate", "p.yaml", "film.jsonl", "film.csv").err
    assert told not in run("policy", "evaluate", "p.yaml", "film.jsonl", "film.csv", "--fps", "5").err


def test_the_state_at_rest_and_late_ones() -> None:
    asking = POLICY.replace("fallback: empty", "fallback: ask").replace("empty: nothing there", "empty: , ask: ")
    Path("ask.yaml").write_text(asking + "- {state: empty, if: {predicted: nothing}}\n", "utf-8")
    assert run("policy", "evaluate", "ask.yaml", "r.jsonl", "truth.csv").err.splitlines()[0] == (
        "the truth never names 'empty', so all of these are false alarms; where nothing is labelled 'ask' is taken as true, "
        "which --rest changes"
    )
    assert "never names" not in run("policy", "evaluate", "ask.yaml", "r.jsonl", "truth.csv", "--rest", "empty").err
    ran = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "--rest", "none")
    assert ran.code == 2
    assert ran.err.strip() == (
        "error: the state at rest, 'none', is none of the policy's states: 'ok', 'bad', 'empty' [bad_setting]"
    )
    ran = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "--late", "-1")
    assert ran.err.strip() == "error: how late a state may come is a number of seconds from 0, got -1 [bad_setting]"
    late = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "--late", "3", "--json").json
    assert late["tracks"]["state"]["counts"]["n_repeated"] == 1  # second 6 comes after what ended at 5


@pytest.mark.parametrize(("truth", "expected"), [
    ("start,end,state\n0,1,bad\n", "error: no sequence is both recorded and labelled: recorded are 'one', 'two', labelled '' "
     "[dataset_empty]"),
    ("sequence,start,end,state\none,0,1,broken\n", "error: the truth at 0 s names the state 'broken', which the policy does "
     "not have; its states are 'ok', 'bad', 'empty' [bad_policy]"),
    ("sequence,start,end,state,track\none,0,1,bad,door\n", "error: the truth at 0 s names the track 'door', which the policy "
     "does not have; its tracks are 'state' [bad_policy]"),
])  # fmt: skip
def test_truth_that_does_not_fit(truth: str, expected: str) -> None:
    Path("truth.csv").write_text(truth, "utf-8")
    ran = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv")
    assert (ran.out, ran.err.splitlines()[0]) == ("", expected)


def test_sequences_without_labels_are_left_out_and_named() -> None:
    Path("truth.csv").write_text("sequence,start,end,state\none,2,4,bad\nthree,0,1,bad\n", "utf-8")
    ran = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv")
    assert ran.err.splitlines()[:2] == [
        "1 recorded sequences are not in the truth and were left out: two. Where nothing happened, a row with the state at "
        "rest says so",
        "1 labelled sequences are not in the recording: three",
    ]


def test_inputs_by_the_names_that_were_recorded() -> None:
    text = Path("r.jsonl").read_text("utf-8").replace('"input": "image"', '"input": "gate/left"')
    Path("r.jsonl").write_text(text, "utf-8")
    apart = run("policy", "run", "p.yaml", "r.jsonl", "--json")
    assert {one["subject"] for one in apart.lines} == {"one/gate/left", "two/gate/left"}
    named = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "--input", "image=gate/left", "--json").json
    assert named["tracks"]["state"]["counts"]["n_found"] == 4
    ran = run("policy", "run", "p.yaml", "r.jsonl", "--input", "image")
    assert ran.code == 2
    assert "an input and its name are written INPUT=NAME, such as left=gate/left" in ran.err


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href") and tag != "a"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing stays open."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_stands_alone() -> None:
    ran = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "--compare", "slow.yaml", "-o", "page.html")
    assert ran.code == 0
    page = _Page()
    html = Path("page.html").read_text("utf-8")
    page.feed(html)
    text = " ".join(page.text)
    assert (page.open, page.sources) == ([], [])
    assert "4 of 5" in text
    assert "1 false alarm" in text
    assert html.count('class="alarm" d="M') == 1 + 1  # the key, and the one at second 6
    assert html.count('class="lost" x="') == 1 + 1
    assert "true: bad, 8 s to 9 s, missed, answered empty" in text
    assert "Compared with other policies" in text


def test_a_page_that_cannot_be_written() -> None:
    ran = run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "-o", "missing/page.html")
    assert (
        ran.err.splitlines()[-1]
        == "error: missing/page.html could not be written: No such file or directory [write_failed]"
    )


def test_names_are_escaped_in_the_page() -> None:
    name = "<script>alert(1)</script>"
    text = Path("r.jsonl").read_text("utf-8").replace('"sequence": "one"', f'"sequence": "{name}"')
    Path("r.jsonl").write_text(text, "utf-8")
    Path("truth.csv").write_text(TRUTH.replace("one,", f"{name},"), "utf-8")
    assert run("policy", "evaluate", "p.yaml", "r.jsonl", "truth.csv", "-o", "page.html").code == 0
    html = Path("page.html").read_text("utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_parts_decided_at_their_end() -> None:
    part: dict[str, Any] = {"episode": {"opens": {"predicted": "defect"}, "closes": {"predicted": "nothing"}}}
    text = POLICY.replace("name: line", f"name: part\noutside: empty\nwindow: {json.dumps(part)}")
    Path("part.yaml").write_text(
        text.replace("predicted: defect}}\n- {state: ok", "any: defect}}\n- {state: ok"), "utf-8"
    )
    found = run("policy", "evaluate", "part.yaml", "r.jsonl", "truth.csv", "--json", "-o", "page.html").json
    track = found["tracks"]["state"]
    assert track["delayFrom"] == "end"
    assert track["states"]["bad"]["counts"]["n_found"] == 2
    # closed at 4, one second before the truth says it has left, and at 6, when it has
    assert track["states"]["bad"]["figures"]["delay_s_p90"]["value"] == 0
    assert "when it was decided" in Path("page.html").read_text("utf-8")
