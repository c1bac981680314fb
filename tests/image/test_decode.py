"""Every format, bit depth and colour becomes the sRGB pixels it stands for."""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings

import numpy as np
import pytest
from PIL import Image
from tests.builders import (
    deep_png,
    deep_tiff,
    encoded,
    exif_block,
    gif_bytes,
    jpeg_bytes,
    picture,
    png_bytes,
    srgb_profile,
    stored,
    swapped_colour_profile,
)

from tellapart.errors import ImageError, Reason
from tellapart.image.decode import DecodeOptions, decode
from tellapart.image.failures import translated
from tellapart.image.intensity import Intensity
from tellapart.image.types import DecodeLimits

ORIENTATIONS = range(1, 9)


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(name: str) -> None:
    pixels = picture()
    image = decode(encoded(pixels, name))
    assert np.array_equal(image.pixels, pixels)
    assert image.original_size == (32, 24)


def test_lossless_webp_keeps_every_pixel() -> None:
    assert np.array_equal(decode(encoded(picture(), "WEBP", lossless=True)).pixels, picture())


@pytest.mark.parametrize(
    ("name", "options"),
    [("JPEG", {"quality": 95}), ("JPEG", {"quality": 95, "progressive": True}), ("AVIF", {"quality": 95})],
)
def test_lossy_formats_stay_close(name: str, options: dict[str, object]) -> None:
    assert mean_difference(decode(encoded(picture(), name, **options)).pixels, picture()) < 4


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff(compression: str) -> None:
    assert np.array_equal(decode(encoded(picture(), "TIFF", compression=compression)).pixels, picture())


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
def test_all_orientations_agree_exactly_in_lossless_formats(name: str, orientation: int) -> None:
    options = {"lossless": True} if name == "WEBP" else {}
    if name == "TIFF":
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(stored(picture(), orientation), name, exif=exif)
    else:
        data = encoded(stored(picture(), orientation), name, exif=exif_block(orientation), **options)
    assert np.array_equal(decode(data).pixels, picture())
    as_stored = decode(data, options=DecodeOptions(upright=False))
    assert np.array_equal(as_stored.pixels, stored(picture(), orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["JPEG", "AVIF"])
def test_all_orientations_agree_in_lossy_formats(name: str, orientation: int) -> None:
    data = encoded(stored(picture(), orientation), name, quality=95, exif=exif_block(orientation))
    assert mean_difference(decode(data).pixels, picture()) < 4


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    assert np.array_equal(decode(png_bytes(exif=exif_block(orientation))).pixels, picture())


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_reduced_decoding_is_never_smaller_than_needed(orientation: int) -> None:
    data = jpeg_bytes(stored(picture(203, 97), orientation), exif=exif_block(orientation))
    for needed in [(1, 1), (25, 12), (26, 13), (27, 13), (51, 25), (50, 26), (102, 49), (102, 50), (203, 97)]:
        image = decode(data, at_least=needed)
        height, width = image.pixels.shape[:2]
        assert width >= needed[0]
        assert height >= needed[1]
        assert image.original_size == (203, 97)
    assert decode(data, at_least=(26, 13)).pixels.shape == (13, 26, 3)
    assert decode(data, at_least=(27, 13)).pixels.shape == (25, 51, 3)
    assert decode(data, at_least=(500, 1)).pixels.shape == (97, 203, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (7, 15), (9, 7), (15, 9), (8, 8)])
def test_reduced_decoding_of_tiny_and_thin_images(size: tuple[int, int]) -> None:
    height, width = decode(jpeg_bytes(picture(*size)), at_least=(1, 1)).pixels.shape[:2]
    assert 1 <= width <= size[0]
    assert 1 <= height <= size[1]


def test_grey_and_one_bit_and_palette() -> None:
    image = Image.fromarray(picture())
    for data, expected in [
        (encoded(image.convert("L"), "PNG"), image.convert("L").convert("RGB")),
        (encoded(image.convert("1"), "PNG"), image.convert("1").convert("RGB")),
        (encoded(image.quantize(8), "PNG"), image.quantize(8).convert("RGB")),
        (encoded(image.convert("1"), "TIFF"), image.convert("1").convert("RGB")),
    ]:
        assert np.array_equal(decode(data).pixels, np.asarray(expected))


