"""Jobs as folders: written once, found again, refused where they are damaged or another's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.training.finetune.jobs import labelled, pictures, targets, tiny_job

from tellapart.errors import Reason, TrainingError
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.shrink import shrunk
from tellapart.image.types import RgbImage
from tellapart.records import Task
from tellapart.settings.recipe import Finetune
from tellapart.training.finetune.job import Labelled, read_job, read_result, run_job, write_job
from tellapart.training.finetune.pixels import PixelStore


def test_pixels_come_back_as_they_were_put(tmp_path: Path) -> None:
    tiny_job(tmp_path, n_train=4, n_val=2)
    store = PixelStore(tmp_path)
    wanted = [*pictures(4), *pictures(2, 1)]
    assert len(store) == 6
    assert all(np.array_equal(store[row].pixels, image.pixels) for row, image in enumerate(wanted))
    assert np.array_equal(np.load(tmp_path / "targets.npy"), np.concatenate([targets(4), targets(2)]))


@pytest.mark.parametrize(("spec", "size"), [("fit(32)", (48, 24)), ("resize_short(36)|center_crop(32)", (108, 54))])
def test_images_shrink_to_one_and_a_half_times_what_the_spec_needs(spec: str, size: tuple[int, int]) -> None:
    image = RgbImage(np.full((200, 400, 3), 90, np.uint8), (400, 200))
    small = shrunk(image, PreprocessSpec.parse(f"decode|upright|{spec}")).pixels
    assert (small.shape[1], small.shape[0]) == size
    assert (small == 90).all()


def test_what_a_reduced_decoding_left_over_hardly_shows() -> None:
    """Rows beyond `box` are no part of the picture."""
    pixels = np.zeros((101, 100, 3), np.uint8)
    pixels[100] = 255
    small = shrunk(
        RgbImage(pixels, (400, 400), (0.0, 0.0, 100.0, 100.0)), PreprocessSpec.parse("decode|upright|fit(20)")
    )
    assert small.pixels.shape == (30, 30, 3)
    assert small.pixels.max() < 40  # the filter reaches beyond the edge; a row of its own would be twice as bright
    assert small.box is None


def test_small_images_stay_and_keep_their_box(tmp_path: Path) -> None:
    image = RgbImage(np.arange(9 * 9 * 3, dtype=np.uint8).reshape(9, 9, 3), (9, 9), (0.0, 0.0, 8.5, 9.0))
    spec = PreprocessSpec.parse("decode|upright|fit(32)")
    assert shrunk(image, spec) is image
    write(tmp_path, [image, image], targets(2))
    kept = PixelStore(tmp_path)[1]
    assert kept.box == image.box
    assert np.array_equal(spec.transform(kept), spec.transform(image))


def write(folder: Path, images: list[RgbImage | None], columns: np.ndarray) -> None:
    write_job(
        folder, finetune=Finetune(), network="lenet", spec="decode|upright|fit(32)", task=Task.MULTICLASS, n_classes=3,
        train=Labelled(images, columns), val=Labelled([], columns[:0]),
    )  # fmt: skip


def test_images_that_cannot_be_read_are_left_out_with_their_targets(tmp_path: Path) -> None:
    a, _, c = pictures(3)
    write(tmp_path, [a, None, c], targets(3))
    job = read_job(tmp_path)
    assert (job.n_train, job.n_val, job.skipped) == (2, 0, 1)
    assert np.load(tmp_path / "targets.npy").argmax(1).tolist() == [0, 2]


def test_not_one_image(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^there is not one image to learn from$") as caught:
        write(tmp_path, [None], targets(1))
    assert caught.value.reason is Reason.TOO_FEW_IMAGES


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """Images are asked for one at a time, each when the one before is written."""
    alive: list[int] = []

    def watched() -> Iterator[RgbImage]:
        for number, image in enumerate(pictures(5)):
            written = tmp_path / "pixels.bin"
            alive.append(number - written.stat().st_size // image.pixels.nbytes)
            yield image

    import io

    unbuffered = io.DEFAULT_BUFFER_SIZE
    assert unbuffered < 40 * 36 * 3 * 4
    write_job(
        tmp_path, finetune=Finetune(), network="lenet", spec="decode|upright|fit(32)", task=Task.MULTICLASS, n_classes=3,
        train=Labelled(watched(), targets(5)), val=Labelled([], targets(0)),
    )  # fmt: skip
    assert max(alive) <= 3


def test_the_same_job_is_found_and_its_images_are_not_read_again(tmp_path: Path) -> None:
    before = tiny_job(tmp_path)

    def unread() -> Iterator[RgbImage]:
        raise AssertionError("read again")
        yield

    again = write_job(
        tmp_path, finetune=before.finetune, network="lenet", spec=before.spec, task=Task.MULTICLASS, n_classes=3,
        train=Labelled(unread(), targets(24)), val=Labelled(unread(), targets(9)),
    )  # fmt: skip
    assert again == before


def test_how_images_are_loaded_may_change(tmp_path: Path) -> None:
    tiny_job(tmp_path)
    assert tiny_job(tmp_path, loaders=2, processes=2).finetune.loaders == 2
    assert read_job(tmp_path).finetune.processes == 2


def test_another_recipe_is_refused_with_what_differs(tmp_path: Path) -> None:
    tiny_job(tmp_path)
    with pytest.raises(TrainingError) as caught:
        tiny_job(tmp_path, epochs=3, optimizer={"lr": 0.01})
    assert caught.value.reason is Reason.JOB_DIFFERS
    assert str(caught.value) == (
        f"the unfinished training in {tmp_path} was another one: finetune.epochs was 2, now 3; finetune.optimizer.lr was "
        '"auto", now 0.01. Ask for the same again, or start afresh'
    )
    with pytest.raises(TrainingError, match=r"was another one: other images or labels. Ask"):
        tiny_job(tmp_path, n_train=25)


def test_a_folder_without_its_job_is_written_anew(tmp_path: Path) -> None:
    tiny_job(tmp_path, n_train=30)
    (tmp_path / "job.json").unlink()
    assert tiny_job(tmp_path).n_train == 24
    assert len(PixelStore(tmp_path)) == 33


def test_a_full_disk_while_images_are_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(TrainingError) as caught:
        tiny_job(tmp_path)
    assert caught.value.reason is Reason.WRITE_FAILED
    assert str(caught.value) == f"the images of the training cannot be written to {tmp_path}: No space left on device"
    assert not (tmp_path / "job.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("job.json", b"{", "job.json is no job that can be trained (1 faults, the first: the file: Invalid JSON"),
        ("job.json", b"{}", "job.json is no job that can be trained (8 faults, the first: finetune: Field required"),
        ("pixels.bin", b"\0" * 100, "are damaged or incomplete; start it afresh"),
        ("pixels.npy", b"nothing", "cannot be read ("),
        ("targets.npy", b"nothing", "targets.npy of the training cannot be read ("),
        ("result.json", b"{}", "result.json is damaged; start the training afresh"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    pytest.importorskip("torch")
    tiny_job(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError) as caught:
        run_job(tmp_path)
    assert caught.value.reason is Reason.JOB_DAMAGED
    assert message in str(caught.value)


def test_targets_of_another_job_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    tiny_job(tmp_path)
    np.save(tmp_path / "targets.npy", np.zeros((5, 3), np.float32))
    with pytest.raises(
        TrainingError, match=r"has 33 images and targets \(5, 3\), but its job.json speaks of 33 images"
    ):
        run_job(tmp_path)


def test_a_folder_that_is_no_job(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"is no job that can be trained \(No such"):
        run_job(tmp_path)
    assert read_result(tmp_path) is None


def test_a_job_is_plain_json(tmp_path: Path) -> None:
    tiny_job(tmp_path)
    assert json.loads((tmp_path / "job.json").read_text())["finetune"]["epochs"] == 2


def test_labelled_images_and_targets_must_be_as_many(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_job(
            tmp_path, finetune=Finetune(), network="lenet", spec="decode|upright|fit(32)", task=Task.MULTICLASS, n_classes=3,
            train=Labelled(pictures(3), targets(4)), val=labelled(0),
        )  # fmt: skip
