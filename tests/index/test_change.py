"""Changes of an index: any sequence of them equals a plain list, one wins, and a kill leaves the old or the new."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason, SettingsError, TellapartError
from tellapart.files import holding
from tellapart.index import plan
from tellapart.index.exact import unit
from tellapart.index.folder import LOCK
from tellapart.index.index import Index
from tellapart.index.manifest import MANIFEST, read_manifest
from tellapart.index.vectors import Vectors
from tellapart.workflows.index import add, build_index, describe, remove, search, verify_index

DIM = 6


def vectors(ids: list[str], seed: int = 0, **columns: object) -> Vectors:
    """Random vectors with ids (and uris of the same name)."""
    values = np.random.default_rng(seed).normal(size=(len(ids), DIM)).astype(np.float32)
    table = pl.DataFrame({"id": ids, "uri": [f"{name}.png" for name in ids], **columns})
    return Vectors.of(values, table=table)


def named(n: int, start: int = 0) -> list[str]:
    return [f"i{number}" for number in range(start, start + n)]


def stored(index: Index) -> list[str]:
    """Ids of the live rows, in order."""
    rows = np.flatnonzero(index.live)
    return index.rows(rows)["id"].to_list() if len(rows) else []


def refused(run: object, *arguments: object, **options: object) -> TellapartError:
    with pytest.raises(TellapartError) as caught:
        run(*arguments, **options)  # type: ignore[operator]
    return caught.value


# A step: ids to add (with a seed for their vectors), or to remove.
_IDS = st.lists(st.integers(0, 30).map(lambda n: f"i{n}"), min_size=1, max_size=12)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), _IDS, st.integers(0, 3)), max_size=8)


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
@settings(max_examples=25)
@given(steps=STEPS)
def test_any_changes_equal_a_plain_dictionary(
    tmp_path_factory: pytest.TempPathFactory, kind: str, steps: list[tuple[str, list[str], int]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.index"
    first = vectors(named(5))
    build_index(path, first, kind=kind)
    model = dict(zip(first.ids, unit(first.vectors), strict=True))
    # So few beside the graph that it is grown and rebuilt all the time.
    with mock.patch.object(plan, "BESIDE", 8):
        for what, ids, seed in steps:
            if what == "add":
                new = vectors(ids, seed)
                add(path, new)
                for name, vector in zip(ids, unit(new.vectors), strict=True):
                    if name not in model or not np.allclose(model[name], vector, atol=1e-6):
                        model.pop(name, None)
                    model[name] = vector
            else:
                remove(path, ids, missing_ok=True)
                for name in ids:
                    model.pop(name, None)
    _check(path, model, exactly=kind == "flat")


def _check(path: Path, model: dict[str, NDArray[np.float32]], *, exactly: bool) -> None:
    index = Index.open(path)
    assert len(index) == len(model)
    assert set(stored(index)) == set(model)
    assert verify_index(path) >= 0
    queries = np.random.default_rng(9).normal(size=(4, DIM)).astype(np.float32)
    found = index.search(queries, 3)
    for row, similarities, query in zip(found.rows, found.similarities, unit(queries), strict=True):
        truth = sorted(float(-(vector.astype(np.float64) @ query)) for vector in model.values())[:3]
        assert (row >= 0).sum() == len(truth)
        if exactly:
            np.testing.assert_allclose(-similarities[: len(truth)], truth, atol=1e-6)
        for number in row[row >= 0]:
            name = index.rows([number])["id"][0]
            np.testing.assert_allclose(index.vectors([number])[0], model[name], atol=1e-6)


def test_twenty_added_to_many_leave_the_large_segment_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(500)), kind="hnsw")
    before = {file: file.stat().st_mtime_ns for file in (path / "s000001").iterdir()}
    changed = add(path, vectors(named(20, 500), seed=1))
    assert [(s.kind, s.n) for s in changed.manifest.segments] == [("hnsw", 500), ("flat", 20)]
    assert {file: file.stat().st_mtime_ns for file in (path / "s000001").iterdir()} == before
    found = Index.open(path).search(vectors(named(20, 500), seed=1).vectors, 1)
    np.testing.assert_array_equal(found.rows[:, 0], np.arange(500, 520))


def test_many_small_additions_leave_few_segments(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    for number in range(30):
        add(path, vectors(named(2, 10 + 2 * number), seed=number))
    index = Index.open(path)
    assert len(index) == 63
    assert len(index.manifest.segments) <= 6
    assert stored(index) == named(3) + named(60, 10)


def test_automatically_exact_becomes_approximate_when_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    with mock.patch("tellapart.index.kinds.EXACT_UP_TO", 100):
        assert [s.kind for s in build_index(path, vectors(named(100))).manifest.segments] == ["flat"]
        grown = add(path, vectors(named(50, 100), seed=1))
        assert [(s.kind, s.n) for s in grown.manifest.segments] == [("hnsw", 150)]
        shrunk = remove(path, named(60))
        assert [(s.kind, s.n) for s in shrunk.manifest.segments] == [("flat", 90)]
    assert stored(Index.open(path)) == named(90, 60)


def test_what_is_there_as_it_is_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(10), split=["train"] * 10))
    again = add(path, vectors(named(10), split=["train"] * 10))
    assert (again.n_added, again.n_replaced, again.n_unchanged) == (0, 0, 10)
    assert again.manifest.generation == 1
    other = add(path, vectors(named(10), split=["test"] * 4 + ["train"] * 6))
    assert (other.n_added, other.n_replaced, other.n_unchanged) == (0, 4, 6)
    assert len(Index.open(path)) == 10
    assert int(Index.open(path).where(["split=test"]).sum()) == 4


def test_one_name_twice_at_once_counts_once(tmp_path: Path) -> None:
    changed = build_index(tmp_path / "x.index", vectors(["a", "b", "a"]))
    assert (changed.n_added, changed.n_repeated, changed.manifest.n) == (2, 1, 2)
    index = Index.open(tmp_path / "x.index")
    np.testing.assert_allclose(index.vectors([1]), unit(vectors(["a", "b", "a"]).vectors)[2:], atol=1e-7)
    assert add(tmp_path / "x.index", vectors(["c", "c"], seed=3)).n_repeated == 1


def test_all_can_go_and_others_come(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(4)))
    gone = remove(path, named(4))
    assert (gone.manifest.n, gone.manifest.segments, gone.n_removed) == (0, (), 4)
    found = Index.open(path).search(np.ones((2, DIM), np.float32), 3)
    assert (found.rows == -1).all()
    assert np.isneginf(found.similarities).all()
    add(path, vectors(["new"]))
    assert stored(Index.open(path)) == ["new"]


def test_rows_are_removed_by_condition_and_by_list(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(6), labels=[["frog"], ["toad"], ["frog"], None, [], ["newt"]]))
    changed = remove(path, ["i5.png"], where=["label=frog"])
    assert changed.n_removed == 3
    assert stored(Index.open(path)) == ["i1", "i3", "i4"]


def test_names_that_are_not_there_are_refused_and_nothing_is_done(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    error = refused(remove, path, ["i0.png", "i1.pn", "nobody"])
    assert isinstance(error, SettingsError)
    assert error.reason is Reason.UNKNOWN_NAME
    assert str(error) == (
        f"no row of the index {path} has the id or uri 'i1.pn' and 1 more names; did you mean 'i1.png'?; nothing was done"
    )
    assert len(Index.open(path)) == 3
    assert remove(path, ["nobody"], missing_ok=True).n_removed == 0
    assert str(refused(remove, path)) == "say which rows are to go: ids, uris or conditions"


def test_vectors_of_another_origin_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    foreign = Vectors.of(np.ones((2, DIM + 1), np.float32))
    error = refused(add, path, foreign)
    assert error.reason is Reason.FOREIGN_VECTORS
    assert str(error) == (
        f"the vectors: these vectors cannot be compared with the others: they have {DIM + 1} numbers each, expected {DIM}"
    )
    assert read_manifest(path).generation == 1


def test_columns_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3), width=[1, 2, 3]))
    add(path, vectors(["b"], seed=1, width=["7"]))
    assert Index.open(path).rows([3])["width"].to_list() == [7]
    error = refused(add, path, vectors(["c"], seed=1, width=["wide"]))
    assert error.reason is Reason.BAD_ROW
    assert str(error).startswith("the rows do not fit those of the index, which has the columns width Int64: ")
    add(path, vectors(["d"], seed=2, colour=["red"]))  # a column more is none less
    assert Index.open(path).rows([0, 4], ["width", "colour"]).rows() == [(1, None), (None, "red")]


@pytest.mark.parametrize(
    ("kept", "arrives", "told"),
    [
        ([1, 2, 3], [1.5], "c 1.5 cannot be kept as Int64"),
        ([date(2026, 1, 1)] * 3, [datetime(2026, 1, 1, 3)], "c 2026-01-01 03:00:00 cannot be kept as Date"),
        ([True, False, True], [5], "c 5 cannot be kept as Boolean"),
    ],
)
def test_no_value_is_cut_short_to_fit(tmp_path: Path, kept: list[object], arrives: list[object], told: str) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3), c=kept))
    error = refused(add, path, vectors(["b"], c=arrives))
    assert error.reason is Reason.BAD_ROW
    assert str(error).endswith(told)
    add(path, vectors(["b"], c=kept[:1]))


def test_a_column_of_nothing_becomes_what_comes(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3), note=[None] * 3))
    add(path, vectors(["b"], note=["blurred"]))
    assert Index.open(path).rows(range(4))["note"].to_list() == [None, None, None, "blurred"]


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    names = ["#", "row", "old", "new", "key", "similarity", "a=b", "", "$x"]
    build_index(path, vectors(named(3), **{name: [1, 2, 3] for name in names}))
    add(path, vectors(["i1", "b"], seed=1, **{name: [5, 6] for name in names}))
    index = Index.open(path)
    found = {row["id"]: row for row in index.rows(np.flatnonzero(index.live)).iter_rows(named=True)}
    assert {key: [row[name] for name in names] for key, row in found.items()} == {
        key: [n] * len(names) for key, n in (("i0", 1), ("i2", 3), ("i1", 5), ("b", 6))
    }
    hit = search(path, like=["i0"], k=1).answers[0].hits[0].to_json()
    assert (hit["id"], hit["similarity"], hit["#"]) == ("i0", 1, 1)


def test_a_second_change_at_the_same_time_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    with holding(path / LOCK):
        error = refused(add, path, vectors(["b"]))
    assert error.reason is Reason.INDEX_IN_USE
    assert str(error) == (
        f"another process is changing the index {path}; wait until it is done, then run the command again"
    )
    assert add(path, vectors(["b"])).manifest.generation == 2


def test_an_index_is_never_lost_to_another(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    error = refused(build_index, path, vectors(named(4)))
    assert error.reason is Reason.OUTPUT_EXISTS
    assert str(error) == f"there is an index at {path}; add to it, choose another name or allow overwriting"
    reader = Index.open(path)
    assert build_index(path, vectors(named(4)), overwrite=True).manifest.generation == 2
    assert len(Index.open(path)) == 4
    assert len(reader.search(np.ones((1, DIM), np.float32), 3).rows[0]) == 3  # who has it open keeps the old one
    assert reader.rows([2])["id"].to_list() == ["i2"]
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"x")
    error = refused(build_index, tmp_path / "photos", vectors(["a"]), overwrite=True)
    assert str(error) == f"{tmp_path / 'photos'} exists and is no index; choose another name"
    assert [one.name for one in (tmp_path / "photos").iterdir()] == ["mine.jpg"]


def test_a_change_that_fails_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    with mock.patch("tellapart.index.change.replacing", side_effect=OSError(28, "No space left on device")):
        error = refused(add, path, vectors(["b"]))
    assert error.reason is Reason.WRITE_FAILED
    assert str(error) == f"the index {path} could not be written: No space left on device"
    assert stored(Index.open(path)) == named(3)
    add(path, vectors(["c"]))  # clears what was left, and its names are used again
    assert stored(Index.open(path)) == [*named(3), "c"]
    names = {one.name for one in path.iterdir()}
    assert names == {MANIFEST, *(segment.name for segment in read_manifest(path).segments)}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_does_not_come_to_its_end_leaves_nothing_behind(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "x.index"
    with mock.patch("tellapart.index.change.replacing", side_effect=error), pytest.raises(BaseException):  # noqa: B017
        build_index(path, vectors(named(3)))
    assert list(tmp_path.iterdir()) == []
    build_index(path, vectors(named(3)))
    before = {one.name for one in path.iterdir()}
    with mock.patch("tellapart.index.change.replacing", side_effect=error), pytest.raises(BaseException):  # noqa: B017
        add(path, vectors(named(9)))
    assert {one.name for one in path.iterdir()} == before


def test_what_a_kill_leaves_of_a_projection_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    path.mkdir()
    left = path / ".projection-000001.safetensors.new-1f-00c0ffee"
    left.touch()
    build_index(path, vectors(named(3)))
    assert not left.exists()


def test_an_index_that_cannot_be_read_is_kept_until_another_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    (path / MANIFEST).write_text("{")
    with mock.patch("tellapart.index.change.replacing", side_effect=OSError(28, "No space left on device")):
        refused(build_index, path, vectors(named(4)), overwrite=True)
    assert (path / "s000001").exists()
    build_index(path, vectors(named(4)), overwrite=True)
    assert stored(Index.open(path)) == named(4)
    assert not (path / "s000001").exists()


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_a_full_disk_leaves_no_index(tmp_path: Path, kind: str) -> None:
    told = "Error in x at y.cpp:1: Error: 'ret == n' failed: write error in v.faiss: 3 != 9 (No space left on device)"
    with mock.patch("faiss.write_index", side_effect=RuntimeError(told)):
        error = refused(build_index, tmp_path / "x.index", vectors(named(30)), kind=kind)
    assert error.reason is Reason.WRITE_FAILED
    assert "could not be written: 'ret == n' failed: write error in v.faiss: 3 != 9 (No space left on device)" in str(
        error
    )
    assert refused(Index.open, tmp_path / "x.index").reason is Reason.INDEX_NOT_FOUND
    assert build_index(tmp_path / "x.index", vectors(named(30)), kind=kind).manifest.n == 30


@pytest.mark.parametrize("cut", ["vectors.faiss", "rows.parquet", "graph.faiss"])
def test_damage_is_refused(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(40)), kind="hnsw")
    file = path / "s000001" / cut
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    error = refused(Index.open, path)
    assert error.reason is Reason.INDEX_DAMAGED
    assert str(error) == (
        f"the index {path} is damaged: s000001/{cut} has {len(whole) - 10:,} bytes, {len(whole):,} were expected; "
        "copy it again, or build it again"
    )
    file.write_bytes(whole[:-10] + bytes(byte ^ 255 for byte in whole[-10:]))
    error = refused(verify_index, path)
    assert f"the content of s000001/{cut} is not what was written" in str(error) or "s000001 cannot be opened" in str(
        error
    )
    file.unlink()
    assert refused(Index.open, path).reason is Reason.INDEX_DAMAGED
    file.write_bytes(whole)
    assert verify_index(path) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"tellapart": "vectors"}', "{" * 100_000])
def test_no_index_is_told(tmp_path: Path, text: str) -> None:
    assert refused(Index.open, tmp_path / "none").reason is Reason.INDEX_NOT_FOUND
    (tmp_path / MANIFEST).write_text(text)
    assert refused(Index.open, tmp_path).reason in (Reason.INDEX_NOT_FOUND, Reason.INDEX_DAMAGED)


def test_a_manifest_leads_nowhere_else_and_is_not_from_the_future(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    text = (path / MANIFEST).read_text()
    for name in ("../other", "/etc", "", ".."):
        value = json.loads(text)
        value["segments"][0]["name"] = name
        (path / MANIFEST).write_text(json.dumps(value))
        assert refused(Index.open, path).reason is Reason.INDEX_DAMAGED
    (path / MANIFEST).write_text(text.replace('"format": 1', '"format": 2'))
    error = refused(Index.open, path)
    assert error.reason is Reason.INDEX_TOO_NEW
    assert str(error) == f"the index {path} has format 2, this tellapart reads 1; update tellapart"


@settings(max_examples=60)
@given(st.data())
def test_any_byte_changed_in_the_description_is_an_error_or_the_same_index(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "x.index"
    build_index(path, vectors(named(3)))
    content = bytearray((path / MANIFEST).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (path / MANIFEST).write_bytes(content)
    known = (Reason.INDEX_DAMAGED, Reason.INDEX_NOT_FOUND, Reason.INDEX_TOO_NEW, Reason.FOREIGN_VECTORS)
    assert _reason_of_opening(path) in (None, *known)


def _reason_of_opening(path: Path) -> Reason | None:
    try:
        Index.open(path).search(np.ones((1, DIM), np.float32), 2)
        describe(path)
    except DataError as error:
        return error.reason
    return None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_an_index_that_cannot_be_written_can_be_searched(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(named(3)))
    path.chmod(0o500)
    try:
        assert len(Index.open(path)) == 3
        assert refused(add, path, vectors(["b"])).reason is Reason.WRITE_FAILED
    finally:
        path.chmod(0o700)


_CHANGES = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.index.test_change import named, vectors
from tellapart.workflows.index import add, remove
print("ready", flush=True)
for number in range(10_000):
    add({path!r}, vectors(named(20, 1000 + 20 * (number % 5)), seed=number))
    remove({path!r}, named(20, 1000 + 20 * (number % 5)))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    base = vectors(named(60))
    build_index(path, base)
    root = str(Path(__file__).parents[2])
    rng = np.random.default_rng(0)
    for _ in range(4):
        code = _CHANGES.format(root=root, path=str(path))
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(float(rng.uniform(0.0, 0.15)))
            process.kill()
        assert len(Index.open(path)) in (60, 80)
        assert stored(Index.open(path))[:60] == named(60)
        verify_index(path)
    add(path, vectors(["last"], seed=5))
    names = {one.name for one in path.iterdir()}
    manifest = read_manifest(path)
    assert names == {MANIFEST, *(segment.name for segment in manifest.segments), *manifest.removed_file}
    np.testing.assert_array_equal(Index.open(path).vectors(range(60)), unit(base.vectors))


def test_processes_that_change_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.index"
    build_index(path, vectors(["first"]))
    root = str(Path(__file__).parents[2])
    code = f"""