def test_alpha_is_composited_on_the_declared_background() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0] = [[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]
    data = png_bytes(rgba)
    assert decode(data).pixels[0].tolist() == [[200, 100, 0], [0, 0, 0], [40, 20, 0]]
    white = decode(data, options=DecodeOptions(background=(255, 255, 255)))
    assert white.pixels[0].tolist() == [[200, 100, 0], [255, 255, 255], [244, 224, 204]]


def test_transparent_colours_and_palette_entries() -> None:
    green = DecodeOptions(background=(0, 255, 0))
    grey = Image.fromarray(np.array([[10, 20]], np.uint8))
    assert decode(encoded(grey, "PNG", transparency=20), options=green).pixels[0].tolist() == [[10] * 3, [0, 255, 0]]
    palette = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)).quantize(2)
    clear = palette.getpixel((1, 0))
    for name in ("PNG", "GIF"):
        pixels = decode(encoded(palette, name, transparency=clear), options=green).pixels[0].tolist()
        assert pixels == [[255, 0, 0], [0, 255, 0]]
    partly = encoded(palette, "PNG", transparency=bytes([255, 0] if clear == 1 else [0, 255]))
    assert decode(partly, options=green).pixels[0].tolist() == [[255, 0, 0], [0, 255, 0]]


def test_grey_with_alpha() -> None:
    data = png_bytes(np.array([[[80, 255], [80, 0]]], np.uint8))
    assert decode(data).pixels[0].tolist() == [[80] * 3, [0] * 3]


def test_cmyk_without_a_profile() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for name in ("JPEG", "TIFF"):
        assert mean_difference(decode(encoded(image, name)).pixels, np.full((16, 16, 3), (255, 0, 0))) < 3


def test_ycbcr_tiff() -> None:
    assert mean_difference(decode(encoded(Image.fromarray(picture()).convert("YCbCr"), "TIFF")).pixels, picture()) < 2


def test_filters_do_not_pile_up() -> None:
    before = len(warnings.filters)
    for _ in range(5):
        warnings.filterwarnings("ignore", message="something else")
        decode(png_bytes())
    assert len(warnings.filters) <= before + 2


def test_lab_tiff() -> None:
    pixels = decode(encoded(Image.new("LAB", (4, 4), (255, 128, 128)), "TIFF")).pixels
    assert mean_difference(pixels, np.full((4, 4, 3), 255)) < 2


class TestIccProfiles:
    def test_another_colour_space_is_converted(self) -> None:
        red = np.zeros((2, 2, 3), np.uint8)
        red[:] = (250, 10, 10)
        for name in ("PNG", "TIFF"):
            pixels = decode(encoded(red, name, icc_profile=swapped_colour_profile())).pixels
            # Red and blue are exchanged, within the tolerance of the primaries' white points.
            assert pixels[0, 0, 2] > 200
            assert pixels[0, 0, 0] < 60

    def test_srgb_changes_nothing(self) -> None:
        assert np.array_equal(decode(png_bytes(icc_profile=srgb_profile())).pixels, picture())

    def test_alpha_images_are_converted_before_they_are_composited(self) -> None:
        rgba = np.zeros((1, 2, 4), np.uint8)
        rgba[0] = [[250, 10, 10, 255], [250, 10, 10, 0]]
        white = DecodeOptions(background=(255, 255, 255))
        pixels = decode(png_bytes(rgba, icc_profile=swapped_colour_profile()), options=white).pixels[0]
        assert pixels[0, 2] > 200
        assert pixels[1].tolist() == [255, 255, 255]

    @pytest.mark.parametrize("profile", [b"", b"no profile at all" * 20, srgb_profile()[:300]])
    def test_a_damaged_profile_is_ignored(self, profile: bytes) -> None:
        assert np.array_equal(decode(png_bytes(icc_profile=profile)).pixels, picture())

    def test_a_profile_for_other_colours_is_ignored(self) -> None:
        grey = picture()[:, :, 0]
        assert np.array_equal(decode(png_bytes(grey, icc_profile=swapped_colour_profile())).pixels[:, :, 0], grey)


