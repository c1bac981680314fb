from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests.data.tiny import codes, png, put, seen, stored

from tellapart.data.dataset import Dataset
from tellapart.data.writers import write
from tellapart.errors import DataError, Reason
from tellapart.records import Sample

SHARED = Path(__file__).parents[3] / "shared/data"


def image_parquet(path: Path, labels: list[object], names: list[str] | None = None, **columns: list[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": png(i), "path": f"{i}.png"} for i in range(len(labels))]
    frame = pl.DataFrame({"image": images, "label": labels, **columns}, strict=False)
    features = {"label": {"names": names, "_type": "ClassLabel"}} if names else {}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    frame.write_parquet(path, metadata=about)
    return path


def test_class_numbers_get_their_names(tmp_path: Path) -> None:
    path = image_parquet(tmp_path / "train.parquet", [1, 0, -1, None, 5], ["frog", "a|b"], line=["x"] * 5)
    dataset = Dataset.read(path)
    assert seen(dataset) == [
        ("train.parquet#row=0", ("a|b",)), ("train.parquet#row=1", ("frog",)),
        ("train.parquet#row=2", None), ("train.parquet#row=3", None),
    ]  # fmt: skip
    assert dataset.bytes_of(1) == png(1)
    assert [(r.uri, r.code) for r in dataset.refusals] == [("train.parquet#row=4", "bad_row")]
    assert dataset.metadata("line") == ("x",) * 4
    assert dataset.splits[0] == "train"


@pytest.mark.parametrize("labels, expected", [
    (["x", "", None], [("x",), None, None]), ([3, 4, 3], [("3",), ("4",), ("3",)]),
    ([["x", "y"], [], None], [("x", "y"), (), None]), ([[1, 0], [], [-1]], [("1", "0"), (), ()]),
])  # fmt: skip
def test_labels_as_texts_numbers_and_lists(labels: list[object], expected: list[object], tmp_path: Path) -> None:
    found = Dataset.read(image_parquet(tmp_path / "a.parquet", labels))
    assert [s.labels and set(s.labels) for s in found.samples] == [e and set(e) for e in expected]  # type: ignore[call-overload]


def test_shards_in_a_folder_are_one_data_set(tmp_path: Path) -> None:
    image_parquet(tmp_path / "data/train-00000-of-00002.parquet", [0, 1], ["a", "b"])
    image_parquet(tmp_path / "data/train-00001-of-00002.parquet", [0] * 11, ["a", "b"])
    image_parquet(tmp_path / "data/validation-00000-of-00001.parquet", [1], ["a", "b"])
    dataset = Dataset.read(tmp_path)
    assert (len(dataset), dataset.splits.count("val")) == (14, 1)
    rows = [uri for uri in dataset.uris if "00001-of-00002" in uri]
    assert rows == [f"data/train-00001-of-00002.parquet#row={i}" for i in range(11)]
    assert dataset.bytes_of(13) == png(0)


def test_rows_without_bytes_are_found_by_path_or_refused(tmp_path: Path) -> None:
    put(tmp_path, "d/a.png")
    images = [{"bytes": None, "path": "d/a.png"}, {"bytes": b"", "path": "gone.png"}, {"bytes": None, "path": None}]
    schema = {"image": pl.Struct({"bytes": pl.Binary, "path": pl.String}), "label": pl.String}
    pl.DataFrame({"image": images, "label": ["x", "y", "z"]}, schema=schema).write_parquet(tmp_path / "t.parquet")
    dataset = Dataset.read(tmp_path / "t.parquet")
    assert seen(dataset) == [("d/a.png", ("x",))]
    assert codes(dataset) == ["empty_file", "file_not_found"]


def test_a_table_of_file_names_is_read_too(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    pl.DataFrame({"file_name": ["a.png"], "label": ["x"]}).write_parquet(tmp_path / "t.parquet")
    assert seen(Dataset.read(tmp_path / "t.parquet")) == [("a.png", ("x",))]
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "u.parquet")
    with pytest.raises(DataError) as caught:
        Dataset.read(tmp_path / "u.parquet")
    assert caught.value.reason is Reason.DATASET_FORMAT


def test_what_is_written_names_its_classes_for_others(tmp_path: Path) -> None:
    dataset = stored(tmp_path, [Sample("a.png", ("x",)), Sample("b.png", ("y",)), Sample("c.png")])
    write(dataset, tmp_path / "o.parquet", format="parquet")
    about = json.loads(pl.read_parquet_metadata(tmp_path / "o.parquet")["huggingface"])
    assert about["info"]["features"]["label"] == {"names": ["x", "y"], "_type": "ClassLabel"}
    assert pl.read_parquet(tmp_path / "o.parquet")["label"].to_list() == [0, 1, None]


def test_other_libraries_find_the_class_names(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet", reason="pyarrow stands for Hugging Face's datasets here")
    dataset = stored(tmp_path, [Sample("a.png", ("x",)), Sample("b.png", ("y",))])
    write(dataset, tmp_path / "o.parquet", format="parquet")
    assert b"huggingface" in pyarrow.read_schema(tmp_path / "o.parquet").metadata
    assert pyarrow.read_table(tmp_path / "o.parquet").to_pylist()[1]["image"]["bytes"] == png(1)


@pytest.mark.skipif(not (SHARED / "cifar10-test.parquet").is_file(), reason="needs ../shared/data")
def test_cifar_10_as_it_is_published() -> None:
    dataset = Dataset.read(SHARED / "cifar10-test.parquet")
    assert (len(dataset), dataset.refusals) == (10_000, ())
    assert dataset.schema is not None
    assert dataset.schema.names[:3] == ("airplane", "automobile", "bird")
    assert dataset.label_matrix().sum(axis=0).tolist() == [1000] * 10
    assert dataset.bytes_of(9_999)[:2] == b"\xff\xd8"
