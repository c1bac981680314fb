"""Vectors and their files."""

from __future__ import annotations

import json
import resource
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tellapart.errors import DataError, Reason, SettingsError, TellapartError
from tellapart.index.space import Space
from tellapart.index.vectors import Vectors
from tellapart.records import Refusal

SPACE = Space("builtin", "ab" * 32, "decode|upright|fit(64)", "cd" * 32, "", False, 4)
NUMBERS = st.floats(-(2.0**60), 2.0**60, width=32)


def some(n: int = 5, dim: int = 4) -> Vectors:
    values = np.random.default_rng(n).standard_normal((n, dim)).astype(np.float32)
    table = pl.DataFrame(
        {"id": [f"{i:064x}" for i in range(n)], "labels": [["a"], None] * (n // 2) + [["b", "ü"]] * (n % 2)}
    )
    return Vectors.of(values, SPACE, table=table.with_columns(pl.lit("left").alias("meta:camera")))


def refused(path: Path) -> TellapartError:
    with pytest.raises(TellapartError) as caught:
        Vectors.read(path)
    return caught.value


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
@settings(max_examples=25, deadline=None)
@given(
    values=arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 7)), elements=NUMBERS), data=st.data()
)
def test_files_give_back_every_bit(suffix: str, values: np.ndarray, data: st.DataObject) -> None:
    n, dim = values.shape
    texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    table = pl.DataFrame(
        {
            "id": data.draw(st.lists(st.text("0123456789abcdef", min_size=1), min_size=n, max_size=n)),
            "labels": data.draw(st.lists(st.none() | st.lists(st.text("äbc", min_size=1)), min_size=n, max_size=n)),
            "meta:part": data.draw(st.lists(texts, min_size=n, max_size=n)),
        },
        schema={"id": pl.String, "labels": pl.List(pl.String), "meta:part": pl.String},
    )
    space = Space("net", "ab" * 32, "decode", "cd" * 32, "", False, dim)
    vectors = Vectors.of(values, space, table=table)
    with tempfile.TemporaryDirectory() as folder:
        vectors.write(Path(folder, "v" + suffix))
        found = Vectors.read(Path(folder, "v" + suffix))
        assert found.vectors.tobytes() == values.tobytes()
        assert found.table.equals(vectors.table)
        assert found.table.schema == vectors.table.schema
        assert (found.space, found.left_out) == (space, 0)


def test_the_first_columns_are_always_there() -> None:
    vectors = some()
    assert vectors.table.columns == ["id", "uri", "labels", "group", "split", "meta:camera"]
    assert vectors.table["split"].to_list() == [None] * 5
    assert Vectors.of(np.ones((2, 3))).ids == ("0", "1")


def test_npy_is_mapped_and_not_read(tmp_path: Path) -> None:
    some().write(tmp_path / "v.npy")
    base = Vectors.read(tmp_path / "v.npy").vectors.base
    assert isinstance(base, np.memmap)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.json", "v.npy", "v.rows.parquet"]


def test_float16_halves_the_file_and_is_read_as_float32(tmp_path: Path) -> None:
    vectors = some(100)
    vectors.write(tmp_path / "v.npy", dtype="float16")
    assert np.load(tmp_path / "v.npy").dtype == np.float16
    found = Vectors.read(tmp_path / "v.npy")
    assert found.vectors.dtype == np.float32
    np.testing.assert_allclose(found.vectors, vectors.vectors, rtol=5e-4, atol=1e-6)
    assert found.space == SPACE


def test_what_float16_cannot_hold_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="above 65,504, which float16 cannot hold"):
        Vectors.of(np.array([[1e6, 0]])).write(tmp_path / "v.npy", dtype="float16")
    assert list(tmp_path.iterdir()) == []


