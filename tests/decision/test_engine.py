"""What holds for every policy: declared states, the same answers every time, whatever arrives with whatever."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decision.observations import decided, policy, rules, seen

from tellapart.decision.engine import Engine
from tellapart.errors import SpecError
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity, policy_hash, read_policy

LABELS = st.sampled_from(["defect", "good", "other"])
SHARES = st.floats(0.05, 1).map(lambda x: round(x, 2))
SECONDS = st.sampled_from([0.5, 1.0, 1.5, 3.0])
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
POLICIES = st.builds(lambda r, w, s: policy(rules=r, window=w, stable=s), RULES, WINDOWS, STABLE)
GAPS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 5.0])


@st.composite
def recordings(draw: st.DrawFn) -> list[Observation]:
    now, images = 0.0, []
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
    assert len({one.id for one in first if one.changed}) == sum(one.changed for one in first)


@given(POLICIES, recordings(), st.randoms(use_true_random=False), st.lists(st.floats(0, 60), max_size=20))
@settings(max_examples=150, deadline=None)
def test_arrival_and_looks_at_the_clock_change_nothing(
    values: dict[str, Any], images: list[Observation], random: Any, looks: list[float]
) -> None:
    plain = decided(values, images)
    found = read_policy(values)
    engine = Engine(found, identity(found))
    looked = []
    for at_s in sorted({one.at_s for one in images}):
        for look in sorted(one for one in looks if one < at_s):
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
