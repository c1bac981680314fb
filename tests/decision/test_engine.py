"""What holds for every policy: declared states, the same answers every time, whatever arrives with whatever."""

from __future__ import annotations

import gc
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decision.observations import decided, policy, rules, seen

from tellapart.decision import windows
from tellapart.decision.engine import Engine
from tellapart.decision.windows import Recent
from tellapart.errors import SpecError
from tellapart.records.observation import Observation
from tellapart.settings.policy import MOST_IMAGES
from tellapart.settings.policy_file import identity, policy_hash, read_policy

LABELS = st.sampled_from(["defect", "good", "other"])
SHARES = st.floats(0.05, 1).map(lambda x: round(x, 2))
SECONDS = st.sampled_from([0.3, 0.5, 0.7, 1.0, 1.5, 3.0])
BOUND = st.fixed_dictionaries({"at_least": SHARES})


def _with(key: str, *more: Any) -> Any:
    return st.tuples(st.fixed_dictionaries({key: LABELS}), *more).map(
        lambda parts: {k: v for p in parts for k, v in p.items()}
    )


LEAVES = st.one_of(
    _with("confidence", BOUND),
    _with("vote", st.fixed_dictionaries({"at_least": st.integers(1, 4)})),
    _with("vote", st.fixed_dictionaries({"share": SHARES, "abstain": st.sampled_from(["ignore", "count"])})),
    _with("majority", st.fixed_dictionaries({"tie": st.sampled_from(["none", "latest"])})),
    _with("any"),
    _with("every"),
    _with("max", BOUND),
    _with("mean", BOUND, st.fixed_dictionaries({"weights": st.sampled_from(["equal", "confidence", "quality"])})),
    _with("running", BOUND),
    _with("bayes", BOUND),
    st.fixed_dictionaries({"silent_s": SECONDS}),
    st.fixed_dictionaries({"unknown": st.booleans()}),
    _with("predicted"),
    st.fixed_dictionaries({"margin": st.just(True)}).flatmap(lambda d: BOUND.map(lambda b: {**d, **b})),
    st.fixed_dictionaries({"undecided": st.just(True), "share": SHARES}),
    _with("mean", BOUND, st.just({"weights": ["recency", "quality"], "half_life_s": 0.7})),
)  # fmt: skip
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.sampled_from(["all_of", "one_of", "none_of"]).flatmap(
        lambda key: st.fixed_dictionaries({key: st.lists(inner, min_size=1, max_size=3)})
    ),
    max_leaves=4,
)
STATES = st.sampled_from(["ok", "defective", "ask"])
WINDOWS = st.one_of(
    st.fixed_dictionaries({"last": st.integers(1, 5)}),
    st.fixed_dictionaries({"seconds": SECONDS}),
    st.builds(
        lambda opens, gap, decides: {"episode": {"opens": opens, "closes": {"gap_s": gap}, "decides": decides}},
        st.sampled_from([{}, {"predicted": "defect"}]),
        SECONDS,
        st.sampled_from(["at_end", "running"]),
    ),
    st.builds(
        lambda most, decides: {"episode": {"opens": {}, "closes": {"after_images": most}, "decides": decides}},
        st.integers(1, 4),
        st.sampled_from(["at_end", "running"]),
    ),
)
STABLE = st.fixed_dictionaries(
    {},
    optional={
        "enter": st.dictionaries(STATES, st.integers(1, 3)),
        "hold_s": st.dictionaries(STATES, SECONDS),
        "cool_down_s": st.dictionaries(STATES, SECONDS),
    },
)
RULES = st.lists(
    st.fixed_dictionaries({"state": STATES, "if": CONDITIONS}, optional={"until": CONDITIONS}), min_size=1, max_size=3
)
POLICIES = st.builds(
    lambda r, w, s, groups: policy(rules=r, window=w, stable=s, groups=groups),
    RULES,
    WINDOWS,
    STABLE,
    st.sampled_from([{}, {"other": ["defect", "bad"]}]),
)
GAPS = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 1.0, 2.0, 5.0])


