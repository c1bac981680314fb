"""What a camera wrote into its file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from tests.builders import encoded, jpeg_bytes, picture

from tellapart.image.capture import HEAD_BYTES, NOTHING, Capture, capture


def exif(make: Any = None, model: Any = None, taken: Any = None) -> Image.Exif:
    """A block with these tags."""
    block = Image.Exif()
    for tag, value in ((ExifTags.Base.Make, make), (ExifTags.Base.Model, model)):
        if value is not None:
            block[tag] = value
    if taken is not None:
        block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    return block


PHOTO = jpeg_bytes(exif=exif("Acme", "Acme A-7", "2026:03:04 05:06:07"))


def test_maker_model_and_time() -> None:
    assert capture(PHOTO[:HEAD_BYTES]) == Capture("Acme A-7", "2026:03:04 05:06:07")


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [("Acme", "A-7", "Acme A-7"), ("ACME", "Acme A-7", "Acme A-7"), (None, "A-7", "A-7"), ("Acme", None, "Acme")],
)
def test_the_maker_is_named_once(make: str | None, model: str | None, camera: str) -> None:
    assert capture(jpeg_bytes(exif=exif(make, model))) == Capture(camera)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8\xff\xe1\0\x08Exif\0\0", b"Exif\0\0", jpeg_bytes(), encoded(picture(), "PNG", exif=exif("Acme"))],
)
def test_nothing_where_nothing_is_written(data: bytes) -> None:
    assert capture(data) == NOTHING


@given(st.data())
def test_damage_is_never_an_error(data: st.DataObject) -> None:
    damaged = bytearray(PHOTO[:400])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, 399))] = data.draw(st.integers(0, 255))
    found = capture(bytes(damaged[: data.draw(st.integers(0, 400))]))
    assert all(value is None or isinstance(value, str) for value in (found.camera, found.taken))
