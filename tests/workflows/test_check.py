"""Checking a data set: only what is needed is computed, everything is told, nothing is changed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file

import tellapart as ta
from tellapart.data.hygiene import exact_duplicates
from tellapart.data.hygiene.protocol import Check, Evidence, Finding, Proposal, Severity
from tellapart.data.repair.fixes import read_fixes
from tellapart.errors import Reason, TellapartError
from tellapart.workflows import check_report
from tellapart.workflows.check import check, choose
from tellapart.workflows.check_report import render
from tellapart.workflows.check_result import Checked

SEEN: list[Evidence] = []


def _look(evidence: Evidence) -> list[Finding]:
    SEEN.append(evidence)
    return []


def _say(severity: Severity, name: str, n: int = 1) -> Check:
    def find(evidence: Evidence) -> list[Finding]:
        proposals = (Proposal(0, "relabel", evidence.schema.names[-1]),)
        sentence = "something is <b>odd</b>"
        return [
            Finding(name, severity, sentence, "look", (0, len(evidence) - 1), (float("nan"), 0.5), proposals=proposals)
            for _ in range(n)
        ]

    return Check(name, name.title(), find)


CHEAP = Check("cheap", "Cheap", _look)
SEES = Check("sees", "Sees", _look, ("embeddings",))
JUDGES = Check("judges", "Judges", _look, ("probabilities", "look_alikes"))


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    return write_folders(tmp_path / "parts", {"bad": 8, "good": 8})


def checked(data: Any, *checks: Check, **options: Any) -> Checked:
    SEEN.clear()
    return check(data, checks=checks, **{"backbone": backbone_file(), "workers": 2, **options})


def refused(*args: Any, **options: Any) -> tuple[Reason, str]:
    with pytest.raises(TellapartError) as caught:
        checked(*args, **options)
    return caught.value.reason, str(caught.value)


def test_only_what_the_checks_need_is_computed(parts: Path) -> None:
    # A backbone that is not there is not missed while nobody asks for embeddings.
    assert checked(parts, CHEAP, backbone="no-such-backbone").findings == ()
    (evidence,) = SEEN
    assert (evidence.embeddings, evidence.probabilities, evidence.look_alikes) == (None, None, None)
    assert evidence.statistics.shape == (16, 6)
    checked(parts, CHEAP, SEES)
    assert SEEN[0].embeddings is not None
    assert (SEEN[0].probabilities, SEEN[0].look_alikes) == (None, None)


def test_probabilities_are_those_of_heads_that_did_not_see_the_image(parts: Path) -> None:
    (parts / "good" / "wrong.png").write_bytes(png_bytes(class_picture(0, 77)))
    checked(parts, JUDGES)
    (evidence,) = SEEN
    assert evidence.probabilities is not None
    assert evidence.look_alikes is not None
    np.testing.assert_allclose(evidence.probabilities.sum(axis=1), 1, atol=1e-5)
    told = evidence.schema.names[int(evidence.probabilities[evidence.dataset.uris.index("good/wrong.png")].argmax())]
    assert told == "bad"


def test_a_check_that_cannot_look_is_told(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"good": 4})
    found = checked(tmp_path / "parts", CHEAP, JUDGES)
    assert [one.name for one in found.checks] == ["cheap"]
    (skipped,) = found.skipped
    assert skipped.name == "judges"
    assert skipped.why.startswith("a classifier needs images of at least two classes, got only 'good'")
    assert f"skipped   judges: {skipped.why}" in found.lines()


def test_the_worst_comes_first_and_everything_is_counted(parts: Path) -> None:
    (parts / "good" / "broken.png").write_bytes(b"no image")
    shutil.copy(parts / "good" / "0000.png", parts / "bad" / "copy.png")
    found = checked(parts, _say(Severity.NOTE, "first"), _say(Severity.WARNING, "second"), exact_duplicates.CHECK)
    assert [finding.check for finding in found.findings] == ["exact_duplicates", "second", "first"]
    assert found.worst is Severity.ERROR
    assert found.is_as_bad_as("warning")
    lines = found.lines()
    assert lines[0] == "data      18 images seen: 17 looked at, 1 refused, 0 unlabelled"
    assert lines[3:] == [
        "error    1 image lies in the data under several labels at once, such as bad/copy.png as 'bad' and 'good'; "
        "decide on one label for each: nobody can learn both [exact_duplicates]",
        "warning  something is <b>odd</b>; look [second]",
        "note     something is <b>odd</b>; look [first]",
        "",
        "1 error, 1 warning and 1 note in 17 images",
    ]


def test_a_terminal_shows_the_worst_of_many(parts: Path) -> None:
    found = checked(parts, _say(Severity.NOTE, "many", 60), _say(Severity.ERROR, "bad"))
    lines = found.lines()
    assert lines[-43].startswith("error    ")
    assert lines[-3:-1] == ["… and 21 more findings: see the report (-o) or --json", ""]
    assert len([line for line in lines if "[many]" in line]) == 39


def test_silence_is_told(parts: Path) -> None:
    found = checked(parts, CHEAP)
    assert found.verdict == "nothing is wrong with 16 images"
    assert not found.is_as_bad_as("note")
    assert "Nothing is wrong with 16 images" in render(found)


def test_the_json_is_plain(parts: Path) -> None:
    found = checked(parts, _say(Severity.NOTE, "one"))
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["counts"] == {"error": 0, "warning": 0, "note": 1}
    assert value["findings"][0]["images"] == ["bad/0000.png", "good/0007.png"]
    assert value["findings"][0]["scores"] == [None, 0.5]
    assert value["findings"][0]["proposals"] == [{"uri": "bad/0000.png", "action": "relabel", "value": "good"}]
    assert value["checks"] == ["one"]


def test_proposals_can_be_written_and_read(parts: Path, tmp_path: Path) -> None:
    found = checked(parts, _say(Severity.NOTE, "one"))
    found.write_fixes(tmp_path / "fixes.csv")
    (fix,) = read_fixes(tmp_path / "fixes.csv")
    assert (fix.action, fix.uri, fix.value, fix.was, fix.accept) == ("relabel", "bad/0000.png", "good", "bad", True)
    assert fix.id == found.evidence.dataset.ids[0]


def test_what_a_model_proposes_waits_for_a_person(parts: Path) -> None:
    guess = Check("guess", "Guess", _say(Severity.NOTE, "guess").run, ("embeddings",))
    assert [fix.accept for fix in checked(parts, guess).fixes] == [False]


def test_checks_are_chosen_by_name() -> None:
    assert choose([CHEAP, SEES, JUDGES], ["sees", "cheap"], ["cheap"]) == (SEES,)
    with pytest.raises(TellapartError) as caught:
        choose([CHEAP, SEES], ["chaep"], [])
    assert str(caught.value) == "there is no check 'chaep'; did you mean 'cheap'? (known: cheap, sees)"
    with pytest.raises(TellapartError) as caught:
        choose([CHEAP], [], ["cheap"])
    assert str(caught.value) == "no check is left to run; skip fewer of them"


def test_data_without_labels_cannot_be_checked(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(png_bytes())
    reason, message = refused(tmp_path / "data", CHEAP)
    assert reason is Reason.UNLABELLED
    assert message.startswith("none of the images has a label")


def test_progress_names_every_check(parts: Path) -> None:
    told: list[str] = []
    checked(parts, CHEAP, SEES, progress=lambda *step: told.append(step[0]))
    assert list(dict.fromkeys(told)) == ["reading images", "checking: cheap", "checking: sees"]


def test_the_second_run_reads_the_cache(parts: Path, tmp_path: Path) -> None:
    options = {"cache_dir": tmp_path / "cache"}
    checked(parts, SEES, **options)
    first = SEEN[0].embeddings
    checked(parts, SEES, **options)
    np.testing.assert_array_equal(SEEN[0].embeddings, first)
    assert list((tmp_path / "cache" / "embeddings").iterdir())


def test_the_report_escapes_and_loads_nothing(parts: Path) -> None:
    html = render(checked(parts, _say(Severity.ERROR, "one"), exact_duplicates.CHECK), title="Data check: parts")
    assert "something is &lt;b&gt;odd&lt;/b&gt;" in html
    assert "<script" not in html
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", html)
    assert html.count("data:image/webp") == 2
    assert "proposed: relabel good" in html


def test_every_filter_hides_something_that_is_there(parts: Path) -> None:
    html = render(checked(parts, _say(Severity.ERROR, "one"), _say(Severity.NOTE, "two")))
    boxes = set(re.findall(r'id="(f-[a-z]+-\w+)"', html))
    assert boxes == {"f-sev-2", "f-sev-0", "f-chk-0", "f-chk-1", "f-lab-all", "f-lab-0", "f-lab-1"}
    for box in boxes - {"f-lab-all"}:
        hidden = "by-label" if "-lab-" in box else box.removeprefix("f-")
        assert f"body:has(#{box}" in html
        assert re.search(rf'class="[^"]*\b{hidden}\b', html)


def test_duplicates_stand_side_by_side_whatever_label_is_chosen(parts: Path) -> None:
    shutil.copy(parts / "good" / "0000.png", parts / "bad" / "copy.png")
    html = render(checked(parts, exact_duplicates.CHECK))
    ((labels, cluster),) = re.findall(r'<div class="cluster by-label([^"]*)">(.*?)</div>', html, re.DOTALL)
    assert labels.split() == ["lab-0", "lab-1"]
    assert "by-label" not in cluster
    assert cluster.count("<figure") == 2
    assert cluster.count("proposed: drop") == 2


def test_ten_thousand_findings_make_a_page_that_says_where_it_stops(parts: Path) -> None:
    html = render(checked(parts, _say(Severity.NOTE, "many", 10_000)))
    assert html.count("<article") == check_report.MAX_FINDINGS
    assert html.count("<img") <= check_report.MAX_PICTURES
    assert "This page shows the 200 worst of 10,000 findings and at most 600 pictures." in html
    assert len(html) < 5e6


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, "6 of 16 images shown, as examples; --json lists all."),
        ({"scores": tuple(range(16, 0, -1))}, None),
        ({"proposals": (Proposal(0, "drop"),)}, None),
    ],
)
def test_a_ranked_finding_shows_its_head_and_one_about_a_class_examples(
    parts: Path, facts: dict[str, Any], told: str | None
) -> None:
    found = Finding("many", Severity.NOTE, "s", "r", tuple(range(16)), **facts)
    html = render(checked(parts, Check("many", "Many", lambda _: [found])))
    assert html.count("<img") == (6 if told else 16)
    assert ("shown, " in html) == bool(told)
    assert told is None or told in html


def test_a_finding_about_many_images_says_how_many_are_shown(parts: Path) -> None:
    rows = tuple(i % 16 for i in range(1000))
    ranked = Finding("many", Severity.NOTE, "s", "r", rows, tuple(range(1000, 0, -1)), proposals=(Proposal(0, "drop"),))
    html = render(checked(parts, Check("many", "Many", lambda _: [ranked])))
    assert "24 of 1,000 images shown, the worst first; --json and --proposals list all." in html


def test_of_many_images_side_by_side_some_of_each_label_are_shown(parts: Path) -> None:
    found = Finding("many", Severity.NOTE, "s", "r", tuple(range(16)), clusters=(tuple(range(16)),))
    html = render(checked(parts, Check("many", "Many", lambda _: [found])))
    assert html.count("<figcaption><b>bad</b>") == html.count("<figcaption><b>good</b>") == 3
    assert "1 of 1 set of images shown, with at most 6 images each; --json lists all." in html


def test_a_number_stays_with_its_sign(parts: Path) -> None:
    found = Finding("half", Severity.NOTE, "a share of 50 % is odd", "find the other 50 %")
    html = render(checked(parts, Check("half", "Half", lambda _: [found])))
    assert html.count("50\N{NO-BREAK SPACE}%") == 4
    assert "50 %" not in html


def test_an_image_that_is_gone_meanwhile_is_told(parts: Path) -> None:
    found = checked(parts, _say(Severity.NOTE, "one"))
    (parts / "bad" / "0000.png").unlink()
    assert '<div class="gone">gone</div>' in render(found)


def test_check_changes_nothing(parts: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in parts.rglob("*"))
    checked(parts, SEES, JUDGES, exact_duplicates.CHECK)
    assert sorted((path, path.stat().st_mtime_ns) for path in parts.rglob("*")) == before


def test_several_labels_per_image_are_checked(tmp_path: Path) -> None:
    rows = ["file_name,labels"]
    for i in range(16):
        (tmp_path / f"{i}.png").write_bytes(png_bytes(class_picture(i % 3, i)))
        rows.append(f"{i}.png,{('a', 'b', 'a|b')[i % 3]}")
    (tmp_path / "data.csv").write_text("\n".join(rows))
    found = checked(tmp_path / "data.csv", JUDGES, exact_duplicates.CHECK)
    assert found.evidence.schema.task is ta.Task.MULTILABEL
    assert found.evidence.probabilities is not None
    assert found.evidence.probabilities.shape == (16, 2)
