"""Policies with other numbers: nothing else in the file changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.settings.policy_text import MARK, number_places, with_head, with_numbers, written
from tellapart.settings.recipe_yaml import parse

TEXT = """# Presses of hall 3; Änderungen nur mit QS
policy: 1
name: press-3        # do not rename
states: {ok: "runs", jam: "stands 1.5 m off"}
fallback: ok
window: {seconds: 2.50}
rules:
  - state: jam   # 3 of 5 was too slow
    if:
      vote: jam
      confidence: .70
      at_least: 3
    until: {mean: jam, below: 4e-1}
stable:
  enter: {jam: 2}
  hold_s:
    jam: 5
"""
KNOBS = (
    ("window", "seconds"),
    ("rules", "0", "if", "confidence"),
    ("rules", "0", "if", "at_least"),
    ("rules", "0", "until", "below"),
    ("stable", "enter", "jam"),
    ("stable", "hold_s", "jam"),
)
NUMBERS = st.one_of(st.integers(0, 10**6), st.floats(0, 1e6, allow_nan=False))


def _value(text: str, path: tuple[str, ...]) -> object:
    found: object = parse(text).values
    for step in path:
        found = found[int(step)] if isinstance(found, list) else found[step]  # type: ignore[index]
    return found


@given(st.dictionaries(st.sampled_from(KNOBS), NUMBERS), st.sampled_from(["\n", "\r\n"]))
def test_only_the_numbers_at_their_paths_change(numbers: dict[tuple[str, ...], float], newline: str) -> None:
    text = TEXT.replace("\n", newline)
    changed = with_numbers(text, numbers)
    for path in KNOBS:
        assert _value(changed, path) == numbers.get(path, _value(text, path))
    assert _without_knobs(changed) == _without_knobs(text)


def _without_knobs(text: str) -> str:
    places = number_places(text)
    for path in sorted(KNOBS, key=lambda one: places[one], reverse=True):
        begin, end = places[path]
        text = text[:begin] + text[end:]
    return text


def test_a_number_is_replaced_where_it_stands() -> None:
    changed = with_numbers(TEXT, {("rules", "0", "if", "at_least"): 4})
    assert changed == TEXT.replace("at_least: 3\n", "at_least: 4\n")


@given(NUMBERS)
def test_a_written_number_is_read_back_exactly(number: float) -> None:
    read = parse(f"x: {written(number)}").values["x"]
    assert read == number


def test_a_path_that_nobody_wrote_is_an_error() -> None:
    with pytest.raises(KeyError):
        with_numbers(TEXT, {("rules", "7"): 1})


def test_the_head_of_an_earlier_tuning_makes_way_and_comments_stay() -> None:
    once = with_head(TEXT, ["on a.jsonl", "cost 3"])
    assert once == f"{MARK}on a.jsonl\n{MARK}cost 3\n{TEXT}"
    assert with_head(once, ["on b.jsonl"]) == f"{MARK}on b.jsonl\n{TEXT}"


def test_the_head_is_a_comment_whatever_it_says() -> None:
    headed = with_head(TEXT, ["a file\nrules: []\x00 \N{LINE SEPARATOR}x"])
    assert parse(headed).values == parse(TEXT).values
    assert not parse(headed).faults


def test_the_head_ends_its_lines_as_the_file_does() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert with_head(text, ["x"]).startswith(f"{MARK}x\r\n# Presses")
    assert with_head(with_head(text, ["x"]), ["y"]) == f"{MARK}y\r\n{text}"
