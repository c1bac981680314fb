"""Tuning as a whole: aims are kept where they were chosen, gains are claimed only where there are some."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.workflows.tuning import POLICY, recorded

from tellapart.errors import DataError, Reason, SettingsError, SpecError
from tellapart.records.episode import TrueEpisode
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, read_policy
from tellapart.settings.policy_text import MARK
from tellapart.workflows.policy_evaluate import evaluate_policy
from tellapart.workflows.policy_tune import tune_policy
from tellapart.workflows.policy_tune_aim import Aim, Tally, aim_of, rate_of
from tellapart.workflows.policy_tune_pieces import pieces_of
from tellapart.workflows.policy_tune_result import TunedPolicy


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "line.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def _tuned(
    policy: Path, n: int = 6, *, aim: dict[str, Any] | None = None, shift: float = 2.5, **more: Any
) -> TunedPolicy:
    images, truth = recorded(n, shift=shift, seed=more.pop("data", 1), n_images=120, n_episodes=3)
    settings: dict[str, Any] = {"budget": 24, "aim": aim_of(**(aim or {})), **more}
    return tune_policy(policy, images, truth, **settings)


def test_a_bad_policy_is_bettered_and_only_its_numbers_change(policy: Path) -> None:
    found = _tuned(policy)
    assert found.taken
    assert found.tracks[0].held_out.pays
    own = "".join(line for line in found.text.splitlines(keepends=True) if not line.startswith(MARK))
    assert "# agreed with QS" in own
    assert own != POLICY
    numbers = {name: str(chosen) for name, (_, chosen) in found.tracks[0].turned.items()}
    assert own == POLICY.replace("last: 3", f"last: {numbers.get('window.last', 3)}").replace(
        "at_least: 0.15", f"at_least: {numbers.get('rules[0].if.at_least', 0.15)}"
    ).replace("{bad: 1}", f"{{bad: {numbers.get('stable.enter.bad', 1)}}}")


def test_the_file_says_what_it_was_tuned_on_and_from(policy: Path, tmp_path: Path) -> None:
    found = _tuned(policy)
    head = [line for line in found.text.splitlines() if line.startswith(MARK)]
    assert identity(read_policy(policy)) in head[0]
    assert "least cost" in head[0]
    assert any("held out 5 parts of 6 sequences, one at a time; " in line for line in head)
    again = tmp_path / "again.yaml"
    again.write_text(found.text, encoding="utf-8")
    assert identity(read_policy(again)) == found.policy


def test_the_figures_are_those_of_policy_evaluate(policy: Path) -> None:
    images, truth = recorded(6, seed=1, n_images=120, n_episodes=3)
    found = tune_policy(policy, images, truth, aim=aim_of(), budget=20).tracks[0]
    evaluated = evaluate_policy(read_policy(policy), images, truth)
    given = found.tally(found.given)
    assert given.n_false == evaluated.track().counts["n_false"]
    assert given.n_found == evaluated.track().counts["n_found"]
    assert given.cost == pytest.approx(evaluated.total_cost)
    assert given.hours == pytest.approx(evaluated.hours)
    assert found.before.figures["recall"].value == evaluated.track().figures["recall"].value


def test_the_same_twice(policy: Path) -> None:
    first, second = (_tuned(policy, seed=3) for _ in range(2))
    assert first.text == second.text
    assert first.to_json() == second.to_json()


@pytest.mark.parametrize(
    "aim",
    [
        {},
        {"false_alarms": "20 per hour"},
        {"delay": 5.0},
        {"recall": 0.8},
        {"aim": "least-delay", "false_alarms": 40.0},
    ],
)
def test_limits_are_kept_where_they_were_chosen(policy: Path, aim: dict[str, Any]) -> None:
    found = _tuned(policy, aim=aim).tracks[0]
    wanted, here = aim_of(**aim), found.tally(found.chosen)
    possible = [one.tally for one in found.candidates]
    assert any(wanted.passed(one) == 0 for one in possible)
    assert wanted.passed(here) == 0
    assert wanted.key(here) == min(wanted.key(one) for one in possible)


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    """A policy that raises next to nothing: where images say nothing, nothing is better."""
    path = tmp_path / "quiet.yaml"
    path.write_text(POLICY.replace("0.15", "0.97"), encoding="utf-8")
    return path


@pytest.mark.slow
def test_noise_is_no_gain(quiet: Path) -> None:
    """Images that say nothing: what was found to do better where it was chosen does not do so elsewhere, and that is said."""
    found = [_tuned(quiet, shift=0.0, data=seed, budget=25) for seed in range(12)]
    assert sum(one.tracks[0].chosen != one.tracks[0].given for one in found) >= 1
    assert not any(one.tracks[0].held_out.pays for one in found)
    assert not any(one.taken for one in found)
    assert float(np.mean([one.tracks[0].held_out.difference.value or 0.0 for one in found])) >= 0


def test_a_claimed_gain_is_there_on_other_days(policy: Path) -> None:
    held_out = _tuned(policy, 7).tracks[0].held_out.difference
    found = _tuned(policy, 7)
    path = policy.with_name("tuned.yaml")
    path.write_text(found.text, encoding="utf-8")
    images, truth = recorded(30, seed=99, n_images=120, n_episodes=3)
    before, after = (evaluate_policy(read_policy(one), images, truth, intervals=False) for one in (policy, path))
    gain = (after.total_cost - before.total_cost) / before.hours
    assert held_out.low is not None
    assert held_out.high is not None
    assert held_out.low < gain < held_out.high


def test_nothing_is_taken_that_does_not_pay_unless_asked_for(quiet: Path) -> None:
    kept = _tuned(quiet, shift=0.0, data=5, budget=25)
    assert kept.tracks[0].chosen != kept.tracks[0].given
    assert kept.tracks[0].verdict().startswith("tuning does not pay: ")
    assert kept.tracks[0].verdict().endswith("; the policy stays as given")
    assert kept.text.endswith("\n" + quiet.read_text(encoding="utf-8"))
    taken = _tuned(quiet, shift=0.0, data=5, budget=25, anyway=True)
    assert taken.taken
    assert taken.tracks[0].verdict().endswith("; taken all the same")


def test_a_single_sequence_is_cut_with_gaps(policy: Path) -> None:
    images, truth = recorded(1, seed=4, n_images=1200, n_episodes=20)
    found = tune_policy(policy, images, truth, aim=aim_of(), budget=20, gap_s=3.0).tracks[0]
    assert found.pieces == (
        "5 parts of 10 stretches of the single sequence with gaps of 6 s between them, one at a time"
    )
    starts = [(one.start_s, one.end_s) for one in found.held_out.given]
    assert all(later[0] - earlier[1] >= 5.0 for earlier, later in pairwise(starts))


def test_tracks_are_tuned_for_themselves(tmp_path: Path) -> None:
    text = """policy: 1
