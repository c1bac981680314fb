"""Frozen and black pictures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.streams.signs import BLACK_AFTER_S, Sign, Signs, is_black

LIVE, FROZEN, BLACK = Sign("live", False), Sign("frozen", True), Sign("black", True)
DARK_BUT_NOT_YET = Sign("live", True)


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((60, 80, 3), level, np.uint8)


def judged(signs: Signs, *pictures: tuple[float, NDArray[np.uint8]]) -> list[Sign]:
    return [signs.judge(at_s, pixels, pixels[::4, ::4]) for at_s, pixels in pictures]


def test_the_same_picture_for_long_is_frozen() -> None:
    signs = Signs(2.0, None)
    still = [(second, grey(90)) for second in (0.0, 1.0, 1.9, 2.0, 3.0)]
    assert judged(signs, *still, (4.0, grey(91)), (5.0, grey(91)), (6.0, grey(91))) == [
        *[LIVE] * 3,
        *[FROZEN] * 2,
        *[LIVE] * 2,
        FROZEN,
    ]


def test_one_pixel_that_changes_is_life() -> None:
    """Also one that the small copy leaves out."""
    signs = Signs(2.0, None)
    for second in range(6):
        pixels = grey(90)
        pixels[1, 1] = 90 + second
        assert judged(signs, (float(second), pixels)) == [LIVE]


def test_another_size_is_another_picture() -> None:
    signs = Signs(1.0, None)
    assert judged(signs, (0.0, grey(9)), (2.0, grey(9)[:40]), (2.5, grey(9)[:40])) == [LIVE] * 3


def test_bytes_are_compared_as_bytes() -> None:
    signs = Signs(1.0, None)
    small = grey(90)[::4, ::4]
    assert signs.judge(0.0, b"one", small) == LIVE
    assert signs.judge(1.0, b"two", small) == LIVE
    assert signs.judge(2.0, b"two", small) == FROZEN


def test_black_is_withheld_at_once_and_a_state_after_a_second() -> None:
    signs = Signs(None, 8.0)
    assert judged(
        signs, (0.0, grey(50)), (0.5, grey(3)), (0.9, grey(3)), (BLACK_AFTER_S, grey(3)), (2.0, grey(50))
    ) == [
        LIVE,
        DARK_BUT_NOT_YET,
        DARK_BUT_NOT_YET,
        BLACK,
        LIVE,
    ]


def test_a_flash_of_darkness_after_a_long_bright_time_is_no_state() -> None:
    """What is black is counted from the last bright image on, not from the start."""
    seen = [(0.0, grey(50)), (30.0, grey(60)), (30.4, grey(3)), (30.8, grey(50)), (31.2, grey(3)), (31.7, grey(3))]
    assert judged(Signs(10.0, 8.0), *seen) == [LIVE, LIVE, DARK_BUT_NOT_YET, LIVE, *[DARK_BUT_NOT_YET] * 2]


def test_black_from_the_start_is_black_after_a_second() -> None:
    assert judged(Signs(10.0, 8.0), (1e9, grey(0)), (1e9 + 1.0, grey(0))) == [DARK_BUT_NOT_YET, BLACK]


def test_black_comes_before_frozen() -> None:
    assert judged(Signs(1.0, 8.0), *[(float(second), grey(2)) for second in range(4)])[-1] == BLACK


def test_neither_is_looked_for() -> None:
    assert judged(Signs(None, None), *[(float(second), grey(0)) for second in range(4)]) == [LIVE] * 4


@pytest.mark.parametrize(
    ("level", "spot", "expected"),
    [
        (7, None, True),
        (8, None, False),
        (0, (slice(0, 6), slice(0, 80)), True),  # the time, at the top
        (0, (slice(54, 60), slice(0, 80)), True),  # and at the bottom
        (0, (slice(20, 30), slice(20, 60)), False),  # a lamp
        (0, (slice(30, 32), slice(30, 34)), True),  # a warm pixel or two
    ],
)
def test_what_is_black(level: int, spot: tuple[slice, slice] | None, expected: bool) -> None:
    pixels = grey(level)
    if spot is not None:
        pixels[spot] = 220
    assert is_black(pixels, 8.0) is expected


def test_a_dark_colour_is_no_black() -> None:
    blue = np.zeros((60, 80, 3), np.uint8)
    blue[..., 2] = 60
    assert not is_black(blue, 8.0)
