"""Image statistics, and pixels back into files."""

from __future__ import annotations

import io
from dataclasses import fields

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tests.builders import picture

from tellapart.image.encode import encode_jpeg, encode_png, encode_webp
from tellapart.image.quality import FIELDS, ImageStatistics, statistics
from tellapart.image.types import RgbImage


def of(pixels: np.ndarray) -> ImageStatistics:
    return statistics(RgbImage(pixels, (pixels.shape[1], pixels.shape[0])))


def test_the_fields_are_in_the_order_of_the_array() -> None:
    assert tuple(field.name for field in fields(ImageStatistics)) == FIELDS
    values = of(picture(300, 200)).to_array()
    assert values.dtype == np.float32
    assert values[4:].tolist() == [300, 200]


def test_flat_images() -> None:
    grey = of(np.full((64, 80, 3), 51, np.uint8))
    assert grey.brightness == pytest.approx(0.2)
    assert (grey.contrast, grey.sharpness, grey.saturation) == pytest.approx((0, 0, 0), abs=1e-6)
    red = of(np.full((640, 480, 3), (255, 0, 0), np.uint8))
    assert red.saturation == 1
    assert red.brightness == pytest.approx(0.299, abs=0.002)


def test_half_black_half_white_has_the_greatest_contrast() -> None:
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[:, 64:] = 255
    assert of(pixels).contrast == pytest.approx(0.5)
    assert of(pixels).brightness == pytest.approx(0.5)


@pytest.mark.parametrize("side", [100, 300, 700, 2000])
def test_blur_lowers_sharpness_at_every_resolution(side: int) -> None:
    sharp = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)).resize((side, side))
    blurred = sharp.filter(ImageFilter.GaussianBlur(side / 40))
    assert of(np.asarray(blurred)).sharpness < 0.5 * of(np.asarray(sharp)).sharpness


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (2, 9), (3000, 2)])
def test_extreme_shapes_have_finite_statistics(size: tuple[int, int]) -> None:
    assert np.isfinite(of(picture(*size)).to_array()).all()


def test_png_is_lossless_and_repeatable() -> None:
    data = encode_png(picture())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), picture())
    assert data == encode_png(picture())
    grey = encode_png(picture()[:, :, 0])
    assert np.asarray(Image.open(io.BytesIO(grey))).shape == (24, 32)


@pytest.mark.parametrize("encode", [encode_jpeg, encode_webp])
def test_lossy_encoders_obey_quality(encode: object) -> None:
    pixels = picture(120, 90)
    small, large = encode(pixels, quality=30), encode(pixels, quality=90)  # type: ignore[operator]
    assert len(small) < len(large)
    decoded = np.asarray(Image.open(io.BytesIO(large)))
    assert np.abs(decoded.astype(int) - pixels).mean() < 8
