"""The contact sheet shows what the network will see, and which images it is drawn of."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.builders import picture

from tellapart.image.preprocess import PreprocessSpec, default_spec
from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.contact_sheet import N_VARIANTS, contact_sheet, rows_to_show
from tellapart.training.augmentation.transforms import make_pipeline, seed_of

IMAGES = [picture(40, 30, 0), picture(20, 50, 1), picture(8, 8, 2)]


def cells(sheet: bytes, n_rows: int, width: int, height: int) -> NDArray[np.uint8]:
    """(rows, columns, height, width, 3), from the bottom: above is text."""
    pixels = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB"))
    step_y, step_x = height + 4, width + 4
    rows = [pixels[-(n_rows - i) * step_y :][:height] for i in range(n_rows)]
    return np.stack([[row[:, 4 + j * step_x :][:, :width] for j in range(N_VARIANTS + 1)] for row in rows])


def test_cells_are_the_network_s_own_pixels() -> None:
    """Here 32 px, shown three times as large."""
    augmentation, spec = Augmentation(preset="standard"), default_spec(32)
    shown = cells(contact_sheet(IMAGES, augmentation, spec, seed=5), 3, 96, 96)[:, :, 1::3, 1::3]
    for row, pixels in enumerate(IMAGES):
        np.testing.assert_array_equal(shown[row, 0], spec.geometry(Image.fromarray(pixels)))
        for epoch in range(N_VARIANTS):
            wanted = make_pipeline(augmentation, spec)(pixels, seed_of(5, epoch, row))
            np.testing.assert_array_equal(shown[row, 1 + epoch], wanted)


def test_without_augmentation_all_columns_are_alike() -> None:
    shown = cells(contact_sheet(IMAGES, Augmentation(preset="none"), default_spec(100)), 3, 100, 100)
    assert (shown == shown[:, :1]).all()


@pytest.mark.parametrize(
    "spec, size", [("squash(40x10)", (120, 30)), ("squash(600x300)", (176, 88)), ("fit(1)", (96, 96))]
)
def test_cells_of_any_shape_can_be_looked_at(spec: str, size: tuple[int, int]) -> None:
    sheet = contact_sheet(IMAGES[:1], Augmentation(preset="light"), PreprocessSpec.parse(f"decode|upright|{spec}"))
    picture_ = Image.open(io.BytesIO(sheet))
    assert picture_.format == "PNG"
    assert picture_.width == 4 + 8 * (size[0] + 4)
    assert size[1] < picture_.height < size[1] + 220


def test_the_same_seed_gives_the_same_file() -> None:
    sheets = [contact_sheet(IMAGES, Augmentation(), default_spec(16), seed) for seed in (1, 1, 2)]
    assert sheets[0] == sheets[1] != sheets[2]


def test_mixtures_are_in_the_last_columns() -> None:
    pytest.importorskip("torch")
    augmentation = Augmentation(preset="none", mixup=0.2, cutmix=1)
    grey = [np.full((100, 100, 3), value, np.uint8) for value in (0, 100, 200)]
    shown = cells(contact_sheet(grey, augmentation, default_spec(100)), 3, 100, 100)
    assert (shown[:, :6] == shown[:, :1]).all()
    blended, pasted = shown[:, 6], shown[:, 7]
    assert all(len(np.unique(cell)) == 1 for cell in blended)
    assert not set(np.unique(blended)) <= {0, 100, 200}
    assert {len(np.unique(cell)) for cell in pasted} == {2}
    assert set(np.unique(pasted)) == {0, 100, 200}


def test_one_image_alone_cannot_be_mixed_and_is_shown() -> None:
    pytest.importorskip("torch")
    shown = cells(contact_sheet(IMAGES[:1], Augmentation(preset="none", mixup=1), default_spec(100)), 1, 100, 100)
    assert (shown == shown[:, :1]).all()


def test_images_of_all_classes_in_turn() -> None:
    targets = np.eye(4, dtype=np.uint8)[[0] * 50 + [1] * 2 + [2] * 1 + [3] * 30]
    rows = rows_to_show(targets, 8)
    assert np.argmax(targets[rows], axis=1).tolist() == [0, 1, 2, 3, 0, 1, 3, 0]
    assert len(set(rows)) == 8
    assert rows_to_show(targets, 8, seed=1) != rows
    assert sorted(rows_to_show(targets, 1000)) == list(range(83))


def test_images_of_several_labels_are_shown_once() -> None:
    targets = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 0]], np.uint8)
    assert sorted(rows_to_show(targets, 6)) == [0, 1]
