from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.tiny import codes, png, put, stored

from tellapart.data.containers import content_id
from tellapart.data.dataset import Dataset
from tellapart.errors import DataError, ImageError, Reason
from tellapart.records import LabelSchema, Refusal, Roi, Sample, Task

ROI = Roi(((0.25, 0.0), (1.0, 0.5)), "left")
SAMPLES = [
    Sample("b.png", ("ok",), id="1" * 64, group="g", split="train", metadata={"line": "3"}),
    Sample("a.png", ("crack",), id="2" * 64, roi=ROI, captured_at=datetime(2026, 3, 1, tzinfo=UTC)),
    Sample("c.png", None, id="3" * 64),
]


def test_samples_come_back_in_their_order() -> None:
    dataset = Dataset.from_samples(SAMPLES)
    assert dataset.samples == tuple(SAMPLES)
    assert (len(dataset), dataset.uris) == (3, ("b.png", "a.png", "c.png"))
    assert dataset.metadata("line") == ("3", None, None)


@pytest.mark.parametrize(
    "labels, task",
    [
        ([("a",), ("b",)], Task.BINARY),
        ([("a",), ("b",), ("c",), None], Task.MULTICLASS),
        ([("a",), ("a",)], Task.MULTICLASS),
        ([("a",), ("a", "b")], Task.MULTILABEL),
        ([("a",), ()], Task.MULTILABEL),
        ([None, None], None),
    ],
)
def test_the_task_follows_from_the_labels(labels: list[tuple[str, ...] | None], task: Task | None) -> None:
    dataset = Dataset.from_samples([Sample(f"{i}.png", names) for i, names in enumerate(labels)])
    assert dataset.task is task
    assert (dataset.schema is None) == (task is None)


def test_task_and_positive_can_be_overridden() -> None:
    samples = [Sample("a", ("good",)), Sample("b", ("scratch",))]
    assert Dataset.from_samples(samples).schema == LabelSchema.from_names(["good", "scratch"], task=Task.BINARY)
    turned = Dataset.from_samples(samples, positive="good").schema
    assert turned is not None
    assert turned.positive == "good"
    assert Dataset.from_samples(samples, task="multilabel").task is Task.MULTILABEL
    assert Dataset.from_samples(samples, task=Task.MULTICLASS).task is Task.MULTICLASS


def test_an_exclusive_task_refuses_images_with_other_than_one_label() -> None:
    samples = [Sample("a", ("x",)), Sample("b", ("x", "y")), Sample("c", ()), Sample("d", ("y",))]
    dataset = Dataset.from_samples(samples, task="multiclass")
    assert dataset.uris == ("a", "d")
    assert codes(dataset) == ["label_conflict", "label_conflict"]
    assert dataset.refusals[0].message == "'b' must have exactly one label for this task, it has: x, y"


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"task": "binary"},
            "a binary task has two labels, this data has 3: 'a', 'b', 'c'; merge some with a label map",
        ),
        ({"task": "ternary"}, "a task is binary, multiclass or multilabel, got 'ternary'"),
        ({"positive": "z"}, "positive label 'z' is not in the data, which has 'a', 'b', 'c'"),
    ],
)
def test_overrides_that_do_not_fit_are_explained(options: dict[str, str], message: str) -> None:
    samples = [Sample(name, (name,)) for name in "abc"]
    with pytest.raises(DataError) as caught:
        Dataset.from_samples(samples, **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_names_that_differ_in_case_or_spacing_are_kept_and_reported() -> None:
    samples = [
        Sample("1", ("Crack",)),
        Sample("2", (" crack ",)),
        Sample("3", ("hair line",)),
        Sample("4", ("hair_line",)),
    ]
    dataset = Dataset.from_samples(samples)
    assert dataset.schema is not None
    assert dataset.schema.names == ("Crack", "crack", "hair line", "hair_line")
    assert dataset.warnings == (
        "labels 'Crack', 'crack' differ only in case or spacing and are kept apart; "
        "if they mean the same, merge them with a label map: rename: {'crack': 'Crack'}",
        "labels 'hair line', 'hair_line' differ only in case or spacing and are kept apart; "
        "if they mean the same, merge them with a label map: rename: {'hair_line': 'hair line'}",
    )


def test_the_label_matrix_has_a_column_per_name() -> None:
    dataset = Dataset.from_samples([Sample("1", ("b", "a")), Sample("2", ()), Sample("3", ("c",))])
    assert dataset.label_matrix().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert dataset.label_matrix().dtype == np.uint8
    wider = LabelSchema.from_names("zcba", task=Task.MULTILABEL)
    assert dataset.label_matrix(wider).tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]
    with pytest.raises(DataError) as caught:
        dataset.label_matrix(LabelSchema.from_names("ab", task=Task.MULTILABEL))
    assert caught.value.reason is Reason.UNKNOWN_LABEL


def test_unlabelled_rows_have_no_row_of_zeros() -> None:
    dataset = Dataset.from_samples(SAMPLES)
    with pytest.raises(DataError) as caught:
        dataset.label_matrix()
    assert str(caught.value) == "1 of 3 images have no label; take dataset.subset(dataset.labelled) first"
    assert dataset.subset(dataset.labelled).label_matrix().tolist() == [[0, 1], [1, 0]]


