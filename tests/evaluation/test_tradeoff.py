"""The picture of score over speed: the front, the axes, and names that never touch."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.tradeoff import _BOLD, _LETTER, Contender, front, tradeoff_chart


def estimate(value: float | None, half: float = 0.05) -> Estimate:
    if value is None:
        return Estimate(None, None, None, 0)
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0), 100)


def test_the_front_is_what_nothing_beats_in_both() -> None:
    assert front([1, 2, 3, 4], [0.5, 0.4, 0.7, 0.7]) == (True, False, True, False)
    assert front([2, 2, 1], [0.9, 0.9, None]) == (True, False, False)
    assert front([2, 2], [0.8, 0.9]) == (False, True)
    assert front([], []) == ()


@given(st.lists(st.tuples(st.floats(0.1, 1e4), st.floats(0, 1)), min_size=1, max_size=12))
def test_whoever_is_not_on_the_front_is_beaten_by_someone_on_it(points: list[tuple[float, float]]) -> None:
    ms, scores = [p[0] for p in points], [p[1] for p in points]
    on_front = front(ms, list(scores))
    for i, mine in enumerate(on_front):
        beaten = any(on_front[j] and j != i and ms[j] <= ms[i] and scores[j] >= scores[i] for j in range(len(points)))
        assert mine != beaten


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    """Where the names stand, at the width that is reckoned with."""
    found = []
    for text in ElementTree.fromstring(svg).iter("text"):
        if text.get("text-anchor") == "middle" or text.get("x") == "44" or text.text is None:
            continue
        width = len(text.text) * (_BOLD if text.get("class") == "name" else _LETTER)
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        left = x - width if text.get("text-anchor") == "end" else x
        found.append((left, y - 10, left + width, y + 2))
    return found


@given(st.lists(st.tuples(st.floats(0.5, 500), st.floats(0.2, 0.95)), min_size=2, max_size=14), st.randoms())
def test_names_never_overlap_and_stay_in_the_picture(points: list[tuple[float, float]], random: object) -> None:
    contenders = [Contender(f"network-{'x' * (i * 3)}", ms, estimate(score)) for i, (ms, score) in enumerate(points)]
    placed = boxes(tradeoff_chart("t", contenders, x="ms", y="F1"))
    for i, a in enumerate(placed):
        assert a[0] >= 50 - 1e-6
        assert a[2] <= 420
        for b in placed[:i]:
            assert not (a[0] < b[2] - 0.2 and b[0] < a[2] - 0.2 and a[1] < b[3] - 0.2 and b[1] < a[3] - 0.2), (a, b)


def test_the_picture_is_whole_and_escaped() -> None:
    contenders = [
        Contender("<b>&", 2.0, estimate(0.5), chosen=True),
        Contender("slow", 200.0, estimate(0.9)),
        Contender("none", 3.0, estimate(None)),
    ]
    svg = tradeoff_chart("F1 <over> ms", contenders, x="ms", y="F1")
    root = ElementTree.fromstring(svg)
    words = [text.text for text in root.iter("text")]
    assert {"<b>&", "slow", "ms", "F1"} <= set(words)
    assert "none" not in words
    assert len([c for c in root.iter("circle") if c.get("class") == "ring"]) == 1
    assert "<b>&: 0.500 in 2 ms" in [title.text for title in root.iter("title")]


def test_points_lie_where_the_axes_say() -> None:
    contenders = [
        Contender("a", 1.0, estimate(0.2, 0)),
        Contender("b", 10.0, estimate(0.8, 0)),
        Contender("c", 100.0, estimate(0.5, 0)),
    ]
    svg = tradeoff_chart("t", contenders, x="ms", y="F1")
    x, y = np.array([[float(v) for v in pair] for pair in re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="5"', svg)]).T
    assert abs((x[1] - x[0]) - (x[2] - x[1])) < 0.2  # powers of ten lie equally far apart
    assert abs((y[0] - y[1]) - 2 * (y[0] - y[2])) < 0.3
    ticks = dict(re.findall(r'<text x="([\d.]+)" y="290" text-anchor="middle">([\d.]+)<', svg))
    assert {float(ms): float(at) for at, ms in ticks.items()}[10.0] == x[1]


def test_one_contender_and_none() -> None:
    assert tradeoff_chart("t", [Contender("a", 1.0, estimate(None))], x="", y="") == ""
    ElementTree.fromstring(tradeoff_chart("t", [Contender("a", 1.0, estimate(1.0, 0))], x="", y=""))


def test_long_names_keep_their_size() -> None:
    contenders = [Contender("mobilenetv3_small_100.lamb_in1k 128 px", 1.0, estimate(0.5))]
    words = [text.text for text in ElementTree.fromstring(tradeoff_chart("t", contenders, x="", y="")).iter("text")]
    assert "mobilenetv3_sm…1k 128 px" in words