name: two
tracks:
  part:
    states: {ok: null, bad: null}
    fallback: ok
    rules: [{state: bad, if: {confidence: defect, at_least: 0.2}}]
  other:
    states: {dark: null, light: null}
    fallback: light
    rules: [{state: dark, if: {confidence: night, at_least: 0.3}}]
"""
    policy = tmp_path / "two.yaml"
    policy.write_text(text, encoding="utf-8")
    found = _tuned(policy)
    assert [one.track for one in found.tracks] == ["part"]  # nothing was labelled for the other
    assert list(found.tracks[0].turned) == ["tracks.part.rules[0].if.at_least"]
    assert "at_least: 0.3}}]" in found.text


def test_only_and_keep(policy: Path) -> None:
    assert set(_tuned(policy, only=["window"], anyway=True).tracks[0].turned) <= {"window.last"}
    assert "window.last" not in _tuned(policy, keep=["window"], anyway=True).tracks[0].turned


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"budget": 0}, "the budget is a number of policies to try from 1, got 0"),
        ({"gap_s": -1.0}, "the gap is a number of seconds from 0, got -1"),
        ({"rest": "okay"}, "the state at rest, 'okay', is none of the policy's states: 'ok', 'bad'"),
        (
            {"only": ["rules[1]"]},
            "no number that can be tuned is called 'rules[1]'; there are window.last, rules[0].if.at_least, stable.enter.bad",
        ),
        ({"keep": ["window", "rules", "stable"]}, "nothing is left to tune: every number is kept"),
    ],
)
def test_refusals(policy: Path, more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as told:
        _tuned(policy, **more)
    assert str(told.value) == sentence
    assert told.value.reason == Reason.BAD_SETTING


def test_a_policy_without_numbers_is_refused(tmp_path: Path) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "policy: 1\nname: p\nstates: {ok: null, bad: null}\nfallback: ok\nrules: [{state: bad, if: {predicted: defect}}]\n"
    )
    with pytest.raises(SpecError) as told:
        _tuned(policy)
    assert str(told.value) == (
        "the policy holds no number that can be tuned: write a threshold, a vote, a window, `enter` or `hold_s` into it"
    )


def test_a_truth_of_another_clock_is_told(policy: Path) -> None:
    images, truth = recorded(3)
    moved = {
        name: [TrueEpisode(one.start_s + 1e6, one.end_s + 1e6, one.state) for one in of] for name, of in truth.items()
    }
    with pytest.raises(DataError, match=r"got 0 episodes in 3 sequences; 12 lie outside the recorded time$"):
        tune_policy(policy, images, moved, aim=aim_of())


def test_too_few_episodes_are_refused(policy: Path) -> None:
    images, truth = recorded(1, n_episodes=1)
    with pytest.raises(DataError) as told:
        tune_policy(policy, images, truth, aim=aim_of())
    assert told.value.reason == Reason.TOO_FEW_EPISODES
    assert str(told.value) == (
        "tuning needs labelled episodes to choose on and others to validate on: at least two sequences with episodes, or "
        "one that can be cut between two of them; got 1 episode in 1 sequence"
    )
    images, truth = recorded(1)
    with pytest.raises(
        DataError, match=r"with 90000 s left out on either side of a cut \(--gap\); got \d+ episodes in 1"
    ):
        tune_policy(policy, images, truth, aim=aim_of(), gap_s=90_000)


def test_long_gaps_make_fewer_stretches() -> None:
    images = [Observation(float(s), "image", str(s), {"a": 1.0}, ("a",)) for s in range(100)]
    truth = [TrueEpisode(s, s + 2.0, "a", "a") for s in range(4, 100, 10)]
    for gap_s, n in ((0, 10), (10, 2), (30, 2)):
        assert len(pieces_of({"a": images}, {"a": truth}, gap_s=gap_s).pieces) >= n


def test_nothing_recorded_and_labelled_is_refused(policy: Path) -> None:
    images, truth = recorded(2)
    with pytest.raises(DataError, match="no sequence is both recorded and labelled"):
        tune_policy(policy, images, {f"x{name}": one for name, one in truth.items()}, aim=aim_of())


def test_progress_counts_policies(policy: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    _tuned(policy, budget=15, progress=lambda *step: steps.append(step))
    assert steps[0] == ("tuning", 1, 15)
    assert max(done for _, done, _ in steps) <= 15
    assert {stage for stage, _, _ in steps} == {"tuning", *(f"validating, part {i} of 5" for i in range(1, 6))}


@pytest.mark.parametrize(
    ("told", "per_hour"),
    [("2 per shift", 0.25), ("0.5 per hour", 0.5), ("3/day", 0.125), ("1 a shift", 0.125), (".5 / h", 0.5), (2.5, 2.5)],
)
def test_rates(told: str | float, per_hour: float) -> None:
    assert rate_of(told) == per_hour


def test_a_shift_may_be_longer() -> None:
    assert rate_of("3 per shift", shift_hours=12) == 0.25


@pytest.mark.parametrize("told", ["", "two per hour", "2", "2 per week", "-1 per hour", -1.0, float("nan")])
def test_rates_that_are_none(told: str | float) -> None:
    with pytest.raises(SettingsError) as raised:
        rate_of(told)
    assert str(raised.value) == (
        f"false alarms are limited as in '2 per shift', '0.5 per hour' or '3 per day', got {told!r}"
    )


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"aim": "best"}, "the aim is one of least-cost, best-recall, fewest-false-alarms, least-delay, got 'best'"),
        ({"delay": 0.0}, "the delay is a number of seconds above 0, got 0"),
        ({"recall": 1.5}, "the recall is a share above 0 and at most 1, got 1.5"),
        ({"shift_hours": 0.0}, "a shift has more than 0 and at most 24 hours, got 0"),
    ],
)
def test_aims_that_are_none(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        aim_of(**asked)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("asked", "goal"),
    [
        ({}, "least-cost"),
        ({"false_alarms": "1 per hour"}, "best-recall"),
        ({"delay": 3.0}, "least-cost"),
        ({"recall": 0.9}, "fewest-false-alarms"),
        ({"recall": 0.9, "false_alarms": 2.0}, "least-cost"),
        ({"recall": 0.9, "aim": "least-delay"}, "least-delay"),
    ],
)
def test_what_the_limits_leave_open(asked: dict[str, Any], goal: str) -> None:
    assert aim_of(**asked).goal == goal


def test_nine_of_ten_are_found_within_the_delay() -> None:
    tally = Tally(1.0, 12, 10, 0, 0.0, 0.0, (1.0,) * 9 + (50.0,))
    assert tally.delay_s == 1.0
    assert Aim("least-cost", delay_s=1.0).passed(tally) == 0
    assert Aim("least-cost", delay_s=1.0).passed(Tally(1.0, 12, 0, 0, 0.0, 0.0)) > 0  # nothing found is not soon found