@st.composite
def recordings(draw: st.DrawFn) -> list[Observation]:
    # Times of today have few bits left for fractions of a second: sums and differences of them round.
    now, images = draw(st.sampled_from([0.0, 1.7e9, 1.7e9 + 0.1])), []
    for number in range(draw(st.integers(1, 12))):
        now += draw(GAPS)
        images.append(seen(now, draw(st.one_of(st.none(), SHARES))))
        images[-1] = Observation(**{**_fields(images[-1]), "id": f"i{number:02}"})
    return images


def _fields(one: Observation) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Observation.__slots__}


@given(POLICIES, recordings())
@settings(max_examples=150, deadline=None)
def test_only_declared_states_and_the_same_each_time(values: dict[str, Any], images: list[Observation]) -> None:
    first, second = (decided(values, images) for _ in range(2))
    assert first == second
    assert {one.state for one in first} <= {"ok", "defective", "ask"}
    assert all(a.at_s <= b.at_s for a, b in pairwise(first))
    assert len({one.id for one in first}) == len(first)


@given(POLICIES, recordings(), st.randoms(use_true_random=False), st.lists(st.floats(0, 60) | GAPS, max_size=20))
@settings(max_examples=150, deadline=None)
def test_arrival_and_looks_at_the_clock_change_nothing(
    values: dict[str, Any], images: list[Observation], random: Any, looks: list[float]
) -> None:
    plain = decided(values, images)
    looks = [images[0].at_s + look for look in looks]
    found = read_policy(values)
    engine = Engine(found, identity(found))
    looked = []
    for at_s in sorted({one.at_s for one in images}):
        for look in sorted(one for one in looks if one <= at_s):
            looked += engine.until(look)
        instant = [one for one in images if one.at_s == at_s]
        random.shuffle(instant)
        looked += engine.step(instant)
    looked += engine.close()
    assert looked == plain


def test_time_does_not_go_back_and_inputs_are_known() -> None:
    found = read_policy(rules({"predicted": "defect"}))
    engine = Engine(found, "line@1")
    engine.step([seen(5, 0.1)])
    with pytest.raises(
        SpecError, match=r"^images are decided on one instant after the other, got times \[4\] after 5; sort"
    ):
        engine.step([seen(4, 0.1)])
    with pytest.raises(SpecError, match=r"^the policy line@1 has no input 'left', its inputs are 'image'$"):
        engine.step([seen(6, 0.1, input="left")])


def test_tracks_are_decided_independently() -> None:
    one = {"states": {"on": None, "off": None}, "fallback": "off"}
    values = {
        "policy": 1,
        "name": "wear",
        "tracks": {
            "helmet": {**one, "rules": [{"state": "on", "if": {"predicted": "helmet"}}]},
            "vest": {**one, "rules": [{"state": "on", "if": {"confidence": "vest", "at_least": 0.5}}]},
        },
    }
    image = Observation(0, "image", "i", {"helmet": 0.9, "vest": 0.4}, ("helmet",))
    assert [(d.track, d.state) for d in decided(values, [image])] == [("helmet", "on"), ("vest", "off")]


def test_the_hash_is_of_what_decides() -> None:
    plain = read_policy(rules({"predicted": "defect"}))
    told = read_policy(rules({"predicted": "defect"}, description="for people", costs={"ok": {"ask": 2}}))
    other = read_policy(rules({"predicted": "good"}))
    assert policy_hash(plain) == policy_hash(told) != policy_hash(other)
    assert identity(plain) == f"line@{policy_hash(plain)}"


def test_silence_is_never_missed_by_a_rounding() -> None:
    for number in range(200):
        begin = 1.7e9 + number / 7
        found = decided(rules({"silent_s": 0.3}), [seen(begin, 0.1), seen(begin + 2, 0.1)])
        assert [one.state for one in found] == ["ask", "defective", "ask"]


