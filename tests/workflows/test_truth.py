"""Labelled episodes: what is taken, what is refused and with which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tellapart.errors import DataError
from tellapart.records.episode import TrueEpisode
from tellapart.workflows.truth import read_truth

ONE, TWO = TrueEpisode(0.0, 2.0, "ok"), TrueEpisode(2.0, 3.5, "bad")


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("text", [
    "start,end,state\n2,3.5,bad\n0,2,ok\n",
    "start;end;state;who\n0;2;ok;me\n2;3.5; bad ;me\n",
    "\ufeffState\tStart\tEnd\nok\t0\t2\nbad\t2\t3.5\n",
    '{"start": 0, "end": 2, "state": "ok"}\n\n{"start": 2.0, "end": 3.5, "state": "bad", "track": ""}\n',
])  # fmt: skip
def test_tables_and_lines_say_the_same(tmp_path: Path, text: str) -> None:
    truth = read_truth(written(tmp_path / "truth", text))
    assert dict(truth) == {"": (ONE, TWO)}
    assert truth.refusals == ()


def test_sequences_and_tracks(tmp_path: Path) -> None:
    text = "sequence,track,start,end,state\nb,door,0,2,open\nb,lamp,1,3,on\na,,0,1,open\n"
    truth = read_truth(written(tmp_path / "t.csv", text))
    assert truth["a"] == (TrueEpisode(0, 1, "open"),)
    assert truth["b"] == (TrueEpisode(0, 2, "open", "door"), TrueEpisode(1, 3, "on", "lamp"))


@pytest.mark.parametrize(("row", "why"), [
    ("3,2,ok", "an episode ends after it starts, got start 3 and end 2"),
    ("3,3,ok", "an episode ends after it starts, got start 3 and end 3"),
    ("x,4,ok", "start is a number of seconds, got 'x'"),
    ("3", "end is a number of seconds, got None"),
    ("3,inf,ok", "end is a number of seconds, got 'inf'"),
    ("3,4,", "it names no state"),
    ("3,5,4,5,ok", "it has 5 cells, and there are 3 columns"),
    pytest.param(f"3,4,{'x' * 200_000}", "it is no line of a table", id="huge"),
    ("1.5,4,ok", "it overlaps line 2 of the same sequence, which lasts until 2"),
])  # fmt: skip
def test_a_bad_row_is_refused_and_the_rest_is_read(tmp_path: Path, row: str, why: str) -> None:
    path = written(tmp_path / "t.csv", f"start,end,state\n0,2,ok\n{row}\n10,11,ok\n")
    truth = read_truth(path)
    assert truth[""] == (ONE, TrueEpisode(10, 11, "ok"))
    assert [one.sentence for one in truth.refusals] == [f"{path}:3: {why} [bad_row]"]


def test_a_bad_line_of_json_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", '{"start": 0, "end": 2, "state": "ok"}\n{"start": true, "end": 2}\nnonsense\n')
    truth = read_truth(path)
    assert truth[""] == (ONE,)
    assert [one.message for one in truth.refusals] == [
        "start is a number of seconds, got True",
        "it is not a JSON object",
    ]


@pytest.mark.parametrize(("bad", "why"), [
    ('{"a":' * 100_000, "it is not a JSON object"),
    ('{"start": 1, "end": 2' + "0" * 400 + ', "state": "ok"}', f"end is a number of seconds, got 2{'0' * 39}"),
    ('{"start": 1, "end": 2, "state": ["ok"]}', "state is a name, got ['ok']"),
], ids=["deep", "huge", "list"])  # fmt: skip
def test_hostile_lines_are_refused(tmp_path: Path, bad: str, why: str) -> None:
    truth = read_truth(written(tmp_path / "t.jsonl", f'{{"start": 0, "end": 2, "state": "ok"}}\n{bad}\n'))
    assert truth[""] == (ONE,)
    assert [one.message for one in truth.refusals] == [why]


def test_names_may_be_numbers(tmp_path: Path) -> None:
    truth = read_truth(written(tmp_path / "t.jsonl", '{"sequence": 0, "start": 0, "end": 2, "state": 1}\n'))
    assert dict(truth) == {"0": (TrueEpisode(0, 2, "1"),)}


def test_a_header_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"lacks the column 'start': .*; found 'start,end,{'x' * 30}'"):
        read_truth(written(tmp_path / "t.csv", f"start,end,{'x' * 200_000}\n0,1,ok\n"))


def test_cells_that_are_empty_do_no_harm(tmp_path: Path) -> None:
    assert read_truth(written(tmp_path / "t.csv", "start,end,state\n0,2,ok,,\n"))[""] == (ONE,)


def test_what_is_no_truth_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file or folder"):
        read_truth(tmp_path / "nothing.csv")
    path = written(tmp_path / "t.csv", "start,state\n")
    expected = (
        f"{path} lacks the column 'end': labelled episodes have the columns sequence, track, start, end, state, of which "
        "sequence and track may be left out; found 'start', 'state'"
    )
    with pytest.raises(DataError, match=re.escape(expected)):
        read_truth(path)
    with pytest.raises(DataError, match="holds no labelled episode: it is empty"):
        read_truth(written(tmp_path / "e.csv", ""))
    with pytest.raises(DataError, match=r"holds no labelled episode: the first row refused: .*it names no state"):
        read_truth(written(tmp_path / "b.csv", "start,end,state\n1,2,\n"))


def test_a_truth_without_names_belongs_to_the_only_recorded_sequence(tmp_path: Path) -> None:
    named, unnamed = "sequence,start,end,state\na,0,2,ok\n", "start,end,state\n0,2,ok\n"
    one = read_truth(written(tmp_path / "one.csv", unnamed))
    assert dict(one.matching(["film"])) == {"film": (ONE,)}
    assert one.matching(["film", "other"]) is one
    other = read_truth(written(tmp_path / "other.csv", named))
    assert dict(other.matching([""])) == {"": (ONE,)}
    assert other.matching(["b"]) is other
