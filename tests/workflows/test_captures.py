"""Cameras and times from the files, where the data set has none of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.builders import jpeg_bytes, picture, png_bytes
from tests.image.test_capture import exif

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.records import Sample
from tellapart.workflows.captures import with_captures

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def photos(folder: Path, n: int = 200) -> Path:
    """Two classes; nearly all images of the second by another camera, a day later."""
    for i in range(n):
        of_second = i % 2 and i % 30 != 1
        taken = START + timedelta(days=1 if of_second else 0, minutes=i)
        block = exif("Acme", "B-2" if of_second else "A-1", f"{taken:%Y:%m:%d %H:%M:%S}")
        path = folder / ("good", "bad")[i % 2] / f"{i:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg_bytes(picture(seed=i), exif=block))
    return folder


def test_the_camera_and_the_time_become_facts(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes(exif=exif("Acme", "A-1", "2026:03:04 05:06:07")))
    (tmp_path / "b.png").write_bytes(png_bytes())
    found = with_captures(Dataset.from_samples([Sample("a.jpg"), Sample("b.png"), Sample("gone.jpg")], root=tmp_path))
    assert found.metadata("camera") == ("Acme A-1", None, None)
    assert found.table["captured_at"].to_list() == [START, None, None]


def test_the_users_own_columns_win(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes(exif=exif("Acme", "A-1", "2026:03:04 05:06:07")))
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    own = Dataset.from_samples([Sample("a.jpg", metadata={"camera": "left"}, captured_at=noon)], root=tmp_path)
    assert with_captures(own) is own


def test_files_that_say_nothing_add_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes())
    found = with_captures(Dataset.from_samples([Sample("a.png"), Sample("t.parquet#row=1")], root=tmp_path))
    assert found.metadata_keys == ()


def test_a_check_finds_that_the_camera_tells_the_label(tmp_path: Path) -> None:
    found = ta.check(photos(tmp_path), only=["shortcuts"]).findings
    assert [finding.sentence.split(" alone tells ")[0] for finding in found] == [
        "the time of capture",
        "the column 'camera'",
    ]
