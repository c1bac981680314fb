"""What is said of pictures that went wrong."""

from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.hygiene.picture_quality import planted, with_facts

from tellapart.data.hygiene.picture_quality import find
from tellapart.data.hygiene.protocol import Severity


def test_the_sentences() -> None:
    assert [f"{found.sentence}; {found.remedy}" for found in find(planted())] == [
        "1 image is of one single colour: 'bad/00000.png'; nothing can be seen, so nothing be learned: drop what is empty",
        "2 images are much darker than the others, such as 'bad/00002.png'; "
        "look whether the exposure failed; if so drop them or take them again",
        "1 image is much brighter than the others: 'good/00003.png'; "
        "look whether the exposure failed; if so drop them or take them again",
        "1 image is almost without contrast: 'bad/00004.png'; "
        "look for fog, dirt or a wrong exposure; if so drop them or take them again",
        "1 image is much more blurred than the others: 'good/00005.png'; "
        "look at the focus; drop them unless new images will be as blurred",
        "1 image is tiny, the short side under 16 pixels or a quarter of what is usual: 'bad/00006.png'; "
        "look for previews among the images, and put the originals in their place",
        "1 image is much longer than wide, 4 to 1 or more, unlike the others: 'good/00007.png'; "
        "look for strips and panoramas; cut them to what matters",
    ]


def test_a_set_of_night_shots_is_dark_and_no_image_of_it_is() -> None:
    assert find(with_facts(brightness={row: 0.02 + row % 7 / 1000 for row in range(400)})) == []


def test_a_second_camera_is_no_outlier() -> None:
    night = with_facts(brightness=dict.fromkeys(range(0, 400, 4), 0.1))
    assert find(night) == []
    few = with_facts(brightness=dict.fromkeys(range(0, 400, 40), 0.01), contrast=dict.fromkeys(range(0, 400, 40), 0.01))
    assert [found.severity for found in find(few)] == [Severity.WARNING]


def test_under_a_fixed_light_small_differences_are_no_deviations() -> None:
    fixed = dict.fromkeys(range(400), 0.5)
    assert find(with_facts(brightness=fixed | {9: 0.66})) == []
    assert [found.rows for found in find(with_facts(brightness=fixed | {9: 0.72}))] == [(9,)]


def test_a_faint_picture_is_not_blurred() -> None:
    """A third of the contrast has a ninth of the Laplacian's variance, at the same focus."""
    faint = with_facts()
    faint.statistics[3, 1:3] = [0.2 / 3, 0.01 / 9]
    assert find(faint) == []


@pytest.mark.parametrize("size", [(15, 15), (200, 12)])
def test_under_16_pixels_an_image_is_tiny_wherever_it_lies(size: tuple[int, int]) -> None:
    width, height = size
    rows = range(3)
    (found, *_) = find(with_facts(3, width_px=dict.fromkeys(rows, width), height_px=dict.fromkeys(rows, height)))
    assert found.rows == (0, 1, 2)
    assert found.severity is Severity.WARNING


def test_a_lamp_in_the_night_is_no_failed_exposure() -> None:
    assert find(with_facts(brightness={3: 0.03}, contrast={3: 0.05}, sharpness={3: 0.000625})) == []
    assert [found.rows for found in find(with_facts(brightness={3: 0.03}, contrast={3: 0.015}))] == [(3,)]


def test_portraits_among_landscapes_are_as_long() -> None:
    turned = dict.fromkeys(range(40), 480), dict.fromkeys(range(40), 640)
    assert find(with_facts(width_px=turned[0], height_px=turned[1])) == []


def test_panoramas_are_long_where_all_are() -> None:
    assert find(with_facts(width_px=dict.fromkeys(range(400), 3000))) == []


def test_an_empty_image_is_dropped_even_alone() -> None:
    (found,) = find(with_facts(1, contrast={0: 0}, sharpness={0: 0}))
    assert [one.action for one in found.proposals] == ["drop"]


def test_every_number_is_finite() -> None:
    black = with_facts(60, contrast=dict.fromkeys(range(60), 0), brightness=dict.fromkeys(range(60), 0))
    assert all(np.isfinite(found.scores).all() for found in find(black))
