"""Decided against true episodes, a letter a second, each outcome worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.timelines import decided, judged, outcome, terms, told, true

from tellapart.evaluation.episode_matching import judge_sequence
from tellapart.evaluation.episodes import Run
from tellapart.records.episode import TrueEpisode


@pytest.mark.parametrize(("truth", "states", "episodes", "runs", "flicker"), [
    # exactly, from the first image, to the last one
    ("..bbb..", "..bbb..", ["found +0 s 0"], "rest found rest", []),
    ("bbb", "bbb", ["found +0 s 0"], "found", []),
    # late, and late until the last second
    ("..bbbb..", "....bb..", ["found +2 s 2"], "rest found rest", []),
    ("..bbbb..", ".....b..", ["found +3 s 3"], "rest found rest", []),
    # it stays longer than was true: no error of episodes
    ("..bb.....", "..bbbbb..", ["found +0 s 0"], "rest found rest", []),
    # missed, answered otherwise, by a question
    ("..bbb..", ".......", ["missed rest"], "rest", []),
    ("..bbb..", "..aaa..", ["missed ok"], "rest false rest", [2]),
    ("..bbb..", "..???..", ["missed ask"], "rest asked rest", [2]),
    # the longest answer counts, of equal ones the last
    ("..bbbbb..", "..aa???..", ["missed ask"], "rest false asked rest", [2, 4]),
    ("..bbbb..", "..aa??..", ["missed ask"], "rest false asked rest", [2, 4]),
    ("..bbbb..", "..?aa?..", ["missed ask"], "rest asked false asked rest", [2, 3, 5]),
    (".....bb.", "aaaaa?a.", ["missed ok"], "false asked false rest", [5, 6]),
    # false alarms: where nothing is, before and after
    (".......", "..b.a..", [], "rest false rest false rest", [2, 3, 4, 5]),
    ("......b.", "..b...b.", ["found +0 s 0"], "rest false rest found rest", [2, 3]),
    (".b.....", ".b..b..", ["found +0 s 0"], "rest found rest false rest", [4, 5]),
    # after the end it is too late
    ("..bb...", "....bb.", ["missed rest"], "rest false rest", [4, 6]),
    # split
    ("..bbbbb..", "..b.bbb..", ["found +0 s 0"], "rest found rest repeated rest", [3, 4]),
    ("..bbbbb..", "..b?b?b..", ["found +0 s 0"], "rest found asked repeated asked repeated rest", [3, 4, 5, 6]),
    # merged: it finds the first, what is covered later is not found
    (".bb.bb.", ".bbbbb.", ["found +0 s 0", "merged bad"], "rest found rest", []),
    (".bb.bb.bb", ".bbbbbbbb", ["found +0 s 0", "merged bad", "merged bad"], "rest found", []),
    # one that tears off and comes again within the second one has found both
    (".bb.bb.", ".bbb.b.", ["found +0 s 0", "found +1 s 1"], "rest found rest found rest", [4]),
    # states that touch are told apart by the state alone
    ("aaabbb", "aaabbb", ["found +0 s 0", "found +0 s 0"], "found found", []),
    ("aaabbb", "aaaaab", ["found +0 s 0", "found +2 s 2"], "found found", []),
    ("aaabbb", "aaaaaa", ["found +0 s 0", "missed ok"], "found", []),
    # two true episodes of one state that touch: the state has no reason to change
    ("..bb|bb..", "..bbbb..", ["found +0 s 0", "found"], "rest found rest", []),
    ("..bb|bb..", "...b.b..", ["found +1 s 1", "found +1 s 1"], "rest found rest found rest", [4]),
    # early, and right for at least as long as it was early
    ("...bbb.", "..bbbb.", ["found +0 s 0 early"], "rest found rest", []),
    ("....bbb.", ".bbbbbb.", ["found +0 s 0 early"], "rest found rest", []),
    ("....bb.", ".bbbbb.", ["merged bad"], "rest false rest", [1]),
    # what always holds finds nothing
    ("......bb......", "bbbbbbbbbbbbbb", ["merged bad"], "false", []),
    # the state before was early for what it is not
    ("aaaaaabbbb", "abbbbbbbbb", ["found +0 s 0", "merged bad"], "found false", [1]),
    ("aaaaaabbbb", "aabbbbbbbb", ["found +0 s 0", "found +0 s 0 early"], "found found", []),
])  # fmt: skip
def test_by_hand(truth: str, states: str, episodes: list[str], runs: str, flicker: list[float]) -> None:
    found = judged(truth, states)
    assert [told(one) for one in found.episodes] == episodes
    assert " ".join(one.was for one in found.runs) == runs
    assert list(found.flicker_s) == flicker


@pytest.mark.parametrize(("late_s", "expected"), [
    (0.0, "missed rest"), (1.0, "missed rest"), (1.5, "found +3 s 3 late"), (5.0, "found +3 s 3 late"),
])  # fmt: skip
def test_a_state_may_come_late_where_that_is_allowed(late_s: float, expected: str) -> None:
    found = judged("..bb...", ".....b.", late_s=late_s)
    assert [told(one) for one in found.episodes] == [expected]
    assert [one.was for one in found.runs] == ["rest", "found" if late_s > 1 else "false", "rest"]
    assert list(found.flicker_s) == ([] if late_s > 1 else [5.0, 6.0])


@pytest.mark.parametrize(("evidence_s", "expected"), [
    ((2.0, 3.0, 4.0), "found +3 s 3 late"), ((3.0, 4.0), "found +3 s 3 late"), ((3.0, 4.0, 5.0), "missed rest"),
    ((), "missed rest"),
])  # fmt: skip
def test_a_vote_over_images_of_the_episode_is_about_it_though_it_has_gone(
    evidence_s: tuple[float, ...], expected: str
) -> None:
    runs = [Run("rest", 0, 5), Run("bad", 5, 6, evidence_s), Run("rest", 6, 8)]
    found = outcome(true("..bb...."), runs, 8)
    assert [told(one) for one in found.episodes] == [expected]


def test_what_overlaps_comes_before_what_is_late() -> None:
    found = judged(".bb.bb.", "....bb.", late_s=5.0)
    assert [told(one) for one in found.episodes] == ["missed rest", "found +0 s 0"]
    found = judged(".b.b...", ".....b.", late_s=5.0)
    assert [told(one) for one in found.episodes] == ["missed rest", "found +2 s 2 late"]


def test_no_image_fell_into_the_gap() -> None:
    seen_s = np.array([0.0, 1.0, 10.0, 11.0])
    runs = [Run("rest", 0, 10, (0.0,)), Run("bad", 10, 12, (10.0,))]
    truth = [TrueEpisode(3, 6, "bad"), TrueEpisode(8, 12, "bad")]
    found = judge_sequence(runs, truth, terms(), seen_s=seen_s, end_s=12.0)
    assert [told(one) for one in found.episodes] == ["missed rest", "found +2 s 0"]
    assert [one.n_images for one in found.episodes] == [0, 2]


def test_what_was_there_before_the_first_image_is_found_with_it() -> None:
    runs = [Run("bad", 10, 12, (10.0,)), Run("rest", 12, 14, (12.0,))]
    truth = [TrueEpisode(-5, 1, "bad"), TrueEpisode(4, 12, "bad"), TrueEpisode(14, 20, "bad")]
    found = judge_sequence(runs, truth, terms(), seen_s=np.arange(10.0, 14.0), end_s=14.0)
    assert [told(one) for one in found.episodes] == ["found +0 s 0"]  # the others lie outside the recording


def test_one_image_is_a_sequence() -> None:
    found = judge_sequence(
        [Run("bad", 0, 1, (0.0,))], [TrueEpisode(0, 1, "bad")], terms(), seen_s=np.zeros(1), end_s=1.0
    )
    assert [told(one) for one in found.episodes] == ["found +0 s 0"]
    assert found.right.tolist() == [True]


def test_each_image_and_each_second() -> None:
    found = judged("..bb.aa.", "...bb?a.", costs={"bad": {"rest": 5.0}})
    assert found.right.tolist() == [True, True, False, True, False, False, True, True]
    # second 2: bad at rest costs 5, second 4: rest called bad 1, second 5: ok called ask 1
    assert found.pieces[:, 0].tolist() == [0, 2, 3, 4, 5, 6, 7]
    assert found.pieces[:, 1].tolist() == [0, 5, 0, 1, 1, 0, 0]


def final(state: str, at_s: float, until_s: float, *evidence_s: float) -> Run:
    return Run(state, at_s, until_s, evidence_s, final=True)


def parts(truth: str, *runs: Run, seconds: int = 20) -> tuple[list[str], str, list[float]]:
    found = outcome(true(truth), list(runs), seconds, at_end=True, unscored="rest")
    return [told(one) for one in found.episodes], " ".join(one.was for one in found.runs), list(found.flicker_s)


REST = Run("rest", 0, 5)


def test_a_part_is_found_by_its_images_whenever_it_is_decided() -> None:
    # decided 1 s after the part has left, and while the next one is there
    assert parts("..bb....", REST, final("bad", 5, 6, 2, 3), Run("rest", 6, 8)) == (
        ["found +1 s 1"], "rest found rest", []
    )  # fmt: skip
    both = (REST, final("bad", 5, 7, 2, 3), final("ok", 7, 8, 5, 6), Run("rest", 8, 9))
    assert parts("..bb.aa..", *both) == (["found +1 s 1", "found +0 s 0"], "rest found found rest", [])


def test_two_parts_of_one_state_in_a_row() -> None:
    both = (REST, final("bad", 5, 7, 2, 3), final("bad", 7, 8, 5, 6), Run("rest", 8, 9))
    assert parts("..bb.bb..", *both) == (["found +1 s 1", "found +0 s 0"], "rest found found rest", [])
    # touching in the truth as well
    assert parts("..bb|bbb..", *both) == (["found +1 s 1", "found +0 s 0"], "rest found found rest", [])


def test_two_parts_taken_for_one() -> None:
    # the one that holds more of the images, of equal ones the first
    assert parts("..bb.bb..", REST, final("bad", 8, 9, 3, 5, 6)) == (["missed None", "found +1 s 1"], "rest found", [])
    assert parts("..bb.bb..", REST, final("bad", 8, 9, 2, 3, 5, 6)) == (
        ["found +4 s 4", "missed None"], "rest found", []
    )  # fmt: skip
    assert parts("..bb.aa..", REST, final("bad", 8, 9, 3, 5, 6)) == (["missed None", "missed bad"], "rest false", [8.0])


def test_one_part_taken_for_two() -> None:
    both = (REST, final("bad", 5, 6, 2, 3), final("bad", 6, 8, 5), Run("rest", 8, 9))
    assert parts("..bbbb...", *both) == (["found +0 s 0"], "rest found repeated rest", [])
    other = (REST, final("bad", 5, 6, 2, 3), final("ok", 6, 8, 5), Run("rest", 8, 9))
    assert parts("..bbbb...", *other) == (["found +0 s 0"], "rest found false rest", [6.0])


def test_a_part_where_none_is() -> None:
    assert parts(".........", REST, final("bad", 5, 6, 2, 3), Run("rest", 6, 9)) == (
        [], "rest false rest", [5.0, 6.0]
    )  # fmt: skip
    assert parts(".........", REST, final("ask", 5, 6, 2, 3), Run("rest", 6, 9)) == (
        [], "rest asked rest", [5.0, 6.0]
    )  # fmt: skip


def test_images_take_the_result_of_their_part() -> None:
    runs = [REST, final("bad", 5, 7, 2, 3), final("ok", 10, 11, 8), final("bad", 15, 16, 12, 13), Run("rest", 16, 18)]
    found = outcome(true("..bb....bb........"), runs, 18, at_end=True, unscored="rest")
    assert [i for i, right in enumerate(found.right) if not right] == [8, 9, 12, 13]
    assert [one.was for one in found.runs] == ["rest", "found", "false", "false", "rest"]
    assert [one.besides for one in found.runs] == [False, False, False, True, False]


LETTERS = st.text(alphabet=".ab?", min_size=1, max_size=30)


@given(LETTERS.map(lambda text: text.replace("?", ".")), LETTERS)
def test_everything_is_counted_once(truth: str, states: str) -> None:
    states = (states * len(truth))[: len(truth)]
    found = judged(truth, states)
    assert len(found.episodes) == len(true(truth))
    assert len(found.runs) == len(decided(states))
    finders = [one.run for one in found.episodes if one.how == "found"]
    assert {i for i, one in enumerate(found.runs) if one.was == "found"} == set(finders)
    assert all(found.runs[i].run.state == one.state for one in found.episodes if (i := one.run) is not None)
    assert all(one.delay_s is not None and one.delay_s >= 0 for one in found.episodes if one.how == "found")
    assert found.right.tolist() == [a == b for a, b in zip(truth, states, strict=True)]
    assert found.pieces[:, 1].sum() == sum(a != b and (a, b) != (".", "?") for a, b in zip(truth, states, strict=True))


@given(LETTERS.map(lambda text: text.replace("?", ".")))
def test_the_truth_itself_is_without_fault(truth: str) -> None:
    found = judged(truth, truth)
    assert [told(one) for one in found.episodes] == ["found +0 s 0"] * len(true(truth))
    assert found.flicker_s == ()
    assert found.right.all()
    assert {one.was for one in found.runs} <= {"found", "rest"}
