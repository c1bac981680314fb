from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.data.tiny import codes, png, put, seen, stored

from tellapart.data.dataset import Dataset
from tellapart.data.files import has_image_magic, list_images
from tellapart.data.writers import write
from tellapart.errors import DataError, Reason
from tellapart.records import Sample

needs_links = pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs symbolic links")


def test_the_folder_is_the_label_and_order_means_nothing(tmp_path: Path) -> None:
    put(tmp_path, "zebra/2.png", "zebra/10.PNG", "ant/1.jpeg", "loose.png")
    dataset = Dataset.read(tmp_path)
    assert seen(dataset) == [
        ("ant/1.jpeg", ("ant",)), ("loose.png", None), ("zebra/10.PNG", ("zebra",)), ("zebra/2.png", ("zebra",)),
    ]  # fmt: skip
    assert (dataset.root, dataset.refusals, dataset.warnings) == (tmp_path, (), ())


@pytest.mark.parametrize(
    "names", [("Train", "valid", "testing"), ("training", "val", "test"), ("train", "dev", "TEST")]
)
def test_split_folders_are_honoured(names: tuple[str, str, str], tmp_path: Path) -> None:
    put(tmp_path, *[f"{split}/{label}/{i}.png" for i, split in enumerate(names) for label in ("a", "b")])
    put(tmp_path, f"{names[2]}/unknown.png")
    dataset = Dataset.read(tmp_path)
    assert {s.split for s in dataset.samples} == {"train", "val", "test"}
    assert {s.labels for s in dataset.samples} == {("a",), ("b",), None}
    assert {s.uri.split("/")[0]: s.split for s in dataset.samples} == dict(
        zip(names, ("train", "val", "test"), strict=True)
    )


def test_split_words_beside_other_classes_are_classes(tmp_path: Path) -> None:
    put(tmp_path, "train/a.png", "bus/b.png")
    assert [s.labels for s in Dataset.read(tmp_path).samples] == [("bus",), ("train",)]
    put(tmp_path, "test/a.png")
    assert Dataset.read(tmp_path).warnings == (
        "folders 'test', 'train' are read as classes, because 'bus' stands beside them",
    )
    (tmp_path / "bus/b.png").rename(tmp_path / "bus/notes.txt")  # A folder without images decides nothing.
    assert {s.split for s in Dataset.read(tmp_path).samples} == {"train", "test"}


def test_folders_in_class_folders_become_metadata(tmp_path: Path) -> None:
    put(tmp_path, "ok/cam1/day/a.png", "ok/b.png")
    dataset = Dataset.read(tmp_path)
    assert seen(dataset) == [("ok/b.png", ("ok",)), ("ok/cam1/day/a.png", ("ok",))]
    assert dataset.metadata("folder") == (None, "cam1/day")


def test_other_files_are_not_seen_and_images_without_suffix_are(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "a/.hidden.png", "a/._1.png", "a/Thumbs.db", "a/.git/2.png", "__MACOSX/3.png", "a/n02123",
        "a/photo.dat")  # fmt: skip
    (tmp_path / "a/label.txt").write_bytes(png())
    (tmp_path / "a/BMW").write_bytes(b"BM is short for Bayerische Motoren")
    (tmp_path / "a/drawing.svg").write_text("<svg/>")
    (tmp_path / "a/empty.jpg").touch()
    dataset = Dataset.read(tmp_path)
    assert [s.uri for s in dataset.samples] == ["a/1.png", "a/drawing.svg", "a/empty.jpg", "a/n02123", "a/photo.dat"]
    assert dataset.refusals == ()


def test_odd_names_are_kept(tmp_path: Path) -> None:
    names = ["a/two\nlines.png", "a/ü 日本.png", "a/'quote\".png", " spaced /x.png", "a/#row=1.png", "a/.. .png"]
    put(tmp_path, *[name for name in names if not Path(name).name.startswith(".")])
    dataset = Dataset.read(tmp_path)
    assert {s.labels for s in dataset.samples} == {("a",), ("spaced",)}
    assert all(dataset.bytes_of(i) for i in range(len(dataset)))