class TestIntensity:
    values = np.array([[0, 4095, 32768, 65535]], np.uint16)

    def test_sixteen_bits_span_their_full_range(self) -> None:
        for data in (deep_png(self.values), encoded(self.values, "TIFF"), encoded(self.values, "PNG")):
            assert decode(data).pixels[0, :, 0].tolist() == [0, 16, 128, 255]

    def test_a_declared_range(self) -> None:
        options = DecodeOptions(intensity=Intensity("range", 0, 4095))
        assert decode(deep_png(self.values), options=options).pixels[0, :, 1].tolist() == [0, 255, 255, 255]

    def test_percentiles_are_the_images_own(self) -> None:
        options = DecodeOptions(intensity=Intensity("percentile", 0, 100))
        values = np.array([[100, 150, 200]], np.uint16)
        assert decode(deep_png(values), options=options).pixels[0, :, 2].tolist() == [0, 128, 255]
        flat = np.full((2, 2), 77, np.uint16)
        assert not decode(deep_png(flat), options=options).pixels.any()

    def test_float_needs_a_declaration(self) -> None:
        data = encoded(np.array([[0.0, 0.5, 1.0, 2.0]], np.float32), "TIFF")
        with pytest.raises(ImageError) as caught:
            decode(data)
        assert caught.value.reason is Reason.NEEDS_INTENSITY
        assert str(caught.value) == (
            "this is a float image and its value range is unknown; declare it in the preprocess string, "
            "for example intensity(range=0:1) or intensity(percentile=1:99)"
        )
        declared = DecodeOptions(intensity=Intensity("range", 0, 1))
        assert decode(data, options=declared).pixels[0, :, 0].tolist() == [0, 128, 255, 255]

    def test_float_with_nan_and_infinity(self) -> None:
        huge = np.finfo(np.float32).max
        data = encoded(np.array([[np.nan, -np.inf, np.inf, 0.5, huge]], np.float32), "TIFF")
        for kind, high in (("range", 1), ("percentile", 50)):
            options = DecodeOptions(intensity=Intensity(kind, 0, high))  # type: ignore[arg-type]
            pixels = decode(data, options=options).pixels[0, :, 0]
            assert pixels[[0, 1, 2]].tolist() == [0, 0, 255]

    def test_signed_integers_need_a_declaration(self) -> None:
        data = encoded(np.array([[-5, 5]], np.int32), "TIFF")
        with pytest.raises(ImageError, match="signed or 32-bit integer image"):
            decode(data)
        declared = DecodeOptions(intensity=Intensity("range", -5, 5))
        assert decode(data, options=declared).pixels[0, :, 0].tolist() == [0, 255]

    def test_white_is_zero(self) -> None:
        data = encoded(self.values, "TIFF", tiffinfo={262: 0})
        assert decode(data).pixels[0, :, 0].tolist() == [255, 239, 127, 0]

    def test_twelve_bit_tiff(self) -> None:
        pixels = bytes.fromhex("000fff800400")  # 0, 4095, 2048, 1024, two to three bytes
        entries = [(256, 4), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 6)]
        directory = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
        data = b"II*\0" + struct.pack("<I", 14) + pixels + struct.pack("<H", len(entries)) + directory + bytes(4)
        assert decode(data).pixels[0, :, 0].tolist() == [0, 255, 128, 64]

    def test_eight_bit_images_are_left_alone(self) -> None:
        options = DecodeOptions(intensity=Intensity("range", 0, 10))
        assert np.array_equal(decode(png_bytes(), options=options).pixels, picture())

    def test_sixteen_bit_colour(self) -> None:
        values = np.array([[[0, 32768, 65535], [257, 4095, 40000]]], np.uint16)
        assert decode(deep_png(values)).pixels[0].tolist() == [[0, 128, 255], [1, 15, 156]]
        options = DecodeOptions(intensity=Intensity("range", 0, 4095))
        for data in (deep_png(values), deep_tiff(values, "<"), deep_tiff(values, ">")):
            assert decode(data, options=options).pixels[0].tolist() == [[0, 255, 255], [16, 255, 255]]

    def test_sixteen_bit_grey_with_alpha_under_a_declared_range_is_refused(self) -> None:
        values = np.array([[[4095, 65535]]], np.uint16)
        assert decode(deep_png(values)).pixels[0].tolist() == [[15, 15, 15]]
        with pytest.raises(ImageError) as caught:
            decode(deep_png(values), options=DecodeOptions(intensity=Intensity("range", 0, 4095)))
        assert str(caught.value) == (
            "a declared intensity is not supported for this layout of 16-bit colour (LA;16B); "
            "save it as 16-bit RGB or grey"
        )

    def test_sixteen_bit_colour_with_alpha(self) -> None:
        values = np.array([[[4095, 0, 2048, 65535], [4095, 0, 2048, 0]]], np.uint16)
        options = DecodeOptions(intensity=Intensity("range", 0, 4095), background=(1, 2, 3))
        assert decode(deep_png(values), options=options).pixels[0].tolist() == [[255, 0, 128], [1, 2, 3]]


