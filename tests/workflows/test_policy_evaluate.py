"""Policies at work on recordings and judged: windows, parts, tracks, and what must not matter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.decision.engine import Engine
from tellapart.errors import SpecError
from tellapart.evaluation.episodes import Run, decided_runs
from tellapart.evaluation.policy_comparison import compare_policies
from tellapart.evaluation.policy_evaluation import PolicyEvaluation
from tellapart.records.episode import TrueEpisode
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, read_policy
from tellapart.workflows.policy_evaluate import decide, evaluate_decisions, evaluate_policy

LABELS = {".": "nothing", "a": "good", "b": "defect", "?": None}


def seen(letters: str, *, step_s: float = 1.0, start_s: float = 0.0) -> list[Observation]:
    """An image for each letter."""
    found = []
    for number, letter in enumerate(letters):
        label = LABELS[letter]
        answer = {} if label is None else {label: 1.0}
        at_s = start_s + number * step_s
        predicted = () if label is None else (label,)
        found.append(Observation(at_s, "image", f"{start_s:g}+{number}", answer, predicted, unknown=label is None))
    return found


def policy(**track: Any) -> Any:
    states = {"ok": None, "bad": None, "ask": None, "empty": None}
    rules = [{"state": state, "if": {"predicted": label}} for state, label in MEANT]
    return read_policy({"policy": 1, "name": "line", "states": states, "fallback": "ask", "rules": rules} | track)


MEANT = (("bad", "defect"), ("ok", "good"), ("empty", "nothing"))
VOTES = {"window": {"last": 3}, "rules": [{"state": s, "if": {"majority": label, "of": 2}} for s, label in MEANT]}
PARTS = {
    "window": {"episode": {"opens": {}, "closes": {"predicted": "nothing"}}},
    "outside": "empty",
    "rules": [{"state": s, "if": {"majority": label}} for s, label in MEANT[:2]],
}


def episodes(*rows: tuple[float, float, str]) -> list[TrueEpisode]:
    return [TrueEpisode(*row) for row in rows]


def evaluated(given_policy: Any, letters: str, truth: list[TrueEpisode], **more: Any) -> PolicyEvaluation:
    more = {"rest": "empty", "intervals": False} | more
    return evaluate_policy(given_policy, {"": seen(letters)}, {"": truth}, **more)


def how(found: PolicyEvaluation) -> list[str]:
    return [f"{e.how} {e.answer} {e.delay_s}" for e in found.track().sequences[0].episodes]


def test_single_images_and_votes() -> None:
    letters, truth = "..babb..aa.a..", episodes((2, 6, "bad"), (8, 12, "ok"))
    single = evaluated(policy(), letters, truth)
    assert how(single) == ["found bad 0.0", "found ok 0.0"]
    assert single.track().counts["n_false"] == 1
    assert single.track().counts["n_repeated"] == 2
    votes = evaluated(policy(**VOTES), letters, truth)
    # windows from second 2: ..b .ba bab abb bb. b.. | ..a .aa aa. a.a .a. | so bad at 4, empty at 7, ok at 9, empty at 12
    assert how(votes) == ["found bad 2.0", "found ok 1.0"]
    # at 3 the window holds one of each: it asks, which is no alarm
    assert (votes.track().counts["n_false"], votes.track().counts["n_asked"]) == (0, 2)
    assert votes.track().asking == "ask"


def test_a_part_is_decided_when_it_has_left() -> None:
    letters, truth = "..bab..aab.bb.", episodes((2, 5, "bad"), (7, 10, "ok"), (11, 13, "bad"))
    parts = evaluated(policy(**PARTS), letters, truth)
    assert how(parts) == ["found bad 0.0", "found ok 0.0", "found bad 0.0"]
    assert parts.track().delay_from == "end"
    assert parts.track().figures["agreement"].value == 1.0
    assert parts.track().figures["flicker_per_hour"].value == 0.0


def test_a_part_that_is_decided_while_the_next_one_is_there() -> None:
    gap = {"episode": {"opens": {"predicted": "defect"}, "closes": {"gap_s": 2.5}}}
    late = policy(**{**PARTS, "window": gap, "rules": [{"state": "bad", "if": {"any": "defect"}}]})
    # bad from 2 to 3, decided at 5.5 while the good part is there that came at 5
    found = evaluated(late, "..bb.aaaaa....", episodes((2, 4, "bad"), (5, 10, "ok")))
    assert how(found) == ["found bad 1.5", "missed None None"]
    assert found.track().state("bad").counts["n_false"] == 0


def test_parts_decided_as_they_go() -> None:
    running = policy(**{**PARTS, "window": {"episode": {**PARTS["window"]["episode"], "decides": "running"}}})
    found = evaluated(running, "..aabbb..", episodes((2, 7, "bad")))
    assert found.track().delay_from == "start"
    # good at 2 and 3, even at 5 (it asks), more bad than good at 6
    assert how(found) == ["found bad 4.0"]
    assert found.track().state("ok").counts["n_false"] == 1
    two = evaluated(running, ".bb.bb.", episodes((1, 3, "bad"), (4, 6, "bad")))
    assert how(two) == ["found bad 0.0", "found bad 0.0"]


def test_tracks_are_judged_each_by_its_own_truth() -> None:
    rules = {
        "states": {"on": None, "off": None},
        "fallback": "off",
        "rules": [{"state": "on", "if": {"predicted": "good"}}],
    }
    lid = {
        "states": {"open": None, "shut": None},
        "fallback": "shut",
        "rules": [{"state": "open", "if": {"predicted": "defect"}}],
    }
    both = read_policy({"policy": 1, "name": "two", "tracks": {"lamp": rules, "lid": lid}})
    truth = [TrueEpisode(1, 3, "on"), TrueEpisode(2, 4, "open", "lid")]
    found = evaluate_policy(both, {"": seen(".aabb.")}, {"": truth}, intervals=False)
    assert [one.track for one in found.tracks] == ["lamp", "lid"]
    assert [one.figures["recall"].value for one in found.tracks] == [1.0, 1.0]
    assert [one.figures["delay_s_median"].value for one in found.tracks] == [0.0, 1.0]
    assert found.total_cost == 0
    only = evaluate_policy(both, {"": seen(".aabb.")}, {"": truth[:1]}, intervals=False)
    assert [one.track for one in only.tracks] == ["lamp"]


def test_a_state_of_two_tracks_needs_the_track() -> None:
    track = {"states": {"on": None, "off": None}, "fallback": "off"}
    both = read_policy({"policy": 1, "name": "two", "tracks": {"lamp": track, "fan": track}})
    told = "the truth at 1 s names the state 'on', which the tracks 'lamp', 'fan' have: name the track as well"
    with pytest.raises(SpecError, match=told):
        evaluate_policy(both, {"": seen("..")}, {"": [TrueEpisode(1, 2, "on")]})


def test_costs_of_the_policy() -> None:
    costs = {"bad": {"ok": 50.0, "empty": 20.0}, "empty": {"bad": 3.0}}
    dear = policy(costs=costs)
    # a bad one called ok, one not seen, an alarm for nothing, a question for nothing that is free
    found = evaluated(dear, "..aa...bb..?....", episodes((2, 4, "bad"), (13, 15, "bad")))
    assert found.total_cost == 50 + 20 + 3
    asked = policy(costs=costs | {"empty": {"bad": 3.0, "ask": 0.5}})
    assert evaluated(asked, "..aa...bb..?....", episodes((2, 4, "bad"), (13, 15, "bad"))).total_cost == 73.5


def test_one_image_and_no_labels_in_reach() -> None:
    found = evaluated(policy(), "b", episodes((0, 0.5, "bad")))
    assert how(found) == ["found bad 0.0"]
    assert found.hours == pytest.approx(1 / 3600)
    nothing = evaluated(policy(), "...", episodes((50, 60, "bad")))
    assert nothing.track().counts["n_true"] == 0


def test_decisions_that_are_there_already() -> None:
    one, recording = policy(**VOTES), {"x": seen("..bb.aab..")}
    truth = {"x": episodes((2, 4, "bad"))}
    decided = {"x": decide(one, recording["x"], "x")}
    assert evaluate_decisions(one, recording, decided, truth) == evaluate_policy(one, recording, truth)


def test_policies_are_compared_on_the_same_units() -> None:
    names = [f"s{i}" for i in range(10)]
    recording = {name: seen("..bab..aba..") for name in names}
    truth = {name: episodes((2, 5, "bad"), (7, 10, "ok")) for name in names}
    single, votes = (evaluate_policy(one, recording, truth, rest="empty") for one in (policy(), policy(**VOTES)))
    found = {one.figure: one for one in compare_policies(single, votes)}
    assert found["false_alarms_per_hour"].better == "other"
    assert found["cost"].first > found["cost"].other
    assert found["recall"].better is None
    other_rest = evaluate_policy(policy(**VOTES), recording, truth, rest="ok")
    # its good parts are at rest, and not among the episodes of which it finds a share
    assert "recall" not in {one.figure for one in compare_policies(single, other_rest)}


TEXT = st.text(alphabet=".ab?", min_size=2, max_size=25)
CHOICE = st.sampled_from(["single", "votes", "parts"])


def _of(kind: str) -> Any:
    return {"single": policy(), "votes": policy(**VOTES), "parts": policy(**PARTS)}[kind]


@settings(deadline=None, max_examples=60)
@given(CHOICE, TEXT, st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_the_clock_does_not_matter(kind: str, letters: str, lengths: list[int]) -> None:
    truth, now_s = [], 0.0
    for number, length in enumerate(lengths):
        truth.append(TrueEpisode(now_s, now_s + length, ("bad", "ok")[number % 2]))
        now_s += length + number % 3
    moved = [TrueEpisode(e.start_s + 1024, e.end_s + 1024, e.state) for e in truth]
    first = evaluate_policy(_of(kind), {"": seen(letters)}, {"": truth}, rest="empty", intervals=False)
    later = evaluate_policy(_of(kind), {"": seen(letters, start_s=1024.0)}, {"": moved}, rest="empty", intervals=False)
    assert first.tracks[0].figures == later.tracks[0].figures
    assert first.tracks[0].confusion == later.tracks[0].confusion


@settings(deadline=None, max_examples=60)
@given(CHOICE, TEXT, TEXT)
def test_sequences_do_not_touch_one_another(kind: str, one: str, two: str) -> None:
    truth = {"one": episodes((1, 4, "bad")), "two": episodes((0, 2, "ok"), (3, 6, "bad"))}
    recording = {"one": seen(one), "two": seen(two)}
    both = evaluate_policy(_of(kind), recording, truth, rest="empty", intervals=False).track()
    apart = [
        evaluate_policy(_of(kind), {name: recording[name]}, truth, rest="empty", intervals=False).track()
        for name in truth
    ]
    for name, count in both.counts.items():
        assert count == sum(of.counts[name] for of in apart)
    assert both.total_cost == sum(of.total_cost for of in apart)


def runs_of(values: Any, letters: str) -> list[Run]:
    observations = seen(letters)
    times = {one.id: one.at_s for one in observations}
    return decided_runs(Engine(values, identity(values)).run(observations), times, float(len(letters)))


def test_decided_episodes_of_single_images() -> None:
    found = runs_of(policy(), "..bb.")
    assert [(one.state, one.begin_s, one.end_s, one.evidence_s) for one in found] == [
        ("empty", 0, 2, (0.0,)), ("bad", 2, 4, (2.0,)), ("empty", 4, 5, (4.0,)),
    ]  # fmt: skip


def test_each_part_is_a_decided_episode_though_the_state_stays() -> None:
    together = {**PARTS, "window": {"episode": {"opens": {}, "closes": {"after_s": 1.5}}}}
    found = runs_of(policy(**together), "bbbb")
    assert [(one.state, one.begin_s, one.end_s, one.evidence_s, one.final) for one in found] == [
        ("bad", 1.5, 3, (0.0, 1.0), True), ("bad", 3.0, 4.0, (2.0, 3.0), True),
    ]  # fmt: skip


def test_a_state_that_lasts_no_time_was_never_in_force() -> None:
    silent = policy(
        rules=[{"state": "empty", "if": {"silent_s": 3.0}}, *[{"state": "bad", "if": {"predicted": "defect"}}]]
    )
    observations = [*seen("b"), *seen("b", start_s=3.0)]
    times = {one.id: one.at_s for one in observations}
    found = decided_runs(Engine(silent, identity(silent)).run(observations), times, 4.0)
    assert [(one.state, one.begin_s, one.end_s) for one in found] == [("bad", 0, 4)]
