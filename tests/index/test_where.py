"""Conditions on the rows of an index."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import Reason, SettingsError
from tellapart.index.index import Index
from tellapart.index.vectors import Vectors
from tellapart.index.where import mask_expression
from tellapart.workflows.index import add, build_index

TABLE = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "uri": ["x/1.png", "x/2.png", "y/3.png", None],
        "labels": [["frog"], ["toad", "wet"], [], None],
        "split": ["train", "test", None, ""],
        "width": [10, 20, 30, None],
        "score": [0.5, -1.0, None, 1e6],
        "good": [True, False, None, True],
        "captured_at": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)] + [None],
        "day": [date(2026, 1, day) for day in (1, 2, 3)] + [None],
        "meta:lens": ["2.5", "10", "wide", None],
        "meta:a,b": ["p,q", "r", None, "p"],
    }
)


FORM = "a condition is written COLUMN=VALUE (or != < <= > >= ~), such as split=train"


def rows(*conditions: str, table: pl.DataFrame = TABLE) -> str:
    """Ids of the rows for which all conditions hold."""
    found = table.filter(mask_expression(conditions, table.schema, lambda name: table[name]))
    return "".join(found["id"].to_list())


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("split=train", "a"),
        (" split = train ", "a"),
        ("split!=train", "bcd"),
        ("split=train,test", "ab"),
        ("split=", "cd"),
        ("split!=", "ab"),
        ("label=frog", "a"),
        ("labels=frog,wet", "ab"),
        ("label!=frog", "bcd"),
        ("label=", "cd"),
        ("label!=", "ab"),
        ("width>=20", "bc"),
        ("width<20", "a"),
        ("width=10,30", "ac"),
        ("width=", "d"),
        ("score>-1", "ad"),
        ("score=-1.0", "b"),
        ("good=true", "ad"),
        ("good=FALSE", "b"),
        ("captured_at>2026-01-01", "bc"),
        ("captured_at<=2026-01-02T00:00", "ab"),
        ("day=2026-01-03", "c"),
        ("lens>3", "b"),
        ("meta:lens<=2.5", "a"),
        ("lens>a", "c"),
        ("lens=wide", "c"),
        ("uri~x/", "ab"),
        ("uri~.png", "abc"),
        ("uri~.*", ""),
        ("width~0", "abc"),
        (r"a,b=p\,q", "a"),
        ("id=a,b,zzz", "ab"),
        ("split==train", "a"),
    ],
)
def test_a_condition_chooses_rows(condition: str, expected: str) -> None:
    assert rows(condition) == expected


ODD = pl.DataFrame(
    {
        "id": ["a", "b", "c"],
        "a=b": [1, 2, 3],
        "a": ["b", "x", None],
        "x<y": ["p", "q", "r"],
        "big": [2**60, 2**60 + 1, 2**60 + 2],
        "ratio": [1.0, float("nan"), 3.0],
        "sizes": [[1, 2], [3], None],
        "box": [{"x": 1}] * 3,
        "boxes": [[{"x": 1}]] * 3,
        "lasted": [timedelta(1)] * 3,
    }
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a=b=2", "b"),
        ("a=b", "a"),
        ("x<y=q", "b"),
        ("big=1152921504606846977", "b"),
        ("big>1152921504606846976", "bc"),
        ("ratio>0.5", "ac"),
        ("ratio<9", "ac"),
        ("sizes=2,3", "ab"),
        ("sizes=", "c"),
    ],
)
def test_odd_columns_can_be_asked_too(condition: str, expected: str) -> None:
    assert rows(condition, table=ODD) == expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("box=1", "of values of the type Struct({'x': Int64}), as in box, nothing can be asked, got 'box=1'"),
        ("boxes=1", "of values of the type List(Struct({'x': Int64})), as in boxes, nothing can be asked, got 'boxes=1'"),
        ("lasted>1", "of values of the type Duration(time_unit='us'), as in lasted, nothing can be asked, got 'lasted>1'"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_told(condition: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        rows(condition, table=ODD)
    assert str(caught.value) == message


def test_all_must_hold() -> None:
    assert rows("width>=10", "width<=20", "label=toad") == "b"
    assert rows() == "abcd"


@pytest.mark.parametrize(
    ("condition", "reason", "message"),
    [
        ("", Reason.BAD_SETTING, f"{FORM}, got ''"),
        ("split", Reason.BAD_SETTING, f"{FORM}, got 'split'"),
        ("=train", Reason.BAD_SETTING, f"{FORM}, got '=train'"),
        ("label>frog", Reason.BAD_SETTING, "of labels, = and != can be asked, got 'label>frog'"),
        ("label=frg", Reason.UNKNOWN_NAME, "no row has the label 'frg'; did you mean 'frog'? (known: frog, toad, wet)"),
        ("width>=wide", Reason.BAD_SETTING, "'width>=wide' asks for a number, got 'wide'"),
        ("width=1,x", Reason.BAD_SETTING, "'width=1,x' asks for a number, got 'x'"),
        ("good=yes", Reason.BAD_SETTING, "'good=yes' asks for true or false, got 'yes'"),
        ("day=soon", Reason.BAD_SETTING, "'day=soon' asks for a time such as 2026-03-31 or 2026-03-31T12:00, got 'soon'"),
    ],
)  # fmt: skip
def test_what_says_nothing_is_told(condition: str, reason: Reason, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        rows(condition)
    assert (caught.value.reason, str(caught.value)) == (reason, message)


def test_a_column_that_is_not_there_is_told_with_the_one_meant() -> None:
    with pytest.raises(
        SettingsError, match=r"the rows have no column 'widht'; did you mean 'width'\? \(known: id, uri, "
    ):
        rows("widht=3")


@given(st.text(max_size=20))
def test_any_text_is_a_condition_or_is_refused(text: str) -> None:
    with contextlib.suppress(SettingsError):
        assert set(rows(text)) <= set("abcd")


@given(st.sampled_from(TABLE.columns), st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~"]), st.text(max_size=8))
def test_any_value_is_compared_or_refused(column: str, sign: str, value: str) -> None:
    with contextlib.suppress(SettingsError):
        assert set(rows(f"{column}{sign}{value}")) <= set("abcd")


def test_rows_of_all_segments_are_asked_also_for_columns_that_came_later(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    values = np.eye(8, dtype=np.float32)
    build_index(path, Vectors.of(values[:6], ids=list("abcdef")))
    table = pl.DataFrame({"id": ["g", "h"], "colour": ["red", "blue"]})
    add(path, Vectors.of(values[6:], table=table))
    index = Index.open(path)
    assert len(index.manifest.segments) == 2
    np.testing.assert_array_equal(np.flatnonzero(index.where(["colour=red"])), [6])
    np.testing.assert_array_equal(np.flatnonzero(index.where(["colour="])), range(6))
    np.testing.assert_array_equal(np.flatnonzero(index.where(["id=b,h"])), [1, 7])
