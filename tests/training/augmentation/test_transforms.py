"""Augmented pixels: the same for the same seed wherever they are made, and never more than was promised."""

from __future__ import annotations

import colorsys
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from tests.builders import picture

from tellapart.image.preprocess import PreprocessSpec, default_spec
from tellapart.image.types import RgbImage
from tellapart.settings.recipe import Augmentation, Preset
from tellapart.training.augmentation.presets import PRESETS
from tellapart.training.augmentation.transforms import make_pipeline, make_transform, seed_of

Pixels = NDArray[np.uint8]
WITHOUT_TORCH = tuple(name for name, preset in PRESETS.items() if preset.automatic == "none")
presets = st.sampled_from(WITHOUT_TORCH)
seeds = st.integers(0, 2**100)
images = st.tuples(st.integers(1, 50), st.integers(1, 50)).flatmap(
    lambda size: arrays(np.uint8, (*size, 3), elements=st.integers(0, 255), fill=st.integers(0, 255))
)


def strongest(**differs: object) -> Augmentation:
    """Every pixel operation but the automatic ones, always."""
    every = {
        "horizontal_flip": 1,
        "vertical_flip": 1,
        "quarter_turns": True,
        "rotation_degrees": 180,
        "crop": 0.0,
        "brightness": 1,
        "saturation": 1,
        "hue": 0.5,
        "blur": 1,
        "erasing": 1,
    }
    return Augmentation.model_validate({"preset": "none", **every, **differs})


@settings(max_examples=60, deadline=None)
@given(images, presets, seeds)
def test_any_image_comes_back_as_pixels_and_twice_the_same(pixels: Pixels, preset: Preset, seed: int) -> None:
    before = pixels.copy()
    augment = make_transform(Augmentation(preset=preset))
    made = augment(pixels, seed)
    assert made.dtype == np.uint8
    assert made.ndim == 3
    assert made.shape[2] == 3
    assert min(made.shape) >= 1
    np.testing.assert_array_equal(made, augment(pixels, seed))
    np.testing.assert_array_equal(pixels, before)


@settings(max_examples=60, deadline=None)
@given(images, seeds)
def test_the_strongest_survives_as_well(pixels: Pixels, seed: int) -> None:
    made = make_transform(strongest())(pixels, seed)
    assert made.dtype == np.uint8
    assert min(made.shape) >= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_hardly_any_pixels_are_enough(size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 77, np.uint8)
    for seed in range(50):
        assert min(make_transform(strongest())(pixels, seed).shape) >= 1


@settings(max_examples=30, deadline=None)
@given(images, seeds)
def test_none_is_the_image_itself(pixels: Pixels, seed: int) -> None:
    assert make_transform(Augmentation(preset="none"))(pixels, seed) is pixels
    assert make_transform(Augmentation(preset="none", mixup=1, cutmix=1))(pixels, seed) is pixels


@pytest.mark.parametrize("preset", [name for name in WITHOUT_TORCH if name != "none"])
def test_other_seeds_give_other_pixels(preset: Preset) -> None:
    augment = make_transform(Augmentation(preset=preset))
    made = {augment(picture(), seed_of(0, epoch, index)).tobytes() for epoch in range(5) for index in range(5)}
    assert len(made) == 25


def test_seeds_differ_for_every_place_in_a_training() -> None:
    places = [(seed, epoch, index) for seed in (0, 1, 2**31) for epoch in (0, 1, 999) for index in (0, 1, 2**40)]
    assert len({seed_of(*place) for place in places}) == len(places)


def test_threads_and_copies_give_the_same_pixels_and_no_global_generator_is_touched() -> None:
    import random

    state, numpy_state = random.getstate(), np.random.get_state()[1]  # noqa: NPY002
    augment = make_transform(Augmentation(preset="standard", blur=0.5))
    wanted = [augment(picture(), seed).tobytes() for seed in range(40)]
    copy = pickle.loads(pickle.dumps(augment))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda seed: copy(picture(), seed).tobytes(), range(40))) == wanted
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@settings(max_examples=25, deadline=None)
@given(images, presets, seeds, st.sampled_from(["fit(24)", "squash(16x20)", "resize_short(18)|center_crop(16)"]))
def test_the_pipeline_is_the_transform_and_then_the_spec(pixels: Pixels, preset: Preset, seed: int, last: str) -> None:
    spec = PreprocessSpec.parse(f"decode|upright|{last}")
    augmentation = Augmentation(preset=preset)
    made = make_pipeline(augmentation, spec)(pixels, seed)
    alone = make_transform(augmentation)(pixels, seed)
    np.testing.assert_array_equal(made, spec.transform(RgbImage(alone, (alone.shape[1], alone.shape[0]))))


def test_read_only_pixels_of_a_file_will_do() -> None:
    pixels = picture()
    pixels.setflags(write=False)
    assert make_transform(strongest())(pixels, 1).shape[2] == 3
    assert make_pipeline(strongest(), default_spec(16))(pixels[:, ::-1], 1).shape == (16, 16, 3)


