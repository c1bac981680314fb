"""Streams of JPEG images as cameras write them, well and badly."""

from __future__ import annotations

import io
from email.message import Message
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import Reason, StreamError
from tellapart.streams.sources import mjpeg
from tellapart.streams.sources.mjpeg import Parts, boundary_of

ONE, TWO = (b"\xff\xd8" + bytes(range(256)) * 40 + end + b"\xff\xd9" for end in (b"one", b"two"))
"""As long as several lines of the reader; line ends within."""


def answer(*pieces: bytes) -> Any:
    """What has the methods of an HTTP answer."""
    return io.BytesIO(b"".join(pieces))


def part(image: bytes, *, length: int | None = -1, mark: bytes = b"--frame") -> bytes:
    told = b"" if length is None else b"Content-Length: %d\r\n" % (len(image) if length < 0 else length)
    return mark + b"\r\nContent-Type: image/jpeg\r\n" + told + b"\r\n" + image + b"\r\n"


def read(*pieces: bytes) -> list[tuple[bytes, str]]:
    return list(Parts(answer(*pieces), b"frame"))


@pytest.mark.parametrize("length", [-1, None])
def test_images_come_byte_for_byte(length: int | None) -> None:
    found = read(part(ONE, length=length), part(TWO, length=length), part(ONE, length=length), b"--frame--\r\n")
    assert [image.rstrip(b"\r\n") for image, _ in found] == [ONE, TWO, ONE]
    assert {refused for _, refused in found} == {""}


@pytest.mark.parametrize("length", [-1, None])
def test_an_image_is_delivered_before_the_next_one_begins(length: int | None) -> None:
    """Many cameras send the boundary with the next image: it must not be waited for."""
    sent = answer(part(ONE, length=length))
    first = next(iter(Parts(sent, b"frame")))
    assert first[0].rstrip(b"\r\n") == ONE
    assert sent.tell() <= len(part(ONE, length=length))


def test_what_comes_before_the_first_boundary_is_passed_over() -> None:
    assert len(read(b"hello\r\n\r\n", part(ONE))) == 1


@pytest.mark.parametrize(
    ("piece", "refused"),
    [
        (part(b"<html>no image</html>"), "a part of the stream is no JPEG"),
        (part(ONE[:-100]), "a JPEG of the stream is not whole"),
        (part(ONE, length=300), "a JPEG of the stream is not whole"),
        (part(b"", length=None), "a part of the stream is no JPEG"),
    ],
)
def test_garbage_is_refused_and_the_next_image_found(piece: bytes, refused: str) -> None:
    found = read(part(ONE), piece, part(TWO), part(ONE))
    assert (b"", refused) in found
    assert found[0] == (ONE, "")
    assert found[-1] == (ONE, "")


def test_garbage_where_headers_should_be_is_passed_over() -> None:
    found = read(part(ONE), b"--frame\r\n" + bytes(range(128, 200)) * 50 + b"\r\n", part(TWO), part(ONE))
    assert found == [(ONE, ""), (TWO, ""), (ONE, "")]


def test_half_an_image_at_the_end_is_none() -> None:
    assert read(part(ONE), part(TWO)[:200]) == [(ONE, "")]


def test_a_length_that_is_too_long_costs_the_images_that_it_covers() -> None:
    found = read(part(ONE, length=len(ONE) + 30), part(TWO), part(ONE), part(TWO))
    assert found[-1] == (TWO, "")


def test_more_than_the_largest_image_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mjpeg, "MAX_BYTES", 5000)
    for pieces in ((part(b"", length=9999),), (b"x\r\n" * 4000,), (part(b"\xff\xd8" + b"y" * 20_000, length=None),)):
        with pytest.raises(StreamError) as caught:
            read(*pieces)
        assert caught.value.reason is Reason.SOURCE_LOST


@given(st.binary(max_size=3000), st.integers(0, 5000))
def test_whatever_comes_only_jpegs_are_delivered(noise: bytes, cut: int) -> None:
    whole = part(ONE) + noise + part(TWO, length=None) + noise
    for image, refused in read(whole[: len(whole) - cut]):
        assert bool(image) != bool(refused)
        assert not image or (image.startswith(b"\xff\xd8") and image.rstrip(b"\r\n\x00").endswith(b"\xff\xd9"))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("multipart/x-mixed-replace; boundary=frame", b"frame"),
        ('multipart/x-mixed-replace;boundary="--frame"', b"frame"),
        ("multipart/x-mixed-replace; boundary=--frame", b"frame"),
    ],
)
def test_boundaries_are_read_as_they_are_written(told: str, expected: bytes) -> None:
    assert boundary_of(headers(told)) == expected


@pytest.mark.parametrize("told", ["text/html", "image/jpeg"])
def test_an_answer_without_a_boundary_is_no_stream(told: str) -> None:
    with pytest.raises(StreamError, match=r"expected a stream of images \(multipart/x-mixed-replace\), got"):
        boundary_of(headers(told))


@pytest.mark.parametrize("told", ["multipart/x-mixed-replace", "multipart/x-mixed-replace; boundary=--"])
def test_a_boundary_that_is_not_told_is_found(told: str) -> None:
    boundary = boundary_of(headers(told))
    found = list(Parts(answer(b"hello\r\n", part(ONE), part(TWO, length=None), part(ONE)), boundary))
    assert [image.rstrip(b"\r\n") for image, _ in found] == [ONE, TWO, ONE]


def test_a_length_of_thousands_of_digits_is_too_long() -> None:
    with pytest.raises(StreamError, match="953674 MB was announced; at most 64 MB are taken: check the path"):
        read(b"--frame\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")


def headers(content_type: str) -> Message:
    message = Message()
    message["Content-Type"] = content_type
    return cast(Message, message)
