from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from tellapart import samples
from tellapart.errors import DataError, Reason, SettingsError

TINY = {"n_parts": 15, "frames_per_part": 2, "height_px": 32}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_folders_hold_the_photos_of_each_label(tmp_path: Path) -> None:
    samples.write_bottles(tmp_path / "line", **TINY)
    images = samples.bottles(**TINY)
    written = {p.relative_to(tmp_path / "line").as_posix(): p.read_bytes() for p in tmp_path.glob("line/*/*")}
    assert written == {f"{image.labels[0]}/{image.name}": image.jpeg for image in images}


def test_csv_lists_every_photo_once(tmp_path: Path) -> None:
    samples.write_bottles(tmp_path / "line", layout="csv", **TINY)
    table = rows(tmp_path / "line/metadata.csv")
    assert list(table[0]) == ["file_name", "label"]
    assert all((tmp_path / "line" / row["file_name"]).is_file() for row in table)
    assert Counter(row["label"] for row in table) == Counter(i.labels[0] for i in samples.bottles(**TINY))


def test_multilabel_is_written_as_csv_with_an_empty_list_for_good_bottles(tmp_path: Path) -> None:
    samples.write_bottles(tmp_path / "line", variant="multilabel", mislabelled=0, **TINY)
    cells = Counter(row["labels"] for row in rows(tmp_path / "line/metadata.csv"))
    assert cells["[]"] == 14
    assert any("|" in cell for cell in cells)


def test_the_truth_lies_beside_the_photos_only_on_request(tmp_path: Path) -> None:
    samples.write_bottles(tmp_path / "line", truth=tmp_path / "truth.csv", mislabelled=0.1, **TINY)
    table = rows(tmp_path / "truth.csv")
    assert tuple(table[0]) == samples.TRUTH_COLUMNS
    assert sum(row["label"] != row["true_label"] for row in table) == 3
    assert len({row["part"] for row in table}) == 15
    assert sorted(p.name for p in tmp_path.iterdir()) == ["line", "truth.csv"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError) as caught:
        samples.write_bottles(tmp_path, **TINY)
    assert caught.value.reason is Reason.OUTPUT_EXISTS
    assert str(caught.value) == f"{tmp_path} exists and is not an empty folder: choose another name or delete it"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "line").mkdir()
    samples.write_bottles(tmp_path / "line", **TINY)
    assert len(list(tmp_path.glob("line/*/*.jpg"))) == 30


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as caught:
        samples.write_bottles(tmp_path / "file" / "line", **TINY)
    assert caught.value.reason is Reason.WRITE_FAILED
    assert (
        str(caught.value)
        == f"the photos cannot be written to {tmp_path / 'file' / 'line'}: File exists ({tmp_path / 'file'})"
    )


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        samples.write_bottles(tmp_path / "line", progress=interrupt, **TINY)
    assert list(tmp_path.iterdir()) == []


def test_multilabel_has_no_folders(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        samples.write_bottles(tmp_path / "line", variant="multilabel", layout="folders", **TINY)
    assert str(caught.value) == "a multi-label photo has no single class folder: use layout 'csv'"