class TestFrames:
    @pytest.mark.parametrize("name", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
    def test_the_first_or_the_one_asked_for(self, name: str) -> None:
        frames = [Image.new("RGB", (16, 16), colour) for colour in ("#ff0000", "#00ff00", "#0000ff")]
        data = encoded(frames[0], name, save_all=True, append_images=frames[1:])
        for number in range(3):
            image = decode(data, options=DecodeOptions(frame=number))
            assert np.argmax(image.pixels[8, 8]) == number
        with pytest.raises(ImageError) as caught:
            decode(data, options=DecodeOptions(frame=3))
        assert caught.value.reason is Reason.FRAME_NOT_FOUND

    def test_multi_picture_jpegs(self) -> None:
        frames = [Image.new("RGB", (16, 16), colour) for colour in ("#ff0000", "#00ff00")]
        data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
        assert np.argmax(decode(data).pixels[8, 8]) == 0
        assert np.argmax(decode(data, options=DecodeOptions(frame=1)).pixels[8, 8]) == 1
        with pytest.raises(ImageError) as caught:
            decode(data, options=DecodeOptions(frame=2))
        assert caught.value.reason is Reason.FRAME_NOT_FOUND

    def test_a_frame_of_a_plain_jpeg(self) -> None:
        with pytest.raises(ImageError) as caught:
            decode(jpeg_bytes(), options=DecodeOptions(frame=1))
        assert str(caught.value) == "frame 1 was asked for, but the JPEG file has 1 (counted from 0)"


class TestCeilings:
    def refusal(self, data: bytes, **limits: int) -> ImageError:
        with pytest.raises(ImageError) as caught:
            decode(data, limits=DecodeLimits(**limits))
        return caught.value

    def test_bytes(self) -> None:
        error = self.refusal(png_bytes(), max_bytes=100)
        assert error.reason is Reason.FILE_TOO_LARGE
        assert str(error) == f"the file has {len(png_bytes()):,} bytes, above the ceiling of 100 (max_bytes)"

    @pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
    def test_pixels(self, name: str) -> None:
        error = self.refusal(encoded(picture(), name), max_pixels=32 * 24 - 1)
        assert error.reason is Reason.TOO_MANY_PIXELS
        assert str(error) == "the image has 32 × 24 pixels, above the ceiling of 767 (max_pixels)"
        decode(encoded(picture(), name), limits=DecodeLimits(max_pixels=32 * 24))

    def test_pixels_of_a_later_page(self) -> None:
        pages = [Image.fromarray(picture(4, 4)), Image.fromarray(picture(40, 40))]
        data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
        decode(data, limits=DecodeLimits(max_pixels=100))
        with pytest.raises(ImageError) as caught:
            decode(data, limits=DecodeLimits(max_pixels=100), options=DecodeOptions(frame=1))
        assert caught.value.reason is Reason.TOO_MANY_PIXELS

    def test_frames(self) -> None:
        frames = [Image.new("RGB", (4, 4), (number * 40, 0, 0)) for number in range(5)]
        for name in ("GIF", "TIFF", "WEBP", "PNG"):
            data = encoded(frames[0], name, save_all=True, append_images=frames[1:])
            assert self.refusal(data, max_frames=4).reason is Reason.TOO_MANY_FRAMES
            decode(data, limits=DecodeLimits(max_frames=5))
        assert str(self.refusal(gif_bytes(9), max_frames=8)) == (
            "the GIF file has more than 8 frames, the ceiling (max_frames)"
        )

    def test_pillows_own_ceiling_does_not_warn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
        assert decode(png_bytes()).pixels.shape == (24, 32, 3)


def test_damage_is_named() -> None:
    whole = png_bytes(picture(100, 80))
    with pytest.raises(ImageError) as caught:
        decode(whole[:2000])
    assert str(caught.value) == "the PNG file ends too early: it is cut off after 2,000 bytes"
    assert caught.value.__cause__ is not None
    flipped = bytearray(whole)
    flipped[whole.index(b"IDAT") + 600] ^= 1
    with pytest.raises(ImageError) as caught:
        decode(bytes(flipped))
    assert caught.value.reason is Reason.CORRUPT
    assert str(caught.value).startswith(
        "the PNG file is damaged and cannot be decoded (the checksum of its IDAT chunk at byte 33 does not match"
    )


def test_warnings_of_other_threads_are_not_swallowed() -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        from tellapart.image.failures import translated

        with translated("PNG", b""):
            inside.set()
            leave.wait(5)
            warnings.warn("silent", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait(5)
        warnings.warn("heard", UserWarning, stacklevel=1)
        leave.set()
        thread.join()
    assert [str(w.message) for w in caught] == ["heard"]


def test_many_threads_decode_the_same() -> None:
    files = [jpeg_bytes(picture(90, 70, seed), icc_profile=swapped_colour_profile()) for seed in range(8)]
    expected = [decode(data).pixels for data in files]
    wrong: list[int] = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(i for i, data in enumerate(files) if not np.array_equal(decode(data).pixels, expected[i]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_pillow_is_left_as_it_was() -> None:
    before = (Image.MAX_IMAGE_PIXELS, Image.open(io.BytesIO(png_bytes())).size)
    decode(png_bytes())
    assert (Image.MAX_IMAGE_PIXELS, Image.open(io.BytesIO(png_bytes())).size) == before


def test_libraries_may_hand_the_filters_on_to_their_threads() -> None:
    """scikit-learn does so after any image was read: it takes each filter's pattern as text."""
    with translated("PNG", b""):
        pass
    patterns = [entry[3] for entry in warnings.filters if entry[3] is not None and not isinstance(entry[3], str)]
    assert [re.search(one.pattern, "tellapart.image") for one in patterns if not isinstance(one, re.Pattern)] == [None]
