"""Regions drawn on a picture: what is seen, what lies in shade, and that nothing odd breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tellapart.errors import SpecError
from tellapart.image.region_map import COLOURS, region_map
from tellapart.records.roi import Roi

GREY = np.full((600, 800, 3), 200, np.uint8)


def framed(rois: list[Roi], legend: list[str] | None = None) -> NDArray[np.uint8]:
    """The picture of a grey image without its margins, which are white."""
    drawn = region_map(GREY, rois, legend or [])
    left, top = round(20 * 2.6), round(20 * 1.7)
    return drawn[top : top + 600, left : left + 800]


def test_what_is_outside_of_all_regions_lies_in_shade() -> None:
    inside = framed([Roi(((0.5, 0.5), (1.0, 1.0)), "a")])
    assert (inside[450, 650] == 200).all()
    assert (inside[130, 130] == 70).all()
    both = framed([Roi(((0.5, 0.5), (1.0, 1.0)), "a"), Roi(((0.1, 0.1), (0.3, 0.3)), "b")])
    assert (both[130, 130] == 200).all()


def test_without_regions_nothing_is_shaded() -> None:
    assert (framed([])[130, 130] == 200).all()


def test_a_polygon_is_lit_as_it_is_cut_out_and_its_rectangle_dashed() -> None:
    drawn = framed([Roi(((0.2, 0.2), (0.8, 0.2), (0.2, 0.8)), "corner")])
    assert (drawn[190, 250] == 200).all()
    assert (drawn[430, 600] == 70).all()
    right_edge = drawn[150:460, round(0.8 * 799)]
    dashed = (right_edge == COLOURS[0]).all(axis=1)
    assert 0.2 < dashed.mean() < 0.7


def test_each_region_has_a_colour_of_its_own_at_the_border_too() -> None:
    drawn = framed([Roi(((0.0, 0.0), (0.5, 1.0)), "left"), Roi(((0.5, 0.0), (1.0, 1.0)), "right")])
    for number, x in ((0, 0), (1, 799)):
        assert (drawn[100:500, x] == COLOURS[number]).all(axis=1).mean() > 0.9


def test_names_that_would_stand_on_one_another_move_down() -> None:
    same = [Roi(((0.1, 0.1), (0.9, 0.9)), name) for name in ("first", "second", "third")]
    column = framed(same)[:, 90]
    middles = [float(np.median(np.flatnonzero((column == COLOURS[i]).all(axis=1)))) for i in range(3)]
    assert min(np.diff(middles)) >= 20


def test_the_legend_takes_as_many_lines_as_it_needs() -> None:
    roi = [Roi(((0.1, 0.1), (0.9, 0.9)), "a")]
    short, long = (region_map(GREY, roi, ["word " * n]).shape[0] for n in (3, 60))
    assert long > short


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6), max_size=4),
    st.sampled_from([(1, 1), (3, 700), (480, 640), (1500, 40)]),
)
def test_any_regions_of_any_picture_are_drawn(shapes: list[list[tuple[float, float]]], size: tuple[int, int]) -> None:
    rois = []
    for points in shapes:
        try:
            rois.append(Roi(tuple(points), "n" * len(points)))
        except SpecError:
            continue
    drawn = region_map(np.zeros((*size, 3), np.uint8), rois, [roi.name for roi in rois])
    assert drawn.dtype == np.uint8
    assert max(drawn.shape) < 4000


def test_the_picture_given_is_left_as_it_was() -> None:
    before = GREY.copy()
    region_map(GREY, [Roi(((0.1, 0.1), (0.9, 0.9)))], [""])
    assert (before == GREY).all()


@pytest.mark.parametrize("n", [8, 15])
def test_more_regions_than_colours_are_drawn(n: int) -> None:
    assert framed([Roi(((i / n, 0.0), ((i + 1) / n, 1.0)), str(i)) for i in range(n)]).shape == (600, 800, 3)
