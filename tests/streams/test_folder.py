"""Folders that files are put into."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.streams.shots import Read, source_of

from tellapart.errors import Reason, StreamError
from tellapart.streams.sources import folder as folder_module


def put(folder: Path, name: str, data: bytes = b"image") -> Path:
    """Written as careful programs do it: whole, or not at all."""
    path = folder / name
    path.with_name(f".{name}").write_bytes(data)
    return path.with_name(f".{name}").replace(path)


def names(shots: list[object]) -> list[str]:
    return [Path(shot.uri).name for shot in shots]  # type: ignore[attr-defined]


def test_files_that_are_there_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("c.jpg", "a.png", "b.JPEG"):
        put(tmp_path, name, name.encode())
    with Read(source_of(tmp_path, settled_s=0.05)) as read:
        shots = read.some(3)
        assert read.nothing()
    assert names(shots) == ["a.png", "b.JPEG", "c.jpg"]  # type: ignore[arg-type]
    assert [shot.image for shot in shots] == [b"a.png", b"b.JPEG", b"c.jpg"]
    assert shots[0].at_s < shots[1].at_s < shots[2].at_s
    assert shots[0].uri == str(tmp_path / "a.png")


def test_what_is_there_at_the_start_may_be_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", b"one")
    with Read(source_of(tmp_path, settled_s=0.05, existing="skip")) as read:
        assert read.nothing()
        put(tmp_path, "b.jpg", b"two")
        assert names([read.next()]) == ["b.jpg"]
        path = put(tmp_path, "a.jpg", b"other")
        os.utime(path, (5, 5))
        assert names([read.next()]) == ["a.jpg"]


def test_a_file_is_delivered_once_and_anew_when_it_is_written_anew(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jpg", b"one")
    with Read(source_of(tmp_path, settled_s=0.05)) as read:
        assert read.next().image == b"one"
        put(tmp_path, "b.jpg", b"two")
        assert read.next().image == b"two"
        put(tmp_path, "a.jpg", b"three")
        os.utime(path, (5, 5))
        assert read.next().image == b"three"
        assert read.nothing()


def test_a_file_that_grows_is_waited_for(tmp_path: Path) -> None:
    """It is written for as long as five looks; half of it is never delivered."""
    with Read(source_of(tmp_path, settled_s=0.4)) as read, (tmp_path / "a.jpg").open("wb", buffering=0) as file:
        for _ in range(5):
            before = read.n_alive
            file.write(b"x" * 100)
            while read.n_alive == before:
                pass
        assert read.next().image == b"x" * 500


@pytest.mark.parametrize(
    "name", [".a.jpg", "~a.jpg", "a.jpg.tmp", "a.jpg.part", "a.crdownload", "a.txt", "a.jpg~", "a.mp4"]
)
def test_names_that_are_not_meant_are_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    put(tmp_path, "z.jpg")
    with Read(source_of(tmp_path, settled_s=0.05)) as read:
        assert names([read.next()]) == ["z.jpg"]
        assert read.nothing()


def test_an_empty_and_a_huge_file_are_refused_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "MAX_BYTES", 10)
    put(tmp_path, "empty.jpg", b"")
    put(tmp_path, "huge.jpg", b"x" * 11)
    with Read(source_of(tmp_path, settled_s=0.05)) as read:
        first, second = read.some(2)
        assert read.nothing()
    assert (first.image, first.refused) == (None, "the file is empty")
    assert (second.image, second.refused) == (None, "the file has more than 0 MB")


def test_a_folder_that_goes_away_is_lost_and_comes_back_without_its_old_files(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    folder.mkdir()
    put(folder, "a.jpg")
    source = source_of(folder, settled_s=0.05)
    with Read(source) as read:
        read.next()
        folder.rename(elsewhere)
        assert read.rest() == []
        assert isinstance(read.fault, StreamError)
        assert read.fault.reason is Reason.SOURCE_LOST
        assert (
            str(read.fault)
            == f"the folder {folder} cannot be listed (No such file or directory): it is looked for again"
        )
    elsewhere.rename(folder)
    put(folder, "b.jpg")
    with Read(source) as read:
        assert names([read.next()]) == ["b.jpg"]
        assert read.nothing()


def test_a_file_that_cannot_be_read_is_refused_once_and_taken_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "_TRY_AGAIN_S", 0.3)
    put(tmp_path, "a.jpg")
    put(tmp_path, "b.jpg", b"fine")
    read_bytes = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == "a.jpg" and locked:
            n_tried.append(1)
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    locked, n_tried = True, []
    with Read(source_of(tmp_path, settled_s=0.05)) as read:
        first, second = read.some(2)
        assert read.nothing()
        while len(n_tried) < 3:
            assert read.nothing()
        locked = False
        third = read.next()
        assert (third.image, Path(third.uri).name) == (b"image", "a.jpg")
        assert read.nothing()
    assert first.refused == "a.jpg cannot be read (Permission denied)"
    assert second.image == b"fine"


def test_a_file_that_changes_while_it_is_read_is_taken_as_it_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "a.jpg", b"one")
    read_bytes, n_read = Path.read_bytes, []

    def torn(path: Path) -> bytes:
        n_read.append(1)
        data = read_bytes(path)
        if len(n_read) == 1:
            put(tmp_path, "a.jpg", b"two")
            os.utime(path, (5, 5))
            return b"onE"
        return data

    monkeypatch.setattr(Path, "read_bytes", torn)
    with Read(source_of(tmp_path, settled_s=0.05)) as read:
        assert read.next().image == b"two"
        assert read.nothing()
    assert path.exists()


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_can_be_written_into_journals(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff\n.jpg", "wb") as file:
        file.write(b"image")
    with Read(source_of(tmp_path, settled_s=0.05)) as read:
        shot = read.next()
    assert (shot.image, shot.uri) == (b"image", f"{tmp_path}/\\xff\n.jpg")
    assert shot.uri.encode()


def test_files_that_are_not_wanted_are_not_read(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    with Read(source_of(tmp_path, settled_s=0.05), wanted=False) as read:
        shot = read.next()
    assert (shot.image, shot.refused) == (None, "")


def test_hundreds_of_files_pass_once_each(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number:05d}.jpg").write_bytes(b"x")
    with Read(source_of(tmp_path, settled_s=0.05)) as read:
        assert names(read.some(600)) == [f"{number:05d}.jpg" for number in range(600)]  # type: ignore[arg-type]
        assert read.nothing()
