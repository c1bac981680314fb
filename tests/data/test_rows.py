"""CSV, JSON Lines, Google's CSV and image folders, as real exports write them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.tiny import codes, put, seen

from tellapart.data.dataset import Dataset
from tellapart.data.labels import format_labels, parse_labels
from tellapart.data.readers import sniff
from tellapart.data.readers.rows import parse_captured_at
from tellapart.data.resolve import Resolver
from tellapart.errors import DataError, Reason
from tellapart.records import Roi, Task


def read(root: Path, text: str | bytes, name: str = "labels.csv", **options: Any) -> Dataset:
    path = root / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Dataset.read(path, **options)


@pytest.mark.parametrize(
    "text",
    [
        "file_name,label\na.png,ok\nd/b.png,bad\n",
        "\ufefffile_name,label\r\na.png,ok\r\nd/b.png,bad\r\n",
        'filename;class\n"a.png";"ok"\n\n"d/b.png";bad',
        "label\timage\nok\ta.png\nbad\td/b.png\n",
        ",File_Name,Label\n0,a.png, ok \n1,d/b.png,bad\n",
        "image_path,label\n./a.png,ok\nd\\b.png,bad\n",
        "path,label\n/data/local-files/?d=a.png,ok\n/data/local-files/?d=d%2Fb.png,bad\n",
        "url,label\ngs://bucket/run/a.png,ok\nhttps://host/x/d/b.png?sig=1,bad\n",
        "file_name,label\r\na.png,ok\rd/b.png,bad\n".replace("\r\n", "\n").replace("\r", "\r\n"),
        'image,choice,annotator\na.png,ok,1\nd/b.png,"{""choices"": [""bad""]}",2\n',
    ],
)
def test_csv_in_all_its_dialects(text: str, tmp_path: Path) -> None:
    put(tmp_path, "a.png", "d/b.png")
    dataset = read(tmp_path, text)
    assert seen(dataset) == [("a.png", ("ok",)), ("d/b.png", ("bad",))]
    assert (dataset.refusals, dataset.task) == ((), Task.BINARY)


def test_utf16_as_excel_saves_it(tmp_path: Path) -> None:
    put(tmp_path, "ä.png")
    assert seen(read(tmp_path, "file_name\tlabel\nä.png\tgrün\n".encode("utf-16"))) == [("ä.png", ("grün",))]
    with pytest.raises(DataError) as caught:
        read(tmp_path, "file_name,label\nä.png,grün\n".encode("latin-1"))
    assert caught.value.reason is Reason.DATASET_FORMAT
    assert "save it as UTF-8" in str(caught.value)


def test_quoted_newlines_extra_columns_and_context(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.png")
    dataset = read(
        tmp_path,
        "file_name,label,note,group,split,captured_at,roi\n"
        'a.png,ok,"two\nlines",g1,TRAIN,2026-03-01T10:00:00+02:00,"0.1,0.2,0.5,0.6"\n'
        'b.png,ok,,,validation,2026:03:01 10:00:00,"{""name"": ""left"", ""points"": [[0,0],[1,0],[1,1]]}"\n'
        "c.png,ok,x,,fold3,yesterday,\n",
    )
    a, b, c = dataset.samples
    assert (dict(a.metadata), a.group, a.split) == ({"note": "two\nlines"}, "g1", "train")
    assert (a.captured_at, a.roi) == (datetime(2026, 3, 1, 8, tzinfo=UTC), Roi(((0.1, 0.2), (0.5, 0.6))))
    assert (b.split, b.group, dict(b.metadata)) == ("val", None, {})
    assert b.roi == Roi(((0, 0), (1, 0), (1, 1)), "left")
    assert (c.split, c.captured_at) == (None, None)
    assert dict(c.metadata) == {"note": "x", "split": "fold3", "captured_at": "yesterday"}
    assert dataset.warnings == (
        "1 rows have a captured_at that was not understood; it is kept as a metadata column",
        "1 rows have a split 'fold3' that was not understood; it is kept as a metadata column",
    )


@pytest.mark.parametrize(
    "header, cells, task",
    [
        ("labels", ["a|b", "", "[]"], None),
        ("label", ['"[""a"", ""b""]"', "", "[]"], None),
        ("label", ["a | b | a", " ", "[]"], None),
    ],
)
def test_several_labels_in_a_cell(header: str, cells: list[str], task: str | None, tmp_path: Path) -> None:
    put(tmp_path, "0.png", "1.png", "2.png")
    text = f"file_name,{header}\n" + "".join(f"{i}.png,{cell}\n" for i, cell in enumerate(cells))
    dataset = read(tmp_path, text, task=task)
    assert [s.labels for s in dataset.samples] == [("a", "b"), None, ()]
    assert dataset.task is Task.MULTILABEL


REPEATED = "a.png,x\na.png,y\nb.png,x\nb.png,x\n"


@pytest.mark.parametrize(
    "header, options, samples, refused",
    [
        ("labels", {}, [("a.png", ("x", "y")), ("b.png", ("x",))], ["duplicate_row"] * 2),
        ("label", {"task": "multilabel"}, [("a.png", ("x", "y")), ("b.png", ("x",))], ["duplicate_row"] * 2),
        ("label", {}, [("b.png", ("x",))], ["duplicate_row", "label_conflict", "label_conflict"]),
        ("labels", {"task": "multiclass"}, [("b.png", ("x",))], ["duplicate_row", "label_conflict", "label_conflict"]),
    ],
)
def test_repeated_rows_are_merged_or_refused(
    header: str, options: dict[str, Any], samples: list[Any], refused: list[str], tmp_path: Path
) -> None:
    put(tmp_path, "a.png", "b.png")
    dataset = read(tmp_path, f"file_name,{header}\n{REPEATED}", **options)
    assert (seen(dataset), codes(dataset)) == (samples, refused)
    assert len(dataset) + len(dataset.refusals) == 4


def test_a_conflict_says_what_contradicts_what(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    dataset = read(tmp_path, "file_name,label\na.png,ok\na.png,bad\n")
    message = "2 rows give 'a.png' different labels: bad, ok; keep one of them"
    assert [r.message for r in dataset.refusals] == [message, message]


def test_bad_rows_are_refused_and_counted(tmp_path: Path) -> None:
    put(tmp_path / "in", "a.png", "images/only.png")
    put(tmp_path, "secret.png")
    (tmp_path / "in/folder.png").mkdir()
    rows = {
        "gone.png,x": "file_not_found", "../secret.png,x": "outside_root", f"{tmp_path}/secret.png,x": "outside_root",
        "..\\secret.png,x": "outside_root", "%2e%2e/secret.png,x": "outside_root", "C:\\x\\a.png,x": "outside_root",
        "d/../../secret.png,x": "outside_root", "/data/local-files/?d=../secret.png,x": "outside_root",
        "file:///etc/passwd,x": "outside_root", "gs://b/../../secret.png,x": "outside_root",
        "folder.png,x": "not_a_file", ",x": "bad_row", "a.png": "bad_row", "a.png,x,y": "bad_row",
        f"{'n' * 5000},x": "bad_row", f"a.png,{'l' * 140_000}": "field_too_large",
        f"a.png,{'m' * 2_500_000}": "field_too_large",
    }  # fmt: skip
    for row, code in rows.items():
        dataset = read(tmp_path / "in", f"file_name,label\n{row}\nonly.png,y\n")
        assert codes(dataset) == [code], row[:60]
        assert seen(dataset) == [("images/only.png", ("y",))]
    everything = read(tmp_path / "in", "file_name,label\n" + "\n".join(rows) + "\na.png,x\n")
    assert len(everything.refusals) == len(rows)
    assert seen(everything) == [("a.png", ("x",))]


def test_files_outside_can_be_allowed(tmp_path: Path) -> None:
    put(tmp_path, "in/a.png", "out/b.png")
    text = f"file_name,label\na.png,x\n../out/b.png,y\n{tmp_path}/in/a.png,x\n"
    dataset = read(tmp_path / "in", text, allow_outside=True)
    assert seen(dataset) == [((tmp_path / "out/b.png").as_posix(), ("y",)), ("a.png", ("x",))]
    assert codes(dataset) == ["duplicate_row"]
    assert dataset.bytes_of(0)
    elsewhere = Dataset.read(tmp_path / "in/labels.csv", images=tmp_path / "out")
    assert (seen(elsewhere), codes(elsewhere)) == ([("b.png", ("y",))], ["file_not_found", "outside_root"])


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "{path} has no readable header: it is empty"),
        ("a,b\n1,2\n", "{path}: no column file_name in the header; it has 'a', 'b'"),
        ("file_name,x,x\n", "{path}: the header names the column 'x' twice"),
    ],
)
def test_a_file_without_a_use_is_one_error(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == message.format(path=tmp_path / "labels.csv")


def test_an_unclosed_quote_costs_its_row_not_the_run(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    dataset = read(tmp_path, 'file_name,label\na.png,x\n"b.png,y\n')
    assert (seen(dataset), codes(dataset)) == ([("a.png", ("x",))], ["bad_row"])


def test_jsonl_takes_lines_of_any_shape(tmp_path: Path) -> None:
    put(tmp_path, *"abcde")
    lines = [
        b'\xef\xbb\xbf{"file_name": "a", "label": "x", "line": 3, "ok": true, "deep": {"k": [1]}, "none": null}',
        b'{"file_name": "b", "labels": ["x", "y"], "roi": {"points": [[0, 0], [0.5, 1]]}}\r', b"",
        b'{"image": "c", "label": 7}', b'{"file_name": "d", "label": null}', b'{"file_name": "e", "labels": []}',
        b"not json", b"[1]", b'{"label": "x"}', b'{"file_name": "a", "label": {"no": 1}}',
        b'{"file_name": "a", "label": "\\ud800"}', b'{"file_name": "\\ud800"}', b'{"file_name": 5}', b"[" * 100_000,
        b'{"file_name": "a", "x": "' + b"y" * 2_000_000 + b'"}', b'{"file_name": "a", "roi": [0, 0, 2, 2]}', b"\xff\xfe",
    ]  # fmt: skip
    dataset = read(tmp_path, b"\n".join(lines), "labels.jsonl")
    assert seen(dataset) == [("a", ("x",)), ("b", ("x", "y")), ("c", ("7",)), ("d", None), ("e", ())]
    assert dict(dataset.samples[0].metadata) == {"line": "3", "ok": "true", "deep": '{"k": [1]}'}
    assert codes(dataset) == ["bad_roi"] + ["bad_row"] * 9 + ["field_too_large"]


GOOGLE = "TRAIN,gs://b/d/a.png,x\nVALIDATION,b.png,y\nUNASSIGNED,c.png\n,d.png,x,y\n"


def test_googles_csv(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.png", "d.png")
    dataset = read(tmp_path, GOOGLE)
    assert seen(dataset) == [("a.png", ("x",)), ("b.png", ("y",)), ("c.png", None), ("d.png", ("x", "y"))]
    assert dataset.splits == ("train", "val", None, None)
    bare = read(tmp_path, "gs://b/a.png,x\ngs://b/gone.png,y\nTEST\n", "bare.csv")
    assert (seen(bare), codes(bare)) == ([("a.png", ("x",))], ["bad_row", "file_not_found"])


@pytest.mark.parametrize("text, name", [
    (GOOGLE, "google_csv"), ("file_name,label\n", "csv"), ("test,b.csv.png\n", "google_csv"),
    ("split,file_name\ntrain,a.png\n", "csv"), ("", "csv"),
])  # fmt: skip
def test_the_two_csv_forms_are_told_apart(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert sniff(tmp_path / "x.csv") == name


def test_image_folders_with_one_metadata_file_per_split(tmp_path: Path) -> None:
    put(tmp_path, "train/a.png", "train/b.png", "test/c.png", "test/extra.png")
    (tmp_path / "train/metadata.csv").write_text("file_name,label,line\na.png,x,1\nb.png,y,2\ngone.png,y,2\n")
    (tmp_path / "test/metadata.jsonl").write_text('{"file_name": "c.png", "label": "x"}\n')
    dataset = Dataset.read(tmp_path)
    assert seen(dataset) == [("test/c.png", ("x",)), ("train/a.png", ("x",)), ("train/b.png", ("y",))]
    assert dataset.splits == ("test", "train", "train")
    assert sorted((r.uri, r.code) for r in dataset.refusals) == [
        ("gone.png", "file_not_found"), ("test/extra.png", "unlabelled"),
    ]  # fmt: skip


def test_image_folders_without_label_column_use_the_folder(tmp_path: Path) -> None:
    put(tmp_path, "ok/a.png", "bad/b.png")
    pl.DataFrame({"file_name": ["ok/a.png", "bad/b.png"], "line": [1, 2]}).write_parquet(tmp_path / "metadata.parquet")
    dataset = Dataset.read(tmp_path)
    assert seen(dataset) == [("bad/b.png", ("bad",)), ("ok/a.png", ("ok",))]
    assert dataset.metadata("line") == ("2", "1")


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool), unique=True).map(tuple) | st.none())
def test_label_cells_are_read_back(labels: tuple[str, ...] | None) -> None:
    assert parse_labels(format_labels(labels)) == labels


@pytest.mark.parametrize("value, labels", [
    (3, ("3",)), (3.0, ("3",)), (float("nan"), None), (["a", 2], ("a", "2")), ('["a"', ('["a"',)), ("|", None),
    ({"choices": ["a"]}, ("a",)), ("{x}", ("{x}",)), (" a ", ("a",)),
])  # fmt: skip
def test_label_cells_of_other_kinds(value: object, labels: tuple[str, ...] | None) -> None:
    assert parse_labels(value) == labels


@pytest.mark.parametrize("value", [True, [["a"]], {"a": 1}, [None], object()])
def test_what_is_no_label_is_refused(value: object) -> None:
    with pytest.raises(DataError):
        parse_labels(value)


@given(st.text())
def test_no_text_leads_out_of_the_root(text: str) -> None:
    root = Path(__file__).parent
    try:
        uri = Resolver(root).uri(text)
    except DataError:
        return
    assert (root / uri).resolve().is_relative_to(root.resolve())


@pytest.mark.parametrize("value", ["0000-00-00", "9999-12-31T23:59:59-10:00", "x", "", 5, None])
def test_times_that_are_none(value: object) -> None:
    assert parse_captured_at(value) is None