def test_files_of_others(tmp_path: Path) -> None:
    table = pl.DataFrame({"embedding": [[3.0, 4.0], None, [0.0, 1.0]], "label": ["a", "b", None], "camera": [1, 2, 3]})
    table.write_parquet(tmp_path / "theirs.parquet")
    found = Vectors.read(tmp_path / "theirs.parquet")
    assert found.vectors.tolist() == [[3, 4], [0, 1]]
    assert found.table.to_dict(as_series=False) == {
        "id": ["0", "2"],
        "uri": [None, None],
        "labels": [["a"], None],
        "group": [None, None],
        "split": [None, None],
        "camera": [1, 3],
    }
    assert (found.space, found.left_out) == (Space.unknown(2), 1)


def test_npy_of_others(tmp_path: Path) -> None:
    np.save(tmp_path / "theirs.npy", np.asfortranarray(np.eye(3, 5)))
    (tmp_path / "theirs.json").write_text('{"mine": 1}')
    found = Vectors.read(tmp_path / "theirs.npy")
    assert found.ids == ("0", "1", "2")
    assert found.vectors.tolist() == np.eye(3, 5).tolist()
    assert found.space == Space.unknown(5, normalised=True)


def test_predictions_with_embeddings_serve_too(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {"uri": ["a.png", "b.png"], "embedding": [[1.0, 0.0], None]},
        schema_overrides={"embedding": pl.List(pl.Float32)},
    )
    rows.write_parquet(tmp_path / "answers.parquet")
    found = Vectors.read(tmp_path / "answers.parquet")
    assert found.table["uri"].to_list() == ["a.png"]


def lists(path: Path, values: list[list[float | None]]) -> Path:
    pl.DataFrame({"vector": values}, schema={"vector": pl.List(pl.Float32)}).write_parquet(path)
    return path


def test_parquet_that_holds_no_vectors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    assert str(refused(path)) == f"there is no file {path}"
    path.write_bytes(b"PAR1 no")
    assert str(refused(path)).startswith(f"{path} is not a readable Parquet file (")
    pl.DataFrame({"a": [1], "vector": ["text"]}).write_parquet(path)
    assert str(refused(path)) == (
        f"{path} has no column 'vector' or 'embedding' with a list of numbers (float) in each row; its columns: a, vector"
    )
    assert str(refused(lists(path, [[1, 2], [3]]))) == (
        f"{path}: all vectors must have as many numbers, at least one; these have 1, 2"
    )
    assert str(refused(lists(path, [[1, None]]))) == f"{path}: a vector has an empty place; leave its row out"
    error = refused(lists(path, [[1, 2], [1, float("nan")]]))
    assert str(error) == f"{path}: row 1 has a value that is no finite number; leave it out, or embed again"
    assert error.reason is Reason.DATASET_FORMAT
    assert refused(lists(path, [])).reason is Reason.DATASET_EMPTY


def test_npy_that_holds_no_vectors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    assert str(refused(path)) == f"there is no file {path}"
    path.write_bytes(b"\x93NUMPY")
    assert str(refused(path)).startswith(f"{path} is not a readable .npy file (")
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    assert str(refused(path)).startswith(f"{path} is not a readable .npy file (")
    np.save(path, np.zeros((2, 3, 4)))
    assert str(refused(path)) == f"{path} must be numbers of shape (n, d), got float64 (2, 3, 4)"
    np.save(path, np.zeros((2, 3), np.int64))
    assert str(refused(path)) == f"{path} must be numbers of shape (n, d), got int64 (2, 3)"


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    some(5).write(path)
    np.save(path, np.zeros((5, 4), np.float32))
    assert str(refused(path)) == (
        f"{tmp_path / 'v.json'} does not belong to {path}: a copy or a writing of both was cut short; copy or embed again"
    )
    some(5).write(path, overwrite=True)
    (tmp_path / "v.rows.parquet").unlink()
    assert (
        str(refused(path))
        == f"the rows of the vectors, {tmp_path / 'v.rows.parquet'}, are missing; copy the file again"
    )