def test_shares_hold_at_their_edge_for_every_number_of_images() -> None:
    for n in range(1, 60):
        for k in range(1, n + 1):
            share = float(f"{k / n:.4f}")
            if share == k / n:
                images = [seen(float(i), 0.9 if i < k else 0.1) for i in range(n)]
                values = rules({"vote": "defect", "share": share}, window={"last": n})
                assert decided(values, images)[-1].state == "defective", (k, n)


@pytest.mark.parametrize("window", [
    {"last": 20}, {"seconds": 10}, {"item": True},
    {"episode": {"opens": {}, "closes": {"predicted": "never"}, "decides": "at_end"}},
])  # fmt: skip
def test_memory_does_not_grow(window: dict[str, Any]) -> None:
    if "episode" in window:
        window["episode"]["closes"]["after_images"] = 500
    values = rules({"max": "defect", "at_least": 2.0}, window=window, stable={"cool_down_s": {"ask": 1}})
    found = read_policy(values)
    engine = Engine(found, "line@1")

    def held(begin: int, end: int) -> int:
        for number in range(begin, end):
            engine.step([seen(number / 2, 0.1)])
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = held(0, 1000)
        assert held(1000, 6000) < first + 60_000
    finally:
        tracemalloc.stop()


def test_an_episode_that_nothing_closes_ends_with_its_most_images() -> None:
    values = rules({"any": "defect"}, window={"episode": {"opens": {}, "closes": {"trigger": "out"}}})
    found = read_policy(values)
    assert found.tracks["state"].window.episode.closes.after_images == MOST_IMAGES == 10_000  # type: ignore[union-attr]
    values["window"]["episode"]["closes"]["after_images"] = 50
    ends = [one.at_s for one in decided(values, [seen(float(i), 0.1) for i in range(120)]) if one.final]
    assert ends == [49, 99, 119]


def test_a_window_of_seconds_keeps_the_newest_images_up_to_a_ceiling() -> None:
    window = Recent(["image"], None, 1e9)
    for number in range(windows.MOST_IMAGES + 5):
        window.add(seen(float(number), 0.1))
    kept = window.at(1e6)["image"]
    assert (len(kept), kept[0].at_s, windows.MOST_IMAGES) == (MOST_IMAGES, 5, MOST_IMAGES)


def test_silence_counts_from_when_the_inputs_were_switched_on() -> None:
    found = read_policy(rules({"silent_s": 3}))
    engine = Engine(found, "line@1", began_s=10)
    assert engine.until(13) == []
    assert [(one.at_s, one.state, one.evidence) for one in engine.until(13.1)] == [(13, "defective", ())]
    assert Engine(found, "line@1").until(1e9) == []


def test_what_one_track_decides_alone_does_not_move_the_end_of_the_episodes_of_another() -> None:
    one = {"states": {"on": None, "off": None}, "fallback": "off"}
    tracks = {
        "silence": {**one, "rules": [{"state": "on", "if": {"silent_s": 2}}]},
        "visit": {**one, "window": {"episode": {"opens": {}, "closes": {"trigger": "out"}}}},
    }
    found = read_policy({"policy": 1, "name": "two", "tracks": tracks})
    ends = []
    for look in (3.0, 50.0):
        engine = Engine(found, "two@1")
        decisions = [*engine.step([seen(1, 0.1)]), *engine.until(look), *engine.until(look + 1), *engine.close()]
        ends.append([(d.at_s, d.track, d.state) for d in decisions])
    assert ends[0] == ends[1] == [(1, "silence", "off"), (3, "silence", "on"), (3, "visit", "off")]


@pytest.mark.parametrize("time", [float("nan"), float("inf"), float("-inf")])
def test_times_are_numbers(time: float) -> None:
    engine = Engine(read_policy(rules({"silent_s": 3})), "line@1")
    engine.step([seen(0, 0.1)])
    with pytest.raises(SpecError, match="images are decided on one instant after the other"):
        engine.step([seen(time, 0.1)])
    with pytest.raises(SpecError, match="images are decided on one instant after the other"):
        engine.step([])