@pytest.mark.skipif(os.name == "nt", reason="Windows names are text")
def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png")
    (tmp_path / "a" / os.fsdecode(b"caf\xe9.png")).write_bytes(png())
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    dataset = Dataset.read(tmp_path)
    assert sorted((r.uri, r.code) for r in dataset.refusals) == [("a/caf\\xe9.png", "bad_row"), ("caf\\xe9", "bad_row")]
    assert len(dataset) == 1


@needs_links
def test_links_are_followed_once_and_dead_ones_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "a/sub/2.png")
    os.symlink(tmp_path / "a", tmp_path / "a/sub/loop")
    os.symlink(tmp_path, tmp_path / "a/up")
    os.symlink(tmp_path / "a/1.png", tmp_path / "a/link.png")
    os.symlink(tmp_path / "nowhere", tmp_path / "a/dead.png")
    os.mkfifo(tmp_path / "a/pipe.png")
    dataset = Dataset.read(tmp_path)
    assert [s.uri for s in dataset.samples] == ["a/1.png", "a/link.png", "a/sub/2.png"]
    assert [(r.uri, r.code) for r in dataset.refusals] == [
        ("a/dead.png", "file_not_found"),
        ("a/pipe.png", "not_a_file"),
    ] or (codes(dataset) == ["file_not_found", "not_a_file"])


def test_an_empty_folder_is_an_error_and_an_empty_class_a_warning(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        Dataset.read(tmp_path)
    assert caught.value.reason is Reason.DATASET_EMPTY
    assert str(caught.value) == f"{tmp_path} holds no images (folders: root/<class>/* or root/<split>/<class>/*)"
    put(tmp_path, "only/1.png")
    (tmp_path / "bare").mkdir()
    dataset = Dataset.read(tmp_path)
    assert (len(dataset), dataset.warnings) == (1, ("the folder 'bare' holds no image and gives no class",))


def test_an_annotation_file_in_the_folder_is_pointed_out(tmp_path: Path) -> None:
    put(tmp_path, "1.png")
    (tmp_path / "labels.csv").write_text("file_name,label\n1.png,a\n")
    told = "'labels.csv' lies in the folder and was not read; to use labels from a file, give that file"
    assert Dataset.read(tmp_path).warnings == (told,)


@pytest.mark.parametrize("head, is_image", [
    (png()[:16], True), (b"\xff\xd8\xff\xe0" + b"\0" * 12, True), (b"RIFF\0\0\0\0WEBPVP8 ", True),
    (b"\0\0\0\x20ftypavif\0\0\0\0", True), (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\0\0", True), (b"BM letters here!", False),
    (b"RIFF\0\0\0\0WAVEfmt ", False), (b"", False), (b"%PDF-1.7", False),
])  # fmt: skip
def test_first_bytes_tell_an_image(head: bytes, is_image: bool) -> None:
    assert has_image_magic(head) is is_image


def test_an_unreadable_folder_is_refused_not_fatal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a/1.png", "b/2.png")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = list_images(str(tmp_path))
    assert listing.uris == ["a/1.png"]
    assert [(r.uri, r.code) for r in listing.refusals] == [("b/", "permission_denied")]
    assert codes(Dataset.read(tmp_path)) == ["permission_denied"]


def test_labels_that_are_no_folder_names_are_refused(tmp_path: Path) -> None:
    dataset = stored(tmp_path / "in", [Sample("1.png", ("a/b",)), Sample("2.png", ("ok",)), Sample("3.png", ("test",))])
    report = write(dataset, tmp_path / "out", format="folders", copy=True)
    assert (report.n_written, [r.code for r in report.refusals]) == (1, ["bad_row", "bad_row"])
    with pytest.raises(DataError, match="holds one label per image"):
        write(stored(tmp_path / "in2", [Sample("1.png", ("a", "b"))]), tmp_path / "out2", format="folders")
    with pytest.raises(DataError) as caught:
        write(dataset, tmp_path / "out", format="folders")
    assert caught.value.reason is Reason.OUTPUT_EXISTS