def test_a_damaged_or_later_description_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    some().write(path)
    about = json.loads((tmp_path / "v.json").read_text())
    (tmp_path / "v.json").write_text(json.dumps({**about, "format": 9}))
    assert str(refused(path)) == f"{tmp_path / 'v.json'} has format 9, this tellapart reads format 1; update tellapart"
    (tmp_path / "v.json").write_text(json.dumps({**about, "space": {}}))
    assert "the description of its vectors is damaged (ValueError(" in str(refused(path))
    table = pl.DataFrame({"vector": [[1.0]]})
    table.write_parquet(tmp_path / "v.parquet", metadata={"tellapart.vectors": "no JSON"})
    assert "the description of its vectors is damaged (TypeError(" in str(refused(tmp_path / "v.parquet"))


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_what_is_there_is_not_overwritten_unasked(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    some(3).write(path)
    with pytest.raises(DataError, match="exists; choose another name or allow overwriting") as caught:
        some(4).write(path)
    assert caught.value.reason is Reason.OUTPUT_EXISTS
    some(4).write(path, overwrite=True)
    assert len(Vectors.read(path)) == 4


def test_what_lies_beside_an_npy_is_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text("mine")
    with pytest.raises(DataError, match=r"v\.json exists"):
        some().write(tmp_path / "v.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["v.json"]


@pytest.mark.parametrize(
    ("name", "dtype", "sentence"),
    [
        ("v.csv", "float32", "vectors are written to a file that ends in .parquet or .npy, got "),
        ("v.npy", "int8", "vectors are written as float32 or float16, got 'int8'"),
        ("v.parquet", "float16", "Parquet holds vectors as float32; name a file that ends in .npy for float16"),
    ],
)
def test_impossible_outputs_are_refused(tmp_path: Path, name: str, dtype: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=f"^{sentence}"):
        some().write(tmp_path / name, dtype=dtype)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        some().write(tmp_path / "file/v.parquet")
    assert str(caught.value) == f"{tmp_path / 'file/v.parquet'} could not be written: File exists"
    assert caught.value.reason is Reason.WRITE_FAILED


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_refusals_facts_and_the_root_are_kept(tmp_path: Path, suffix: str) -> None:
    refusal = Refusal("ü.png", "corrupt", "ü.png: damaged")
    (tmp_path / "here/parts").mkdir(parents=True)
    vectors = replace(some(), root=tmp_path / "here/parts", refusals=(refusal,), facts={"seconds": 1.5})
    vectors.write(tmp_path / "here" / f"v{suffix}")
    found = Vectors.read((tmp_path / "here").rename(tmp_path / "there") / f"v{suffix}")
    assert (found.root, found.refusals, found.facts) == (tmp_path / "there/parts", (refusal,), {"seconds": 1.5})


def test_a_root_elsewhere_stays_where_it_is(tmp_path: Path) -> None:
    replace(some(), root=tmp_path / "parts").write(tmp_path / "out/v.parquet")
    assert Vectors.read(tmp_path / "out/v.parquet").root == tmp_path / "parts"


@pytest.mark.parametrize("name", ["v.parquet", "v.npy"])
def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    vectors, limits = some(4000, 4), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(DataError, match=r"could not be written: .*File too large") as caught:
            vectors.write(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.reason is Reason.WRITE_FAILED
    assert list(tmp_path.iterdir()) == []


def test_subset_by_mask_and_by_rows() -> None:
    vectors = some(5)
    assert vectors.subset(np.array([True, False, False, False, True])).ids == (vectors.ids[0], vectors.ids[4])
    chosen = vectors.subset(np.array([3, 1]))
    assert chosen.ids == (vectors.ids[3], vectors.ids[1])
    assert (chosen.vectors == vectors.vectors[[3, 1]]).all()


def test_vectors_and_table_must_fit() -> None:
    with pytest.raises(DataError, match=r"vectors of shape \(2, 4\) were expected, got \(3, 4\)"):
        Vectors(np.zeros((3, 4), np.float32), some(2).table, SPACE)
