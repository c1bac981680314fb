"""A search in the report: every trial, the course of the score, and a word on what such a score is worth."""

from __future__ import annotations

from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.searched import FLATTERY, Searched, Tried, course, searched_section

TRIALS = (
    Tried(0, "probe", "–", Estimate(0.80, 0.70, 0.88, 40), 30.0, 6_700_000, "complete"),
    Tried(1, "finetune", "size <64>", None, 30.0, 0, "failed", "no memory"),
    Tried(2, "finetune", "lr 0.001", Estimate(0.30, None, None, 0), 60.0, 0, "pruned", "behind"),
    Tried(3, "finetune", "loss focal", Estimate(0.85, 0.76, 0.92, 40), 60.0, 6_700_000, "complete"),
)
SEARCHED = Searched(TRIALS, "f1_macro", 40, chosen=0, best=3, why="Trial 0 was taken.")


def test_facts_come_back_as_they_were() -> None:
    assert Searched.from_facts(SEARCHED.facts) == SEARCHED


def test_the_summary_counts_what_was_given_up() -> None:
    assert SEARCHED.summary == (
        "search      4 trials (1 pruned, 1 failed) in 3.0 min, macro F1 of 40 validation images",
        "taken       Trial 0 was taken.",
    )


def test_the_section_tells_every_trial_and_that_the_score_flatters() -> None:
    html = searched_section(SEARCHED)
    assert html.count("<tr>") == 1 + len(TRIALS)
    assert '<th scope="row">0*</th>' in html
    assert "size &lt;64&gt;" in html
    assert "failed: no memory" in html
    assert FLATTERY in html


def test_the_course_has_a_dot_for_every_score_and_the_best_so_far() -> None:
    drawn = course(SEARCHED)
    assert drawn.count("<circle") == 3
    assert drawn.count("<polyline") == 1
    assert 'class="s1 dot"' in drawn  # the pruned one


def test_a_search_without_a_score_can_be_drawn() -> None:
    assert course(Searched((), "f1_macro", 0)).count("<circle") == 0
    assert course(Searched(TRIALS[1:2], "f1_macro", 40)).count("<circle") == 0
