"""What is said of files that could not be used."""

from __future__ import annotations

import pytest
from tests.contracts.hygiene.refused import planted, with_refusals

from tellapart.data.hygiene.protocol import Severity
from tellapart.data.hygiene.refused import find
from tellapart.errors import Reason
from tellapart.records import Refusal


def test_each_kind_is_one_sentence() -> None:
    truncated, other = find(planted())
    assert truncated.sentence == "3 files were refused as truncated (cut off before its end), such as 'bad/0.png'"
    assert truncated.remedy == "copy them again from the source"
    assert other.sentence == "1 file was refused as not_an_image (the bytes are something else): 'good/notes.png'"
    assert other.remedy == "remove them, or convert them to an image"


def test_a_tenth_missing_is_an_error() -> None:
    damaged = [Refusal(f"{i}.png", "corrupt", "damaged") for i in range(11)]
    assert find(with_refusals(90, *damaged))[0].severity is Severity.ERROR
    assert find(with_refusals(100, *damaged))[0].severity is Severity.WARNING


def test_rows_that_say_the_same_twice_are_worth_a_note() -> None:
    (found,) = find(with_refusals(4, *[Refusal(f"labels.csv:{i}", "duplicate_row", "again") for i in (2, 3)]))
    assert found.severity is Severity.NOTE
    assert found.sentence == (
        "2 rows were refused as duplicate_row (an earlier row names the same image), such as 'labels.csv:2'"
    )


@pytest.mark.parametrize("code", list(Reason))
def test_every_code_has_something_to_do(code: Reason) -> None:
    for found in find(with_refusals(4, Refusal("a.png", code.value, "message"))):
        assert found.remedy
