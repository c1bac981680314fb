"""Figures over episodes: each one worked out by hand from sequences with a letter a second."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.evaluation.timelines import judged, outcome, terms, true

from tellapart.evaluation.episode_figures import Resampling, Units, byar
from tellapart.evaluation.episodes import Run, SequenceOutcome
from tellapart.evaluation.policy_evaluation import TrackEvaluation, evaluate_tracks


def measured(*sequences: SequenceOutcome, costs: dict[str, dict[str, float]] | None = None) -> TrackEvaluation:
    (found,) = evaluate_tracks({"state": (terms(costs=costs or {}), sequences)}, n_resamples=200)
    return found


def values(found: TrackEvaluation, *names: str) -> list[float | None]:
    return [found.figures[name].value for name in names]


#        0         1         2         3
#        0123456789012345678901234567890123456789
TRUTH = "...bbbb....aaa...bbbb...bb......bbb....."
GIVEN = "....bbb.b..aaab..??bb...aa...????......."
# bad: found 1 s late, found 2 s late (of which it asked), answered ok, answered ask; ok: found at once
# alarms: bad at 8 and at 14, ok at 24


def test_one_sequence_by_hand() -> None:
    found = measured(judged(TRUTH, GIVEN))
    bad, ok, ask = (found.state(name) for name in ("bad", "ok", "ask"))
    assert bad.counts["n_true"] == 4
    assert (bad.counts["n_found"], bad.counts["n_missed"], bad.counts["n_merged"]) == (2, 2, 0)
    assert (bad.counts["n_decided"], bad.counts["n_right"], bad.counts["n_false"]) == (4, 2, 2)
    assert (bad.figures["recall"].value, bad.figures["precision"].value) == (0.5, 0.5)
    assert (ok.figures["recall"].value, ok.figures["precision"].value) == (1.0, 0.5)
    assert (ask.figures["recall"].value, ask.counts["n_asked"]) == (None, 2)
    assert bad.figures["false_alarms_per_hour"].value == pytest.approx(2 / (40 / 3600))
    assert [bad.figures[f"delay_s_{of}"].value for of in ("median", "p90")] == [1.0, 2.0]
    assert [bad.figures[f"delay_frames_{of}"].value for of in ("median", "p90")] == [1.0, 2.0]
    assert values(found, "recall", "precision", "false_alarms_per_hour") == [
        3 / 5, 3 / 6, pytest.approx(3 / (40 / 3600))
    ]  # fmt: skip
    # delays 0, 1, 2
    assert values(found, "delay_s_median", "delay_s_p90") == [1.0, 2.0]
    # unexplained: bad at 8, back at 9; bad for ok at 14; ask at 17; ok at 24; ask at 29, rest at 33; not: rest at 15
    assert list(found.sequences[0].flicker_s) == [8.0, 9.0, 14.0, 17.0, 24.0, 29.0, 33.0]
    assert values(found, "flicker_per_hour") == [pytest.approx(7 / (40 / 3600))]
    # wrong seconds: 3, 8, 14, 17, 18, 24, 25, 32, 33, 34; asked at rest 29, 30, 31, which is free but no agreement
    assert values(found, "agreement", "time_cost") == [27 / 40, pytest.approx(10 / 40)]


def test_the_matrix_and_what_it_costs() -> None:
    found = measured(judged(TRUTH, GIVEN))
    assert found.confusion.rows == ("ok", "bad", "no episode")
    assert found.confusion.columns == ("ok", "bad", "ask", "rest") or found.confusion.columns == (
        "rest",
        "ok",
        "bad",
        "ask",
    )
    cells = dict(zip(found.confusion.rows, found.confusion.counts, strict=True))
    at = {name: found.confusion.columns.index(name) for name in found.confusion.columns}
    assert [cells["bad"][at[name]] for name in ("ok", "bad", "rest")] == [1, 2, 1]
    assert [cells["ok"][at[name]] for name in ("ok", "bad")] == [1, 0]
    # besides: bad at 8 and 14, the question before the bad one at 17, the one at 29 is no answer: rest lasted longer
    assert [cells["no episode"][at[name]] for name in ("bad", "ask")] == [2, 2]
    assert found.total_cost == 2 + 2  # two bad ones answered otherwise, two alarms for nothing; questions are free
    assert values(found, "cost") == [4 / 5]
    dear = {"bad": {"ok": 20.0, "rest": 10.0}, "rest": {"bad": 0.5, "ask": 0.25}}
    assert measured(judged(TRUTH, GIVEN, costs=dear), costs=dear).total_cost == 20 + 10 + 2 * 0.5 + 2 * 0.25


def test_merged_costs_what_nothing_would() -> None:
    costs = {"bad": {"rest": 7.0}}
    found = measured(judged(".bb.bb.", ".bbbbb.", costs=costs), costs=costs)
    assert found.total_cost == 7.0
    assert found.confusion.columns == ("bad", "merged")
    assert found.confusion.counts == ((1, 1),)
    assert found.state("bad").counts["n_merged"] == 1
    assert values(found, "recall", "precision") == [0.5, 1.0]


def test_no_episode_at_all() -> None:
    found = measured(judged("....", "...."))
    assert found.states == ()
    assert values(found, "recall", "precision", "cost", "delay_s_median") == [None, None, None, None]
    assert values(found, "false_alarms_per_hour", "flicker_per_hour", "agreement") == [0.0, 0.0, 1.0]
    assert found.confusion.rows == ()


def test_one_episode_only_has_no_interval() -> None:
    found = measured(judged("..bb..", "...b.."))
    one = found.figures["recall"]
    assert (one.value, one.low, one.high) == (1.0, None, None)
    assert values(found, "delay_s_median", "delay_s_p90") == [1.0, 1.0]


def test_delays_of_parts_count_from_their_end() -> None:
    runs = [Run("rest", 0, 5), Run("bad", 5, 7, (2.0, 3.0), final=True), Run("rest", 7, 10)]
    end = terms(at_end=True, unscored="rest")
    sequence = outcome(true("..bb......"), runs, 10, at_end=True, unscored="rest")
    (found,) = evaluate_tracks({"state": (end, [sequence])}, n_resamples=0)
    assert found.delay_from == "end"
    assert values(found, "delay_s_median", "delay_frames_median") == [1.0, 1.0]
    assert "time_cost" not in found.figures
    assert values(found, "agreement", "cost") == [1.0, 0.0]


def test_sequences_are_the_units_from_eight_on() -> None:
    few, many = [judged("..bb..bb..", "..bb..bb..")] * 7, [judged("..bb..bb..", "..bb......")] * 8
    assert (Units.of(few).n, Units.of(many).n) == (14, 8)
    recall = measured(*many).figures["recall"]
    assert (recall.value, recall.n, recall.n_groups) == (0.5, 16, 8)
    assert measured(*few).figures["recall"].n_groups is None


def test_units_hold_an_episode_and_the_time_until_the_next() -> None:
    units = Units.of([judged("..bb..bb..", ".........."), judged("....", "....")])
    assert [units.at(0, t) for t in (0.0, 2.0, 5.9, 6.0, 9.0)] == [0, 0, 0, 1, 1]
    assert units.at(1, 3.0) == 2
    assert units.sums(0, np.array([1.0, 5.0, 6.0]), np.array([1.0, 2.0, 4.0])).tolist() == [3.0, 4.0, 0.0]


def test_intervals_hold_the_value_and_are_the_same_again() -> None:
    sequences = [judged(TRUTH, GIVEN), judged("..bb....bbb..", "..bb.b..aaa.b"), judged("bbb.aa", "..b.aa")]
    first, again = measured(*sequences), measured(*sequences)
    assert first.figures == again.figures
    for name, one in first.figures.items():
        low, value, high = (math.nan if one is None else one for one in (one.low, one.value, one.high))
        assert low <= value <= high, name
        assert low < high, name


def test_nothing_wrong_is_not_proof() -> None:
    found = measured(*[judged("..bb..", "..bb..")] * 10)
    for name in ("cost", "time_cost", "false_alarms_per_hour", "flicker_per_hour"):
        assert (found.figures[name].value, found.figures[name].low) == (0.0, 0.0)
        assert (found.figures[name].high or 0) > 0
    # Wilson's upper end for 0 of 10, Student's t is not in it
    assert found.figures["cost"].high == pytest.approx(0.2775, abs=1e-4)
    assert found.figures["false_alarms_per_hour"].high == pytest.approx(3.67 / (60 / 3600), rel=0.01)
    assert found.figures["recall"].low == pytest.approx(0.7225, abs=1e-4)


@pytest.mark.parametrize(
    ("events", "low", "high"), [(0, 0.0, 3.689), (1, 0.025, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)]
)
def test_byar_is_close_to_the_exact_poisson_interval(events: int, low: float, high: float) -> None:
    found = byar(float(events))
    assert found[0] == pytest.approx(low, abs=0.02)
    assert found[1] == pytest.approx(high, rel=0.01)


def test_events_in_bursts_are_fewer_than_they_seem() -> None:
    drawn = Resampling.of(20, True, n_resamples=1000, seed=0, level=0.95)
    hours = np.ones(20)
    spread, burst = np.ones(20), np.zeros(20)
    burst[0] = 20
    even, uneven = drawn.rate(spread, hours), drawn.rate(burst, hours)
    assert even.value == uneven.value == 1.0
    assert even.high == pytest.approx(byar(20.0)[1] / 20)
    assert (uneven.high or 0) > 3


def test_quantiles_are_values_that_were_there() -> None:
    drawn = Resampling.of(4, False, n_resamples=0, seed=0, level=0.95)
    for share, expected in ((0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (0.9, 4.0)):
        assert drawn.quantile(np.array([4.0, 1.0, 3.0, 2.0]), [0, 1, 2, 3], share).value == expected
    assert drawn.quantile(np.empty(0), [], 0.5).value is None
    assert drawn.quantile(np.array([7.0]), [0], 0.9).value == 7.0
