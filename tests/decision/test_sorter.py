"""Images that arrive out of order are decided as if they had not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decision.observations import policy, seen

from tellapart.decision.engine import Engine
from tellapart.decision.sorter import Sorter
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, read_policy

INPUTS = ("left", "middle", "right")
PATIENCE_S = 1.0
# Time alone decides as well here: silence, images that grow too old, a least duration.
VALUES = policy(
    inputs={name: {} for name in INPUTS},
    rules=[
        {"state": "ask", "name": "silent", "if": {"silent_s": 1.5, "input": "right"}},
        {"state": "defective", "if": {"all_of": [
            {"any": "defect", "input": "left"}, {"majority": "defect", "input": "middle"}]}},
        {"state": "ok", "if": {"vote": "good", "share": 0.5, "input": "right"}},
    ],
    window={"seconds": 2.0},
    stable={"hold_s": {"defective": 0.75}, "enter": {"ok": 2}},
)  # fmt: skip
TIMES = st.one_of(st.integers(0, 40).map(lambda n: n / 4), st.floats(0, 10, allow_subnormal=False))
START_S = 1.7e9


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[float, Observation]]:
    """Images with the time at which each arrives: within the patience, those of one input in their order."""
    found = []
    for name in INPUTS:
        arrived = 0.0
        for at_s in sorted({START_S + t for t in draw(st.lists(TIMES, max_size=8))}):
            image = replace(seen(at_s, draw(st.sampled_from([0.1, 0.9, None])), input=name), id=f"{name}-{at_s!r}")
            late = draw(st.sampled_from([0.0, 0.25, PATIENCE_S]) | st.floats(0, PATIENCE_S))
            arrived = max(arrived, at_s + late)
            found.append((arrived, image))
    return found


def plain(images: list[Observation]) -> list[Decision]:
    """What the sorted recording is decided as."""
    found = read_policy(VALUES)
    return list(Engine(found, identity(found)).run(sorted(images, key=lambda one: one.order)))


def live(arriving: list[tuple[float, Observation]], polls: list[float], chance: Any) -> tuple[list[Decision], Sorter]:
    """The same at some times of looking, with whatever arrived meanwhile as one batch in any order between inputs."""
    found = read_policy(VALUES)
    engine, sorter = Engine(found, identity(found)), Sorter(INPUTS, PATIENCE_S)
    left, decisions = sorted(arriving, key=lambda pair: pair[0]), []
    for now_s in sorted({*polls, START_S + 12.0}):
        batch = [one for when, one in left if when <= now_s]
        left = [pair for pair in left if pair[0] > now_s]
        chance.shuffle(batch)
        sorter.push(batch)
        for instant in sorter.ready(now_s):
            decisions += engine.step(instant)
        decisions += engine.until(sorter.safe_s(now_s))
    for instant in sorter.rest():
        decisions += engine.step(instant)
    return [*decisions, *engine.close()], sorter


@given(arrivals(), st.lists(TIMES.map(lambda t: START_S + t), max_size=30), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_jitter_within_the_patience_changes_nothing(
    arriving: list[tuple[float, Observation]], polls: list[float], chance: Any
) -> None:
    decisions, sorter = live(arriving, polls, chance)
    expected = plain([one for _, one in arriving])
    # Looks at the clock after the last image may add what time alone brings: the recording ends, the stream did not.
    assert decisions[: len(expected)] == expected
    assert all(one.at_s > max((i.at_s for _, i in arriving), default=0.0) for one in decisions[len(expected) :])
    assert sorter.n_late == 0
    assert len(sorter) == 0


@given(arrivals())
@settings(max_examples=50, deadline=None)
def test_one_by_one_at_each_arrival(arriving: list[tuple[float, Observation]]) -> None:
    polls = [when for when, _ in arriving]
    decisions, sorter = live(arriving, polls, NoChance())
    expected = plain([one for _, one in arriving])
    assert decisions[: len(expected)] == expected
    assert sorter.n_late == 0


class NoChance:
    """Leaves the order as it is."""

    def shuffle(self, _: list[Any]) -> None:
        """Nothing."""


def ids(instants: list[list[Observation]]) -> list[list[str]]:
    return [[one.id for one in instant] for instant in instants]


def test_one_input_never_waits() -> None:
    sorter = Sorter(["image"], 5)
    sorter.push([seen(1, 0.1), seen(2, 0.1)])
    assert ids(sorter.ready(2)) == [["image-1"], ["image-2"]]
    assert sorter.safe_s(2) == 2
    # Nothing came since: silence is certain once the patience is over.
    assert sorter.safe_s(20) == pytest.approx(15)


def test_what_every_input_has_reached_is_ready() -> None:
    sorter = Sorter(["left", "right"], 10)
    sorter.push([seen(1, 0.1, input="left"), seen(2, 0.1, input="left")])
    assert sorter.ready(2) == []
    assert sorter.safe_s(2) < 0
    sorter.push([seen(1, 0.9, input="right")])
    assert ids(sorter.ready(2)) == [["left-1", "right-1"]]
    assert sorter.safe_s(2) == 1
    assert len(sorter) == 1
    assert ids(sorter.rest()) == [["left-2"]]


def test_patience_ends_and_who_comes_later_is_dropped_and_counted() -> None:
    sorter = Sorter(["left", "right"], 1)
    sorter.push([seen(1, 0.1, input="left")])
    assert sorter.ready(2.0) == []  # exactly at its end the other one is in time
    assert ids(sorter.ready(math.nextafter(2.0, 3))) == [["left-1"]]
    sorter.push([seen(1, 0.9, input="right"), seen(0.5, 0.9, input="right")])
    assert (sorter.ready(2.5), sorter.n_late) == ([], 2)
    sorter.push([seen(1.6, 0.9, input="right")])
    assert ids(sorter.ready(3)) == [["right-1.6"]]
    sorter.safe_s(9)
    sorter.push([seen(7.9, 0.9, input="right"), seen(8, 0.9, input="right")])
    assert (ids(sorter.rest()), sorter.n_late) == ([["right-8"]], 3)


def test_what_waits_is_what_came_within_the_patience() -> None:
    sorter = Sorter(["left", "right"], 1)
    most = 0
    for number in range(2000):
        sorter.push([seen(number / 10, 0.1, input="left")])
        sorter.ready(number / 10)
        most = max(most, len(sorter))
    assert most <= 12
