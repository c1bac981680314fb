"""Regions: rounded outward, polygons masked, the same pixels on both paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.builders import picture

from tellapart.errors import ImageError, Reason, SpecError
from tellapart.image.decode import Decoded
from tellapart.image.roi import _Region, crop, crop_decoded
from tellapart.image.types import Box, RgbImage
from tellapart.records import Roi

IMAGE = RgbImage(picture(40, 20), (400, 200))


def test_a_rectangle() -> None:
    region = crop(IMAGE, Roi(((0.25, 0.5), (0.75, 1.0))))
    assert np.array_equal(region.pixels, IMAGE.pixels[10:20, 10:30])
    assert region.original_size == (400, 200)


def test_the_whole_image() -> None:
    assert np.array_equal(crop(IMAGE, Roi(((0.0, 0.0), (1.0, 1.0)))).pixels, IMAGE.pixels)


def test_outside_a_polygon_is_background() -> None:
    triangle = Roi(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
    pixels = crop(IMAGE, triangle, background=(1, 2, 3)).pixels
    assert pixels.shape == (20, 40, 3)
    assert pixels[19, 39].tolist() == [1, 2, 3]
    assert np.array_equal(pixels[5, 5], IMAGE.pixels[5, 5])
    outside = (pixels == (1, 2, 3)).all(axis=2).mean()
    assert outside == pytest.approx(0.5, abs=0.05)


def test_a_polygon_that_is_a_rectangle_masks_nothing() -> None:
    square = Roi(((0.25, 0.5), (0.75, 0.5), (0.75, 1.0), (0.25, 1.0)))
    assert np.array_equal(crop(IMAGE, square, background=(9, 9, 9)).pixels, IMAGE.pixels[10:20, 10:30])


def test_a_polygon_on_one_line_is_refused() -> None:
    with pytest.raises(ImageError) as caught:
        crop(IMAGE, Roi(((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)), "edge"))
    assert caught.value.reason is Reason.ROI_EMPTY
    assert str(caught.value) == "region 'edge' has no area: its points lie on one line"


unit = st.floats(0, 1, allow_subnormal=False)


@given(st.tuples(unit, unit), st.tuples(unit, unit), st.integers(1, 3000), st.integers(1, 3000))
def test_boxes_lie_inside_and_hold_the_region(xs: tuple[float, float], ys: tuple[float, float], w: int, h: int) -> None:
    (x0, x1), (y0, y1) = sorted(xs), sorted(ys)
    if x0 == x1 or y0 == y1:
        return
    left, top, right, bottom = _Region.of(Roi(((x0, y0), (x1, y1))), (w, h), None).pixels
    assert 0 <= left < right <= w
    assert 0 <= top < bottom <= h
    assert left <= x0 * w + 1e-5
    assert right >= x1 * w - 1e-5
    assert right - left <= (x1 - x0) * w + 2


def test_rounding_noise_costs_no_pixel() -> None:
    assert _Region.of(Roi(((0.1, 0.3), (0.7, 0.9))), (10, 10), None).pixels == (1, 3, 7, 9)


def test_a_picture_that_covers_a_part_of_its_pixels() -> None:
    """Regions are relative to the picture, not to the fraction of a pixel that reduced decoding adds."""
    image = RgbImage(picture(40, 20), (400, 200), (0.5, 0.0, 40.0, 19.25))
    whole = crop(image, Roi(((0.0, 0.0), (1.0, 1.0))))
    assert whole.pixels.shape == (20, 40, 3)
    assert whole.box == (0.5, 0.0, 40.0, 19.25)
    corner = crop(image, Roi(((0.5, 0.5), (1.0, 1.0))))
    assert corner.pixels.shape == (11, 20, 3)
    assert corner.box == (0.0, 0.0, 20.0, 10.25)


@pytest.mark.parametrize("box", [None, (0.5, 0.25, 37.0, 22.5)])
@pytest.mark.parametrize("points", [((0.1, 0.2), (0.9, 0.8)), ((0.1, 0.1), (0.9, 0.3), (0.4, 0.9))])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_both_paths_agree(points: tuple[tuple[float, float], ...], mode: str, box: Box | None) -> None:
    image = Image.fromarray(picture(37, 23)).convert(mode)
    as_rgb = RgbImage(np.asarray(image.convert("RGB")), image.size, box)
    one = crop_decoded(Decoded(image, image.size, box), Roi(points), (7, 8, 9)).to_rgb()
    other = crop(as_rgb, Roi(points), background=(7, 8, 9))
    assert np.array_equal(one.pixels, other.pixels)
    assert one.box == other.box
    assert (one.box is None) == (box is None)


def test_corners_the_wrong_way_round_are_told() -> None:
    with pytest.raises(SpecError) as caught:
        Roi(((0.7, 0.1), (0.3, 0.5)), "cap")
    assert str(caught.value) == (
        "region 'cap' has no area: x0, y0 are the upper left corner of a rectangle and x1, y1 the lower right one, got "
        "((0.7, 0.1), (0.3, 0.5))"
    )