def test_where_colour_matters_a_colour_stays_what_it_is() -> None:
    augment = make_transform(Augmentation(preset="colour-matters", erasing=0))
    for colour in ((200, 40, 40), (230, 160, 30), (40, 90, 200), (60, 180, 75)):
        for seed in range(40):
            seen = augment(np.full((24, 24, 3), colour, np.uint8), seed).reshape(-1, 3).mean(axis=0) / 255
            hue, saturation, value = np.subtract(
                colorsys.rgb_to_hsv(*seen), colorsys.rgb_to_hsv(*np.divide(colour, 255))
            )
            assert abs(hue) < 0.01
            assert abs(saturation) < 0.06
            assert abs(value) < 0.11


def corner_colours(pixels: Pixels) -> Pixels:
    """Mean colours of the four corners: top left, top right, bottom left, bottom right."""
    h, w = pixels.shape[0] // 4 or 1, pixels.shape[1] // 4 or 1
    parts = [pixels[:h, :w], pixels[:h, -w:], pixels[-h:, :w], pixels[-h:, -w:]]
    return np.stack([part.reshape(-1, 3).mean(axis=0) for part in parts])


def seen_way_round(pixels: Pixels) -> tuple[int, ...]:
    """Which of the four corners of `picture` lies in each corner."""
    wanted = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]])
    distances = np.linalg.norm(corner_colours(pixels)[:, None] - wanted[None], axis=2)
    return tuple(int(i) for i in distances.argmin(axis=1))


def ways_round(augmentation: Augmentation) -> set[tuple[int, ...]]:
    augment = make_transform(augmentation.model_copy(update={"erasing": 0.0}))
    return {seen_way_round(augment(picture(48, 48), seed)) for seed in range(60)}


def test_where_orientation_matters_no_picture_is_mirrored_or_turned() -> None:
    assert ways_round(Augmentation(preset="orientation-matters")) == {(0, 1, 2, 3)}


def test_photos_are_mirrored_left_to_right_alone() -> None:
    for preset in ("light", "standard", "colour-matters"):
        assert ways_round(Augmentation(preset=preset)) == {(0, 1, 2, 3), (1, 0, 3, 2)}


def test_small_defects_are_seen_in_all_eight_ways_and_never_lost() -> None:
    assert len(ways_round(Augmentation(preset="small-defects"))) == 8
    pixels = np.full((40, 60, 3), 120, np.uint8)
    augment = make_transform(Augmentation(preset="small-defects"))
    rng = Random(3)
    for seed in range(60):
        defect = pixels.copy()
        y, x = rng.randrange(40), rng.randrange(60)
        defect[y, x] = 30
        made = augment(defect, seed).mean(axis=2)
        assert sorted(made.shape) == [40, 60]
        assert (made < made.max() - 40).sum() == 1


def test_blur_removes_the_same_detail_at_every_size() -> None:
    """Fine stripes survive, in a larger picture of them as well as in a small one."""
    augment: Callable[[Pixels, int], Pixels] = make_transform(Augmentation(preset="none", blur=1))

    def contrast(side: int, seed: int) -> float:
        stripes = np.tile((np.arange(side) * 28 // side % 2 * 200).astype(np.uint8)[None, :, None], (side, 1, 3))
        return float(augment(stripes, seed).std() / stripes.std())

    for seed in range(5):
        assert contrast(224, seed) == pytest.approx(contrast(448, seed), abs=0.06)


@pytest.mark.parametrize("field", ["horizontal_flip", "vertical_flip", "blur", "erasing"])
def test_a_probability_is_how_often_it_happens(field: str) -> None:
    augment = make_transform(Augmentation.model_validate({"preset": "none", field: 0.3}))
    pixels = picture(200, 200)
    changed = sum(not np.array_equal(augment(pixels, seed), pixels) for seed in range(400))
    assert 0.22 * 400 < changed < 0.38 * 400


def test_what_the_picture_does_not_cover_is_left_out() -> None:
    """905 rows at a quarter of the size are 226.25 rows in 227: unaugmented exactly as in the finished model."""
    pixels, spec = picture(30, 20), default_spec(16)
    pixels[:, 28:], pixels[19:] = 255, 255
    box = (0.0, 0.0, 28.0, 19.0)
    whole = RgbImage(pixels, (112, 76), (0.0, 0.0, 27.6, 18.2))
    plain = make_pipeline(Augmentation(preset="none"), spec)
    np.testing.assert_array_equal(plain(pixels, 0, whole.box), spec.transform(whole))
    for seed in range(5):
        augment = make_pipeline(Augmentation(preset="standard"), spec)
        wanted = augment(np.ascontiguousarray(pixels[:19, :28]), seed)
        np.testing.assert_array_equal(augment(pixels, seed, box), wanted)
        np.testing.assert_array_equal(augment(pixels, seed, (0.0, 0.0, 28.9, 19.9)), wanted)
    assert plain(pixels, 0, (0.0, 0.0, 0.4, 0.4)).shape == (16, 16, 3)
    assert augment(pixels, 0, (0.0, 0.0, 0.4, 0.4)).shape == (16, 16, 3)


def test_a_pipeline_can_be_sent_to_another_process() -> None:
    pipeline = make_pipeline(Augmentation(preset="standard"), default_spec(16))
    copy = pickle.loads(pickle.dumps(pipeline))
    assert copy == pipeline
    np.testing.assert_array_equal(copy(picture(), 3), pipeline(picture(), 3))
