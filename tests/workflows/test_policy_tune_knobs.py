"""Which numbers of a policy a tuning turns, and what it tries for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tellapart.records.observation import Observation
from tellapart.workflows.policy_tune_knobs import Knob, knobs_of, told, tracks_of, with_values
from tellapart.workflows.policy_tune_values import Seen, counts, figures, rounded, shares, times


def _images(n: int = 200, **facts: Any) -> list[Observation]:
    p = np.random.default_rng(3).beta(0.5, 1.5, n).tolist()
    return [
        Observation(0.5 * i, "image", f"i{i}", {"defect": one, "good": 1 - one}, ("good",), **facts)
        for i, one in enumerate(p)
    ]


def _policy(*conditions: dict[str, Any], **track: Any) -> dict[str, Any]:
    rules = [{"state": "bad", "if": one} for one in conditions]
    return {"policy": 1, "name": "p", "states": {"ok": None, "bad": None}, "fallback": "ok", "rules": rules, **track}


def _knobs(values: dict[str, Any], track: str = "state") -> dict[str, Knob]:
    return {knob.name: knob for knob in knobs_of(values, track, [_images(ood_score=0.5), _images(ood_score=1.5)])}


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ({"confidence": "defect", "at_least": 0.5, "below": 0.9}, ["at_least", "below"]),
        ({"margin": True, "below": 0.2}, ["below"]),
        ({"ood": True, "at_least": 1}, ["at_least"]),
        ({"vote": "defect", "confidence": 0.6, "at_least": 3, "of": 4}, ["at_least", "confidence", "of"]),
        ({"vote": "defect", "share": 0.6}, ["share"]),
        ({"any": "defect", "confidence": 0.6}, ["confidence"]),
        ({"every": "defect", "confidence": 0.6}, ["confidence"]),
        ({"undecided": True, "at_least": 3}, ["at_least"]),
        ({"undecided": True, "share": 0.5, "of": 3}, ["of", "share"]),
        ({"majority": "defect", "of": 3}, ["of"]),
        ({"max": "defect", "at_least": 0.8}, ["at_least"]),
        ({"mean": "defect", "below": 0.3, "weights": "recency", "half_life_s": 2}, ["below", "half_life_s"]),
        ({"running": "defect", "at_least": 0.5, "alpha": 0.4}, ["alpha", "at_least"]),
        (
            {"bayes": "defect", "at_least": 0.9, "prior": 0.1, "trained_at": 0.5, "independence": 0.3},
            ["at_least", "independence"],
        ),
        ({"predicted": "defect"}, []),
        ({"unknown": True}, []),
        ({"trigger": "go"}, []),
        ({"silent_s": 30}, []),
    ],
)
def test_the_numbers_of_each_kind_of_condition(condition: dict[str, Any], names: list[str]) -> None:
    found = _knobs(_policy(condition, window={"item": True}))
    assert sorted(found) == [f"rules[0].if.{name}" for name in names]
    for name in names:
        knob = found[f"rules[0].if.{name}"]
        assert knob.given == condition[name]
        assert knob.given in knob.choices
        assert list(knob.choices) == sorted(set(knob.choices))


def test_window_stability_and_conditions_within_others() -> None:
    inner = {"all_of": [{"predicted": "defect"}, {"one_of": [{"confidence": "defect", "at_least": 0.4}]}]}
    values = _policy(inner, window={"last": 5}, stable={"enter": {"bad": 2}, "hold_s": {"bad": 10}})
    values["rules"][0]["until"] = {"mean": "defect", "below": 0.3}
    assert list(_knobs(values)) == [
        "window.last",
        "rules[0].if.all_of[1].one_of[0].at_least",
        "rules[0].until.below",
        "stable.enter.bad",
        "stable.hold_s.bad",
    ]


def test_a_window_in_seconds_and_episodes() -> None:
    assert _knobs(_policy(window={"seconds": 4}))["window.seconds"].choices[0] == 1
    episode = {"opens": {"trigger": "in"}, "closes": {"gap_s": 3}}
    assert not _knobs(_policy({"predicted": "defect"}, window={"episode": episode}))


def test_tracks_have_knobs_of_their_own() -> None:
    one = _policy({"confidence": "defect", "at_least": 0.5})
    track = {name: one[name] for name in ("states", "fallback", "rules")}
    values = {"policy": 1, "name": "p", "tracks": {"a": track, "b": track}}
    assert list(tracks_of(values)) == ["a", "b"]
    assert list(_knobs(values, "b")) == ["tracks.b.rules[0].if.at_least"]


def test_labels_that_look_like_numbers_are_no_knobs() -> None:
    assert list(_knobs(_policy({"confidence": "7", "at_least": 0.0}))) == []  # nothing was seen between 0 and 0


def test_values_change_in_a_copy() -> None:
    values = _policy({"confidence": "defect", "at_least": 0.5})
    changed = with_values(values, {("rules", "0", "if", "at_least"): 0.7})
    assert changed["rules"][0]["if"]["at_least"] == 0.7
    assert values["rules"][0]["if"]["at_least"] == 0.5


def test_thresholds_are_what_the_images_show() -> None:
    observed = np.array([0.31, 0.35, 0.4, 0.42, 0.88])
    found = figures(observed)
    assert min(found) > 0.31
    assert max(found) <= 0.88
    assert figures(np.array([])) == []


def test_a_group_of_labels_has_the_sum_of_their_confidences() -> None:
    images = [Observation(0.0, "image", "i", {"a": 0.3, "b": 0.4, "c": 0.3}, ("b",))]
    seen = Seen([images], ("image",), {"bad": ("a", "b")})
    assert seen.confidences(None, "bad").tolist() == [0.7]
    assert seen.confidences(None, "a").tolist() == [0.3]


def test_times_are_no_shorter_than_the_time_between_images() -> None:
    assert min(times(2, 0.9)) == 1.2
    assert times(0.1, 0.9) == [0.1]


def test_counts_and_shares() -> None:
    assert counts(7, 10) == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert counts(7, 3) == [1, 2, 3, 4, 5, 6, 7]
    assert shares()[0] == 0.1
    assert shares()[-1] == 1.0


def test_rounding_keeps_what_tells_a_figure_from_0_and_1() -> None:
    assert [rounded(one) for one in (0.7342, 0.00413, 0.99617, 0.0, 1.0, 12.34)] == [0.73, 0.0041, 0.9962, 0.0, 1.0, 12]


def test_the_time_between_images_is_that_of_one_input() -> None:
    both = [Observation(i // 2 * 1.0, "ab"[i % 2], f"{i}", {}, ()) for i in range(20)]
    assert Seen([both, both], ("a", "b"), {}).interval_s() == 1.0


def test_paths_are_told_as_messages_write_them() -> None:
    assert told(("rules", "0", "if", "all_of", "1", "at_least")) == "rules[0].if.all_of[1].at_least"
