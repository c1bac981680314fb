"""Windows, episodes, silence and what keeps states from flickering, to the edge of each second."""

from __future__ import annotations

from typing import Any

import pytest
from tests.decision.observations import decided, policy, rules, seen, states

from tellapart.records.observation import Observation

DEFECT = {"any": "defect"}


def told(values: dict[str, Any], images: list[Observation]) -> list[tuple[float, str]]:
    return [(one.at_s, one.state) for one in decided(values, images) if one.changed]


def test_a_window_of_seconds_forgets_at_its_edge() -> None:
    images = [seen(0, 0.9), seen(1.9, 0.1), seen(2.1, 0.1)]
    # The defect of 0 s is 2 s old at 2 s: that is decided for this instant, between two images.
    assert told(rules(DEFECT, window={"seconds": 2}), images) == [(0, "defective"), (2, "ask")]


def test_silence_is_noticed_when_it_begins() -> None:
    images = [seen(0, 0.1), seen(3, 0.1), seen(10, 0.1)]
    found = told(rules({"silent_s": 5}), images)
    assert found == [(0, "ask"), (8, "defective"), (10, "ask")]


@pytest.mark.parametrize(("stable", "found", "expected"), [
    ({}, "odod", [(0, "ok"), (1, "defective"), (2, "ok"), (3, "defective")]),
    ({"enter": {"defective": 2}}, "ododdo", [(0, "ok"), (4, "defective"), (5, "ok")]),
    ({"enter": {"defective": 3}}, "odddo", [(0, "ok"), (3, "defective"), (4, "ok")]),
    # the first state is entered at once
    ({"enter": {"defective": 3}}, "do", [(0, "defective"), (1, "ok")]),
    # held for 2.5 s from 1 s on: ok comes into force at 3.5 s, between two images
    ({"hold_s": {"defective": 2.5}}, "odooo", [(0, "ok"), (1, "defective"), (3.5, "ok")]),
    ({"hold_s": {"defective": 2}}, "odooo", [(0, "ok"), (1, "defective"), (3, "ok")]),
    # left at 1 s, not entered again before 4 s
    ({"cool_down_s": {"defective": 3}}, "doddddd", [(0, "defective"), (1, "ok"), (4, "defective")]),
    ({"cool_down_s": {"defective": 2.5}}, "dodddoo", [(0, "defective"), (1, "ok"), (3.5, "defective"), (5, "ok")]),
    # two in a row and then the hold: times in a row are images, not looks at the clock
    ({"enter": {"ok": 2}, "hold_s": {"defective": 0.5}}, "dodoo", [(0, "defective"), (4, "ok")]),
])  # fmt: skip
def test_stability(stable: dict[str, Any], found: str, expected: list[tuple[float, str]]) -> None:
    values = policy(rules=[
        {"state": "defective", "if": {"predicted": "defect"}}, {"state": "ok", "if": {"predicted": "good"}},
    ], stable=stable)  # fmt: skip
    assert told(values, [seen(float(i), 0.9 if one == "d" else 0.1) for i, one in enumerate(found)]) == expected


def test_hysteresis() -> None:
    values = policy(
        rules=[
            {
                "state": "defective",
                "if": {"confidence": "defect", "at_least": 0.8},
                "until": {"confidence": "defect", "below": 0.4},
            },
            {"state": "ok", "if": {"confidence": "good", "at_least": 0.5}},
        ]
    )
    images = [seen(float(i), p) for i, p in enumerate([0.7, 0.8, 0.5, 0.41, 0.4, 0.39, 0.7])]
    # 0.7 is nothing before 0.8 was seen; then everything down to 0.4 is still defective
    assert states(values, images) == "addddoa"


GAP = {"opens": {"predicted": "defect"}, "closes": {"gap_s": 2}}


class TestEpisodes:
    def test_a_gap_ends_it_when_the_gap_is_over(self) -> None:
        values = rules({"vote": "defect", "at_least": 2}, window={"episode": GAP}, outside="ok")
        images = [seen(0, 0.1), seen(1, 0.9), seen(2, 0.9), seen(9, 0.9), seen(10, 0.1), seen(11.5, 0.1)]
        found = [(one.at_s, one.state, one.episode, one.final) for one in decided(values, images)]
        assert found == [
            (0, "ok", None, False),
            (4, "defective", 1, True),
            (11, "ask", 2, True),
            (11.5, "ok", None, False),
        ]

    def test_the_end_of_the_stream_ends_it(self) -> None:
        values = rules(DEFECT, window={"episode": GAP})
        assert [(one.at_s, one.state, one.final) for one in decided(values, [seen(1, 0.9)])] == [(1, "defective", True)]

    def test_an_answer_closes_it_and_is_not_part_of_it(self) -> None:
        episode = {"opens": {}, "closes": {"predicted": "good"}}
        values = rules({"every": "defect"}, window={"episode": episode}, outside="ok")
        images = [seen(float(i), p) for i, p in enumerate([0.1, 0.9, 0.9, 0.1, 0.1])]
        found = [(one.at_s, one.state, one.final, one.evidence) for one in decided(values, images)]
        assert found == [
            (0, "ok", False, ()),
            (3, "defective", True, ("image-1", "image-2")),
            (4, "ok", False, ()),
        ]

    def test_triggers_open_and_close_it(self) -> None:
        episode = {"opens": {"trigger": "in"}, "closes": {"trigger": "out"}, "decides": "running"}
        values = rules(DEFECT, window={"episode": episode}, outside="ok")
        images = [
            seen(0, 0.9),
            seen(1, 0.1, trigger="in"),
            seen(2, 0.9),
            seen(3, 0.1, trigger="out"),
            seen(4, 0.9),
        ]
        found = [(one.at_s, one.state, one.episode, one.final) for one in decided(values, images)]
        assert found == [
            (0, "ok", None, False),
            (1, "ask", 1, False),
            (2, "defective", 1, False),
            (3, "defective", 1, True),
            (4, "ok", None, False),
        ]

    def test_the_longest_time_ends_it(self) -> None:
        episode = {"opens": {}, "closes": {"after_s": 2.5}}
        values = rules({"vote": "defect", "at_least": 1}, window={"episode": episode})
        images = [seen(float(i), 0.9) for i in range(5)]
        found = [(one.at_s, one.episode) for one in decided(values, images) if one.final]
        assert found == [(2.5, 1), (4, 2)]


def test_an_item_is_the_images_of_one_call() -> None:
    values = rules({"any": "defect"}, window={"item": True})
    first = [seen(0, 0.1, view="front"), seen(0, 0.9, view="back")]
    assert states(values, [*first, seen(1, 0.1)]) == "da"
