"""Bars of decisions, cell by cell."""

from __future__ import annotations

import pytest

from tellapart.cli.policy_timeline import bar, clock, letters


def test_each_state_has_a_letter_of_its_own() -> None:
    assert letters(["ok", "off", "open", "O"], "off") == {"off": "·", "ok": "o", "open": "p", "O": "O"}
    assert letters(["---", "ja"], "ja") == {"ja": "·", "---": "A"}
    many = letters([f"state {i}" for i in range(20)], "state 0")
    assert len(set(many.values())) == 20


@pytest.mark.parametrize(("spans", "expected"), [
    ([(0.0, 4.0, "a"), (4.0, 8.0, "b")], "aabb"),
    ([(0.0, 3.0, "a"), (3.0, 8.0, "b")], "aabb"),  # a and b in the second cell: a is rarer
    ([(0.0, 8.0, "r")], "rrrr"),
    ([(0.0, 3.9, "r"), (3.9, 4.0, "a"), (4.0, 8.0, "r")], "rarr"),  # however short, it is seen
    ([(0.0, 7.0, "a"), (7.0, 8.0, "r")], "aaaa"),  # what is at rest hides nothing
    ([(2.0, 4.0, "a")], " a  "),
    ([(-5.0, 1.0, "a"), (7.0, 99.0, "b")], "a  b"),
    ([], "    "),
])  # fmt: skip
def test_cells(spans: list[tuple[float, float, str]], expected: str) -> None:
    assert "".join(cell or " " for cell in bar(spans, "r", 0.0, 8.0, 4)) == expected


def test_times_of_a_recording_and_of_a_clock() -> None:
    assert clock(12.3456) == "12.35 s"
    assert clock(1795336895.25) == "2026-11-22 08:41:35.25Z"