def test_subset_takes_masks_and_indices_and_keeps_the_schema() -> None:
    dataset = Dataset.from_samples(SAMPLES)
    assert dataset.subset([True, False, True]).uris == ("b.png", "c.png")
    assert dataset.subset([2, 0]).uris == ("c.png", "b.png")
    assert dataset.subset([2]).schema == dataset.schema
    assert len(dataset.subset([])) == 0
    with pytest.raises(DataError, match="a mask has one value per sample, 3, got shape"):
        dataset.subset([True])


def test_nothing_changes_in_place() -> None:
    dataset = Dataset.from_samples(SAMPLES)
    other = dataset.with_ids("xyz").with_groups(["1", None, "2"]).with_splits(["Training", "valid", None])
    assert dataset.samples == tuple(SAMPLES)
    assert (other.ids, other.groups, other.splits) == (("x", "y", "z"), ("1", None, "2"), ("train", "val", None))
    with pytest.raises(DataError, match="one value per sample, 3, got 1"):
        dataset.with_ids(["x"])
    with pytest.raises(DataError, match="a split is train, val or test, got 'fold1'"):
        dataset.with_splits(["fold1", None, None])


@given(st.permutations(range(3)), st.sampled_from(["/elsewhere", None]))
def test_the_fingerprint_ignores_order_and_place(order: list[int], root: str | None) -> None:
    moved = Dataset.from_samples([SAMPLES[i] for i in order], root=root)
    assert moved.fingerprint == Dataset.from_samples(SAMPLES).fingerprint


@pytest.mark.parametrize("field, value", [("labels", ("x",)), ("id", "9"), ("group", "h"), ("roi", None)])
def test_the_fingerprint_sees_ids_labels_groups_and_regions(field: str, value: object) -> None:
    from dataclasses import replace

    changed = [SAMPLES[0], replace(SAMPLES[1], **{field: value}), SAMPLES[2]]  # type: ignore[arg-type]
    assert Dataset.from_samples(changed).fingerprint != Dataset.from_samples(SAMPLES).fingerprint


def test_a_data_set_survives_its_file(tmp_path: Path) -> None:
    refusal = Refusal("x.png", "bad_row", "why")
    dataset = Dataset.from_samples(SAMPLES, root=tmp_path / "in", refusals=[refusal], positive="ok", warnings=["w"])
    dataset.to_parquet(tmp_path / "set.parquet")
    for back in (Dataset.from_parquet(tmp_path / "set.parquet"), Dataset.read(tmp_path / "set.parquet")):
        assert back.samples == dataset.samples
        assert (back.schema, back.refusals, back.warnings) == (dataset.schema, (refusal,), ("w",))
        assert back.root == tmp_path / "in"
        assert back.fingerprint == dataset.fingerprint
    with pytest.raises(DataError) as caught:
        dataset.to_parquet(tmp_path / "set.parquet")
    assert caught.value.reason is Reason.OUTPUT_EXISTS
    dataset.to_parquet(tmp_path / "set.parquet", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["set.parquet"]


def test_a_saved_data_set_moves_with_its_folder(tmp_path: Path) -> None:
    stored(tmp_path / "old", SAMPLES).to_parquet(tmp_path / "old/set.parquet")
    (tmp_path / "old").rename(tmp_path / "new")
    assert Dataset.from_parquet(tmp_path / "new/set.parquet").bytes_of(0) == png(0)


def test_a_saved_data_set_beside_its_images_does_not_hide_them(tmp_path: Path) -> None:
    dataset = Dataset.read(put(tmp_path, "a/1.png", "b/2.png"))
    dataset.to_parquet(tmp_path / "set.parquet")
    assert Dataset.read(tmp_path).samples == dataset.samples == Dataset.read(tmp_path / "set.parquet").samples


@pytest.mark.parametrize("content", [b"", b"PAR1 no", b"x" * 1000])
def test_a_damaged_file_is_one_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "set.parquet").write_bytes(content)
    for read in (Dataset.from_parquet, Dataset.read):
        with pytest.raises(DataError) as caught:
            read(tmp_path / "set.parquet")
        assert caught.value.reason is Reason.DATASET_FORMAT


def test_bytes_come_from_files_and_rows(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "b/2.png")
    dataset = Dataset.read(tmp_path)
    assert dataset.bytes_of(1) == png(1)
    assert content_id(dataset.bytes_of(0)) != content_id(dataset.bytes_of(1))
    (tmp_path / "a/1.png").unlink()
    with pytest.raises(ImageError) as caught:
        dataset.bytes_of(0)
    assert caught.value.reason is Reason.FILE_NOT_FOUND


def test_an_unknown_metadata_column_names_the_known() -> None:
    with pytest.raises(DataError) as caught:
        Dataset.from_samples(SAMPLES).metadata("lime")
    assert str(caught.value) == "no metadata column 'lime'; there are: line"
