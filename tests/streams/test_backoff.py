"""Waits before another attempt."""

from __future__ import annotations

import pytest

from tellapart.streams.backoff import Backoff


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(0.5, 30.0, "camera")
    waits_s = [backoff.failed() for _ in range(100)]
    for number, wait_s in enumerate(waits_s[:6]):
        assert 0.75 * 0.5 * 2**number <= wait_s <= 1.25 * 0.5 * 2**number
    assert max(waits_s) == 30.0
    assert min(waits_s[7:]) >= 0.75 * 30.0


def test_chance_is_that_of_the_name() -> None:
    same = [[Backoff(1, 30, name).failed() for _ in range(3)] for name in ("a", "a", "b")]
    assert same[0] == same[1] != same[2]


def test_a_camera_that_comes_and_goes_is_not_left_for_long() -> None:
    """A second of images after each loss: the wait would double up to half a minute though the camera is there."""
    backoff = Backoff(0.5, 30.0, "camera")
    waits_s = []
    for number in range(20):
        backoff.well(number * 2.0)
        backoff.well(number * 2.0 + 1)
        waits_s.append(backoff.failed())
    assert max(waits_s) <= 1.25 * 4 * 0.5


def test_a_few_good_seconds_make_the_next_failure_the_first() -> None:
    backoff = Backoff(1.0, 60.0, "camera")
    for _ in range(5):
        backoff.failed()
    backoff.well(100.0)
    backoff.well(104.0)
    assert 3.0 <= backoff.failed() <= 5.0
    backoff.well(200.0)
    backoff.well(205.0)
    assert backoff.failed() == pytest.approx(1.0, abs=0.25)


def test_good_seconds_from_before_a_failure_are_not_counted_again() -> None:
    """An image an hour, and each time it is lost at once: the camera is not well because it was an hour ago."""
    backoff = Backoff(1.0, 60.0, "camera")
    waits_s = []
    for hour in range(6):
        waits_s.append(backoff.failed())
        backoff.well(hour * 3600.0)
    assert min(waits_s[2:]) >= 0.75 * 4
