"""The search for good numbers: deterministic, within its budget, never worse than what was given."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.workflows.policy_tune_knobs import Knob
from tellapart.workflows.policy_tune_search import Choice, Key, Search, numbers_of

KNOBS = (
    Knob(("a",), 3, tuple(range(12))),
    Knob(("b",), 0.5, (0.1, 0.3, 0.5, 0.7, 0.9)),
    Knob(("c",), 1, tuple(range(1, 30))),
)


def _bowl(choice: Choice) -> Key:
    return (abs(choice[0] - 9) + 3 * abs(choice[1] - 0.3) + abs(choice[2] - 17) / 4,)


def test_it_finds_the_bottom_of_a_bowl() -> None:
    search = Search(KNOBS, _bowl, budget=120)
    assert search.run() == (9, 0.3, 17)
    assert len(search.tried) <= 120


def test_it_gets_out_of_a_hollow_by_other_starts() -> None:
    def two_hollows(choice: Choice) -> Key:
        near = abs(choice[0] - 3) + abs(choice[2] - 1) / 3
        far = abs(choice[0] - 9) + abs(choice[2] - 17) / 3 - 2
        return (min(near, far),)

    assert two_hollows((3, 0.5, 1)) == (0,)
    assert two_hollows(Search(KNOBS, two_hollows, budget=300).run()) == (-2,)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 80))
def test_never_worse_than_given_the_same_twice_and_within_the_budget(seed: int, budget: int) -> None:
    def rough(choice: Choice) -> Key | None:
        value = math.sin(seed + 7 * choice[0] + 31 * choice[1] + 3 * choice[2])
        return None if 0.3 < value < 0.5 else (round(value, 1), value)

    first, second = (Search(KNOBS, rough, budget=budget, seed=seed) for _ in range(2))
    found = first.run()
    assert found == second.run()
    assert list(first.tried) == list(second.tried)
    assert len(first.tried) <= budget
    start = first.tried[(3, 0.5, 1)]
    if start is not None:
        assert (first.tried[found] or (9.0,)) <= start


def test_what_changes_nothing_stays_as_given() -> None:
    assert Search(KNOBS, lambda _: (1.0,), budget=100).run() == (3, 0.5, 1)


def test_of_equally_good_values_the_middle_one_is_taken() -> None:
    knobs = (Knob(("a",), 0, tuple(range(30))),)
    found = Search(knobs, lambda choice: (float(not 10 <= choice[0] <= 20),), budget=100).run()
    assert found == (15,)


def test_values_that_contradict_one_another_are_passed_over() -> None:
    found = Search(KNOBS, lambda c: None if c[0] > 5 else (-float(c[0]),), budget=200).run()
    assert found[0] == 5


def test_nothing_to_turn() -> None:
    assert Search((), lambda _: (0.0,), budget=10).run() == ()


def test_a_choice_tells_only_what_it_turns() -> None:
    assert numbers_of(KNOBS, (3, 0.7, 1)) == {("b",): 0.7}
