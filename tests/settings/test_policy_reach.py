"""What a policy can never come to, told for certain; and nothing told of what may come about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from tests.decision.observations import decided, policy
from tests.decision.test_engine import POLICIES, recordings

from tellapart.records.observation import Observation
from tellapart.settings.policy_file import read_policy
from tellapart.settings.policy_reach import unreachable


def told(*conditions: dict[str, Any], **track: Any) -> list[str]:
    """What is told of a policy whose rules give defective, ok, defective, ..."""
    states = ["defective", "ok"] * len(conditions)
    rules = [{"state": state, **({"if": one} if "if" not in one else one)} for state, one in zip(states, conditions)]  # noqa: B905
    return list(unreachable(read_policy(policy(**{"window": {"last": 5}, "rules": rules, **track}))))


GOOD = {"predicted": "good"}
NO_OK = "the state 'ok' can never come about: no rule that can hold gives it"


@pytest.mark.parametrize(("earlier", "later"), [
    (GOOD, GOOD),
    ({"confidence": "good", "at_least": 0.5}, {"confidence": "good", "at_least": 0.5}),
    ({"confidence": "good", "at_least": 0.5}, {"confidence": "good", "at_least": 0.8}),
    ({"mean": "good", "below": 0.5}, {"mean": "good", "below": 0.4}),
    ({"mean": "good", "at_least": 0.2, "below": 0.5}, {"mean": "good", "at_least": 0.3, "below": 0.5}),
    ({"vote": "good", "at_least": 2}, {"vote": "good", "at_least": 3}),
    ({"vote": "good", "share": 0.5}, {"vote": "good", "share": 0.6, "of": 2}),
    ({"vote": "good", "confidence": 0.5, "at_least": 2}, {"vote": "good", "confidence": 0.6, "at_least": 2}),
    ({"silent_s": 2}, {"silent_s": 3}),
    ({"any": "good"}, GOOD),
    ({"any": "good"}, {"every": "good"}),
    ({"any": "good", "confidence": 0.5}, {"confidence": "good", "at_least": 0.5}),
    ({"max": "good", "at_least": 0.5}, {"confidence": "good", "at_least": 0.5}),
    ({"unknown": False}, GOOD),
    ({"one_of": [GOOD, {"unknown": True}]}, {"unknown": True}),
    (GOOD, {"all_of": [{"unknown": False}, GOOD]}),
    ({"all_of": [{"unknown": False}, GOOD]}, {"all_of": [GOOD, {"margin": True, "at_least": 0.1}, {"unknown": False}]}),
    ({"none_of": [GOOD]}, {"none_of": [{"unknown": True}, GOOD]}),
    ({"one_of": [{"silent_s": 2}, GOOD]}, {"one_of": [{"silent_s": 3}, GOOD]}),
])  # fmt: skip
def test_an_earlier_rule_goes_before(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    assert told(earlier, later) == [
        "rule 2 (ok) can never hold: rule 1 (defective) holds whenever it does, and goes before it",
        NO_OK,
    ]


@pytest.mark.parametrize(("earlier", "later"), [
    ({"confidence": "good", "at_least": 0.8}, {"confidence": "good", "at_least": 0.5}),
    ({"confidence": "bad", "at_least": 0.5}, {"confidence": "good", "at_least": 0.8}),
    ({"mean": "good", "at_least": 0.5}, {"mean": "good", "weights": "quality", "at_least": 0.6}),
    ({"vote": "good", "at_least": 2, "of": 4}, {"vote": "good", "at_least": 3}),
    ({"vote": "good", "at_least": 2}, {"vote": "good", "share": 0.9}),
    ({"vote": "good", "confidence": 0.9, "at_least": 2}, {"vote": "good", "at_least": 2}),
    ({"any": "good", "of": 2}, GOOD),
    ({"all_of": [GOOD, {"silent_s": 3}]}, GOOD),
    (GOOD, {"one_of": [GOOD, {"silent_s": 3}]}),
    ({"every": "good"}, GOOD),
    ({"silent_s": 3}, {"silent_s": 2}),
])  # fmt: skip
def test_what_may_come_about_is_not_told(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    assert told(earlier, later) == []


@pytest.mark.parametrize(("condition", "why"), [
    ({"confidence": "good", "at_least": 1.5}, "confidence lies between 0 and 1"),
    ({"mean": "good", "below": 0}, "mean lies between 0 and 1"),
    ({"ood": True, "below": -1}, "an OOD score is not below 0"),
    ({"vote": "good", "at_least": 6}, "6 images are asked for, and the window has the last 5"),
    ({"every": "good", "of": 6}, "6 images are asked for, and the window has the last 5"),
    ({"all_of": [GOOD, {"unknown": True}]}, "two of its parts cannot hold together"),
    ({"all_of": [{"unknown": False}, {"unknown": True}]}, "two of its parts cannot hold together"),
    ({"all_of": [{"confidence": "good", "at_least": 0.5}, {"confidence": "good", "below": 0.5}]},
     "two of its parts cannot hold together"),
    ({"all_of": [GOOD, {"none_of": [GOOD]}]}, "two of its parts cannot hold together"),
    ({"one_of": [{"max": "good", "at_least": 2}, {"vote": "good", "at_least": 9}]}, "max lies between 0 and 1"),
    ({"none_of": [{"one_of": [GOOD, {"none_of": [GOOD]}]}]}, "one of its parts always holds"),
])  # fmt: skip
def test_conditions_that_cannot_hold(condition: dict[str, Any], why: str) -> None:
    assert told({"silent_s": 1}, condition) == [f"rule 2 (ok) can never hold: {why}", NO_OK]


def test_a_rule_that_always_holds_goes_before_all_others() -> None:
    always = {"one_of": [GOOD, {"none_of": [GOOD]}]}
    assert told(always, {"silent_s": 3}) == ["rule 2 (ok) can never hold: rule 1 (defective) always holds", NO_OK]


def test_until() -> None:
    low, high = {"confidence": "good", "below": 0.4}, {"confidence": "good", "at_least": 0.6}
    assert told({"if": high, "until": low}, {"silent_s": 1}) == []
    assert told({"if": high, "until": {"confidence": "good", "at_least": 0.7}}, {"silent_s": 1}) == [
        "rule 1 (defective) never ends: its if holds whenever its until does"
    ]
    # It lasts while images are unknown: an until that holds with the if takes nothing from that.
    assert told({"if": high, "until": {"unknown": False}}, {"silent_s": 1}) == []
    assert told({"if": high, "until": {"vote": "good", "at_least": 7}}, {"silent_s": 1}) == [
        "rule 1 (defective) never ends: its until cannot hold, 7 images are asked for, and the window has the last 5"
    ]
    assert told({"if": high, "until": low}, GOOD, window={"item": True}) == [
        "rule 1 (defective) has an until that never matters: what it decides on is decided once"
    ]


def test_states_that_nothing_gives() -> None:
    assert told(GOOD) == [NO_OK]
    assert told(GOOD, fallback="ok") == ["the state 'ask' can never come about: no rule that can hold gives it"]
    assert told(GOOD, {"silent_s": 3}, stable={"enter": {"ok": 2}}) == [
        "the state 'ok' must be found with 2 images in a row, and is found only while none come"
    ]
    parts = {"episode": {"opens": {}, "closes": {"gap_s": 5}}}
    assert told(GOOD, {"silent_s": 3}, stable={"enter": {"ok": 2}}, window=parts) == []
    assert told({"silent_s": 3}, GOOD, window={"item": True})[0] == (
        "rule 1 (defective) can never hold: all images of an item come at once"
    )


@given(POLICIES, recordings())
@settings(max_examples=200, deadline=None)
def test_what_is_told_is_true(values: dict[str, Any], images: list[Observation]) -> None:
    found = list(unreachable(read_policy(values)))
    never = {one.split(" can never hold")[0] for one in found if one.startswith("rule") and "can never hold" in one}
    states = {one.split("'")[1] for one in found if one.startswith("the state") and "can never come about" in one}
    decisions = decided(values, images)
    assert not never & {one.rule for one in decisions}
    assert not states & {one.state for one in decisions}
