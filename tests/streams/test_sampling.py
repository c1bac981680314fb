"""Which images are looked at: rates without drift, movement in regions, triggers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tellapart.records.roi import Roi
from tellapart.settings.stream import Motion, Sample
from tellapart.streams.sampling import AtRate, AtTrigger, EveryImage, Sampler, WhereItMoves, covered, sampler_of

GREY = np.full((90, 160, 3), 100, np.uint8)


def taken(sampler: Sampler, times_s: list[float]) -> list[float]:
    return [at_s for at_s in times_s if sampler.due(at_s) and sampler.takes(at_s, GREY)]


@pytest.mark.parametrize(
    ("camera_fps", "fps", "expected"),
    [
        (25, 2, 2.0),
        (30, 4, 4.0),
        (25, 25, 25.0),
        (29.97, 3, 3.0),
        (10, 7, 7.0),
        (1, 2, 1.0),
        (60, 0.5, 0.5),
        (25, 24, 24.0),
    ],
)
def test_a_rate_does_not_drift(camera_fps: float, fps: float, expected: float) -> None:
    """Ten minutes of a camera: as many images as asked for, of a slower camera all of them."""
    times_s = [1e9 + number / camera_fps for number in range(int(600 * camera_fps))]
    assert len(taken(AtRate(fps), times_s)) == pytest.approx(600 * expected, abs=1)


def test_a_camera_that_jitters_loses_no_image_at_its_own_rate() -> None:
    chance = np.random.default_rng(3)
    times_s = [float(number / 25 + chance.uniform(-0.008, 0.008)) for number in range(5000)]
    assert len(taken(AtRate(25), times_s)) == pytest.approx(5000, abs=5)


def test_after_a_pause_nothing_is_made_up_for() -> None:
    times_s = [number / 25 for number in range(100)] + [100 + number / 25 for number in range(101)]
    late = [at_s for at_s in taken(AtRate(2), times_s) if at_s >= 100]
    assert len(late) == pytest.approx(9, abs=1)
    assert min(np.diff(late)) > 0.4


@given(st.lists(st.floats(0.001, 3.0), min_size=2, max_size=200), st.floats(0.2, 30))
def test_never_more_than_asked_for(gaps_s: list[float], fps: float) -> None:
    times_s = np.cumsum(gaps_s).tolist()
    chosen = taken(AtRate(fps), times_s)
    assert chosen[0] == times_s[0]
    assert len(chosen) <= (times_s[-1] - times_s[0]) * fps + 2


def shifted(n_columns: int) -> NDArray[np.uint8]:
    """A bright square whose left edge stands at this column."""
    pixels = GREY.copy()
    pixels[40:60, n_columns : n_columns + 20] = 200
    return pixels


def test_movement_is_told_from_stillness() -> None:
    sampler = WhereItMoves(0.01, 5, 10, ())
    chosen = [
        second
        for second in range(30)
        if sampler.due(second) and sampler.takes(second, shifted(40 if second < 15 else min(140, (second - 10) * 10)))
    ]
    moving = [second for second in chosen if second in range(15, 25)]
    assert chosen[:2] == [0, 10]  # the first one, and one after ten still seconds
    assert moving[:5] == [15, 16, 17, 18, 19]


def test_noise_is_no_movement() -> None:
    chance = np.random.default_rng(1)
    sampler = WhereItMoves(0.01, 5, 1000, ())
    noisy = [np.clip(chance.normal(100, 6, GREY.shape), 0, 255).astype(np.uint8) for _ in range(20)]
    assert [second for second, one in enumerate(noisy) if sampler.due(second) and sampler.takes(second, one)] == [0]


def test_movement_outside_the_regions_does_not_count() -> None:
    left = Roi(((0.0, 0.0), (0.4, 1.0)), "left")
    right = Roi(((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0)), "right")
    for regions, expected in (((left,), False), ((right,), True), ((left, right), True), ((), True)):
        sampler = WhereItMoves(0.01, 5, 1000, regions)
        assert sampler.takes(0, shifted(70))
        assert sampler.takes(1, shifted(120)) == expected


def test_what_creeps_moves_at_last() -> None:
    sampler = WhereItMoves(0.02, 5, 1000, ())
    chosen = [second for second in range(40) if sampler.due(second) and sampler.takes(second, shifted(40 + second))]
    assert len(chosen) > 2


def test_an_image_that_cannot_be_decoded_is_taken_so_that_it_is_refused_by_name() -> None:
    assert WhereItMoves(0.01, 5, 10, ()).takes(0, None)


def test_a_trigger_takes_one() -> None:
    sampler = AtTrigger()
    assert taken(sampler, [1.0]) == []
    sampler.fire()
    assert taken(sampler, [2.0, 3.0]) == [2.0]


@pytest.mark.parametrize(
    ("sample", "files", "kind"),
    [
        (None, False, AtRate),
        (None, True, EveryImage),
        (Sample(fps=3), True, AtRate),
        (Sample(every=True), False, EveryImage),
        (Sample(motion=Motion()), False, WhereItMoves),
        (Sample(trigger="part"), False, AtTrigger),
    ],
)
def test_settings_choose(sample: Sample | None, files: bool, kind: type) -> None:
    assert type(sampler_of(sample, files=files, regions=())) is kind


def test_a_polygon_covers_the_pixels_within() -> None:
    triangle = Roi(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
    mask = covered(triangle, 4, 4)
    np.testing.assert_array_equal(mask.sum(axis=1), [3, 2, 1, 0] if not mask[0, 3] else [4, 3, 2, 1])
    assert covered(Roi(((0.5, 0.0), (1.0, 1.0))), 4, 4).sum() == 8
