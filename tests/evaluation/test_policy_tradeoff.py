"""The picture of what was tried: the front, the marks, and nothing outside the frame."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tellapart.evaluation.policy_tradeoff import Point, delay_chart, missed_chart, pareto

FIGURES = st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 2.0])] * 3), max_size=12)


@given(FIGURES)
def test_the_front_is_what_nothing_beats(figures: list[tuple[float, ...]]) -> None:
    def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    on_front = pareto(figures)
    assert {one for one, best in zip(figures, on_front, strict=True) if best} == {
        one for one in figures if not any(beats(other, one) for other in figures)
    }
    assert sum(on_front) == len({one for one, best in zip(figures, on_front, strict=True) if best})


POINTS = [
    Point(0.0, 0.9, None, "silent & <quiet>", True),
    Point(250.0, 0.0, 0.0, "given", False, "given"),
    Point(2.0, 0.1, 6.0, "tuned", True, "tuned"),
    Point(4.0, 0.2, 8.0, "beaten"),
]


def test_points_are_drawn_with_their_marks() -> None:
    drawn = missed_chart(POINTS)
    assert drawn.count("<circle") == 4  # three dots and the ring; what was given is a square
    assert drawn.count("<rect") == 1
    assert drawn.count('class="ring"') == 1
    assert "silent &amp; &lt;quiet&gt;" in drawn
    assert ">given</text>" in drawn
    assert ">tuned</text>" in drawn


def test_what_found_nothing_has_no_delay() -> None:
    assert "silent" not in delay_chart(POINTS)
    assert delay_chart(POINTS[:1]) == ""


def test_everything_lies_within_the_picture() -> None:
    for drawn in (missed_chart(POINTS), delay_chart(POINTS)):
        across = [float(one) for one in re.findall(r' c?x[12]?="([-0-9.]+)"', drawn)]
        down = [float(one) for one in re.findall(r' c?y[12]?="([-0-9.]+)"', drawn)]
        assert min(across) >= 0
        assert max(across) <= 420
        assert min(down) >= 0
        assert max(down) <= 320


def test_a_single_policy_without_alarms_is_drawn() -> None:
    assert "<circle" in missed_chart([Point(0.0, 0.0, 1.0, "x", True, "tuned")])


def test_names_of_points_that_are_close_stand_in_their_order() -> None:
    close = [
        Point(9.0, 0.50, 1.0, "", True, "given"),
        Point(9.0, 0.52, 1.0, "", True, "tuned"),
        Point(9.0, 1.0, 1.0, ""),
    ]
    places = dict(re.findall(r'class="name" x="[^"]+" y="([^"]+)"[^>]*>(\w+)<', missed_chart(close)))
    by_name = {name: float(y) for y, name in places.items()}
    assert by_name["given"] - by_name["tuned"] >= 14  # the higher one is drawn further up