import sys
sys.path.insert(0, {root!r})
from tests.index.test_change import named, vectors
from tellapart.errors import DataError
from tellapart.workflows.index import add
number, told = int(sys.argv[1]), 0
for step in range(8):
    try:
        add({str(path)!r}, vectors([f"p{{number}}-{{step}}"], seed=step))
    except DataError as error:
        told += 1
        assert error.reason == "index_in_use", error
print(8 - told)
"""
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], stdout=subprocess.PIPE, cwd=root)
        for number in range(2)
    ]
    won = [int(process.communicate(timeout=60)[0]) for process in started]
    assert len(Index.open(path)) == 1 + sum(won)
    assert all(process.returncode == 0 for process in started)
    assert sum(won) >= 1


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_who_has_it_open_keeps_the_generation_that_was_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.index"
    given = vectors(named(40), width=range(40))
    build_index(path, given, kind=kind)
    index = Index.open(path)
    remove(path, named(30))  # all is written anew
    add(path, vectors(["b"]))
    assert not (path / "s000001").exists()
    assert stored(index) == named(40)
    assert search(index, vectors=given, k=1).answers[7].hits[0].facts["id"] == "i7"
    assert index.where(["width<5"]).sum() == 5
    assert stored(Index.open(path)) == [*named(10, 30), "b"]
    # And lets go of it in the end.
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 1
    del index
    gc.collect()
    assert not Path("/proc/self/fd").exists() or len(os.listdir("/proc/self/fd")) < before
