"""One matrix does what torchvision does in four passes."""

from __future__ import annotations

import colorsys
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from tests.builders import picture

from tellapart.settings.recipe import Augmentation
from tellapart.training.augmentation.colour import coloured, hue_matrix, jitter, mean_grey, product, saturation_matrix
from tellapart.training.augmentation.presets import resolved


def muted(seed: int = 0) -> Image.Image:
    """Colours that no change of a fifth drives to 0 or 255."""
    return Image.fromarray((picture(40, 30, seed) // 3 + 80).astype(np.uint8))


def test_saturation_is_pillows() -> None:
    image = muted()
    for factor in (0.0, 0.5, 1.3):
        ours, theirs = coloured(image, saturation_matrix(factor)), ImageEnhance.Color(image).enhance(factor)
        difference = np.abs(np.asarray(ours).astype(int) - np.asarray(theirs))
        assert difference.max() <= 2  # both round, Pillow twice


def test_brightness_and_contrast_together_are_pillows_one_after_the_other() -> None:
    image, full = muted(), resolved(Augmentation(preset="none", brightness=0.2))
    for seed in range(20):
        rng, theirs = Random(seed), Random(seed)
        brightness, contrast = 1 + theirs.uniform(-0.2, 0.2), 1 + theirs.uniform(-0.2, 0.2)
        wanted = ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(brightness)).enhance(contrast)
        difference = np.abs(np.asarray(jitter(image, full, rng)).astype(int) - np.asarray(wanted))
        assert difference.max() <= 3


@pytest.mark.parametrize("turn", [-0.25, -0.05, 0.02, 0.1, 1 / 3])
def test_hue_turns_by_the_share_of_the_circle(turn: float) -> None:
    for colour in ((160, 90, 90), (90, 150, 100), (100, 95, 140), (150, 140, 90)):
        seen = coloured(Image.new("RGB", (1, 1), colour), hue_matrix(turn)).tobytes()
        moved = colorsys.rgb_to_hsv(*seen)[0] - colorsys.rgb_to_hsv(*colour)[0] - turn
        assert abs((moved + 0.5) % 1 - 0.5) < 0.012


def test_a_third_of_the_circle_is_another_order_of_channels() -> None:
    pixels = picture()
    made = np.asarray(coloured(Image.fromarray(pixels), hue_matrix(1 / 3)))
    np.testing.assert_array_equal(made, pixels[..., [2, 0, 1]])


def test_grey_has_no_hue_and_no_saturation_to_lose() -> None:
    grey = Image.fromarray(np.repeat(picture()[..., :1], 3, axis=2))
    full = resolved(Augmentation(preset="none", saturation=1, hue=0.5))
    for seed in range(20):
        np.testing.assert_array_equal(np.asarray(jitter(grey, full, Random(seed))), np.asarray(grey))


def test_nothing_to_do_is_the_image_itself() -> None:
    image = muted()
    assert jitter(image, resolved(Augmentation(preset="none")), Random(0)) is image


def test_the_mean_of_a_sample_is_near_that_of_all() -> None:
    photo = Image.fromarray(picture(300, 200))
    assert mean_grey(photo) == pytest.approx(np.asarray(photo.convert("L")).mean(), abs=2)
    assert mean_grey(Image.new("RGB", (1, 1), (9, 9, 9))) == 9


def test_a_product_is_numpys() -> None:
    left, right = hue_matrix(0.2), saturation_matrix(0.4)
    np.testing.assert_allclose(product(left, right), np.array(left) @ np.array(right))
