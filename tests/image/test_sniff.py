"""The first bytes decide, and a refusal names what they say."""

from __future__ import annotations

import pytest
from tests.builders import encoded, exif_block, gif_bytes, picture

from tellapart.errors import ImageError, Reason
from tellapart.image.exif import orientation
from tellapart.image.frames import count_gif_frames, count_tiff_pages
from tellapart.image.sniff import FORMATS, sniff

READS = "tellapart reads JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF"


@pytest.mark.parametrize("name", FORMATS)
def test_known_formats(name: str) -> None:
    assert sniff(encoded(picture(), name)) == name


@pytest.mark.parametrize(
    ("data", "reason", "sentence"),
    [
        (b"%PDF-1.4", Reason.NOT_AN_IMAGE, f"this is a PDF document; {READS}"),
        (
            b"\xef\xbb\xbf <svg/>".replace(b"/", b" /"),
            Reason.UNSUPPORTED_FORMAT,
            "this is an SVG drawing; export it as PNG",
        ),
        (b"<!-- x --><svg xmlns=''>", Reason.UNSUPPORTED_FORMAT, "this is an SVG drawing"),
        (b"<HTML>", Reason.NOT_AN_IMAGE, "this is an HTML page (a failed download?)"),
        (b"<?xml version='1.0'?><a/>", Reason.NOT_AN_IMAGE, f"this is an XML file; {READS}"),
        (b"P6 2 2 255\n", Reason.UNSUPPORTED_FORMAT, f"this is a Netpbm image; {READS}"),
        (b"RIFF\0\0\0\0WAVE", Reason.NOT_AN_IMAGE, "this is a sound or video file"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", Reason.UNSUPPORTED_FORMAT, "this is a JPEG XL image"),
        (b"\xff\xd8", Reason.TRUNCATED, "the file ends inside its first bytes (2 bytes)"),
        (b"\x01\x02\x03", Reason.NOT_AN_IMAGE, f"not an image: the first bytes are 01 02 03; {READS}"),
    ],
)
def test_refusals(data: bytes, reason: Reason, sentence: str) -> None:
    with pytest.raises(ImageError) as caught:
        sniff(data)
    assert caught.value.reason is reason
    assert str(caught.value).startswith(sentence)


def test_avif_is_told_from_heic_by_its_compatible_brands() -> None:
    assert sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(9)) == "AVIF"
    with pytest.raises(ImageError, match="HEIC"):
        sniff(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(9))


@pytest.mark.parametrize("frames", [1, 2, 40])
def test_frames_are_counted_up_to_the_ceiling(frames: int) -> None:
    data = gif_bytes(frames)
    assert count_gif_frames(data, 1000) == frames
    assert count_gif_frames(data, 2) == min(frames, 2)
    assert count_gif_frames(data[:-40] if frames > 2 else data, 1000) <= frames


def test_tiff_pages_are_counted_and_loops_end() -> None:
    assert count_tiff_pages(encoded(picture(), "TIFF"), 9) == 1
    assert count_tiff_pages(b"II*\0\x08\0\0\0\0\0\x08\0\0\0", 9) == 1
    assert count_tiff_pages(b"II*\0\xff\xff\xff\xff", 9) == 1


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_in_both_byte_orders(value: int) -> None:
    assert orientation(exif_block(value)) == value
    little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([value, 0, 0, 0]) + bytes(4)
    assert orientation(little) == value


@pytest.mark.parametrize(
    "exif", [None, b"", b"Exif\0\0", b"MM", "text", exif_block(9), exif_block(0), exif_block(3)[:20]]
)
def test_no_orientation(exif: object) -> None:
    assert orientation(exif) == 1
