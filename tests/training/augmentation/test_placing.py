"""Crops keep the aspect, turns show the picture mirrored beyond its edges, and nothing becomes black."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.builders import picture

from tellapart.training.augmentation.placing import crop_box, cropped, mirrored_beyond, turned_crop, warped

sides = st.integers(1, 400)


@given(st.tuples(sides, sides), st.floats(0, 1), st.integers(0, 10**9))
def test_a_crop_lies_within_and_keeps_share_and_aspect(size: tuple[int, int], smallest: float, seed: int) -> None:
    left, top, right, bottom = crop_box(size, smallest, Random(seed))
    width, height = right - left, bottom - top
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert (width + 0.5) * (height + 0.5) >= smallest * size[0] * size[1] * 0.999
    if min(width, height) > 1:
        assert abs(width - height * size[0] / size[1]) <= 0.5 + 0.5 * size[0] / size[1]


def test_crops_reach_every_part_and_every_size() -> None:
    boxes = [crop_box((100, 60), 0.25, Random(seed)) for seed in range(500)]
    areas = np.array([(right - left) * (bottom - top) / 6000 for left, top, right, bottom in boxes])
    assert areas.min() < 0.27
    assert areas.max() > 0.97
    assert areas.mean() == pytest.approx(0.625, abs=0.03)
    assert {left for left, *_ in boxes} >= {0, 10, 20, 30}
    assert crop_box((100, 60), 1, Random(0)) == (0, 0, 100, 60)


def test_no_turn_is_the_crop() -> None:
    image = Image.fromarray(picture(40, 30))
    for box in ((0, 0, 40, 30), (3, 5, 20, 29)):
        np.testing.assert_array_equal(np.asarray(turned_crop(image, box, 0)), np.asarray(cropped(image, box)))


def test_quarter_turns_of_a_square_are_exact() -> None:
    image = Image.fromarray(picture(31, 31))
    for degrees, turn in ((90, 1), (180, 2), (-90, 3)):
        made = np.asarray(turned_crop(image, (0, 0, 31, 31), degrees)).astype(int)
        assert np.abs(made - np.rot90(np.asarray(image), turn)).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 300), (64, 48)])
@pytest.mark.parametrize("degrees", [-180, -33, 7.5, 90, 135])
def test_a_turned_image_has_no_corner_of_another_colour(size: tuple[int, int], degrees: float) -> None:
    pixels = np.random.default_rng(0).integers(100, 201, (size[1], size[0], 3)).astype(np.uint8)
    made = np.asarray(turned_crop(Image.fromarray(pixels), (0, 0, *size), degrees))
    assert made.shape == pixels.shape
    assert made.min() >= 60  # bicubic may overshoot
    assert made.max() <= 240


def test_beyond_the_edge_the_picture_is_mirrored() -> None:
    image = Image.fromarray(picture(20, 10))
    moved = np.asarray(warped(image, (1, 0, -6, 0, 1, 0), (20, 10)))
    np.testing.assert_array_equal(moved[:, 6:], np.asarray(image)[:, :14])
    np.testing.assert_array_equal(moved[:, :6], np.asarray(image)[:, 5::-1])


def test_a_turned_crop_shows_the_real_surroundings() -> None:
    """A crop from the middle turns what lies around it in: nothing is mirrored where there is picture."""
    whole = Image.fromarray(picture(60, 60))
    all_turned = np.asarray(turned_crop(whole, (0, 0, 60, 60), 10)).astype(int)
    part = np.asarray(turned_crop(whole, (20, 20, 40, 40), 10)).astype(int)
    assert np.abs(part - all_turned[20:40, 20:40]).max() <= 1


@pytest.mark.parametrize(
    "x, y", [((0, 0), (0, 0)), ((3, 0), (0, 2)), ((20, 20), (10, 10)), ((21, 3), (4, 50)), ((1, 0), (9, 9))]
)
def test_mirroring_is_numpys(x: tuple[int, int], y: tuple[int, int]) -> None:
    pixels = picture(20, 10)
    made = np.asarray(mirrored_beyond(Image.fromarray(pixels), x, y))
    np.testing.assert_array_equal(made, np.pad(pixels, (y, x, (0, 0)), mode="symmetric"))


@pytest.mark.parametrize("side, how", [(32, Image.Resampling.BICUBIC), (224, Image.Resampling.BILINEAR)])
def test_small_images_are_turned_with_the_sharper_kernel(side: int, how: Image.Resampling) -> None:
    grain = Image.fromarray(np.random.default_rng(0).integers(80, 176, (side, side, 3)).astype(np.uint8))
    inner = slice(side // 4, -side // 4)
    made = np.asarray(turned_crop(grain, (0, 0, side, side), 6)).astype(int)[inner, inner]
    assert np.abs(made - np.asarray(grain.rotate(6, how))[inner, inner]).max() <= 1
