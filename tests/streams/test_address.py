"""What an address says, and what of it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.errors import Reason, SettingsError
from tellapart.streams.sources.address import kind_of, quoted, shown, usb_device, without_credentials


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("rtsp://10.0.0.9/stream1", "rtsp"),
        ("RTSPS://cam/1", "rtsp"),
        ("http://cam/video", "http"),
        ("https://cam/video", "http"),
        ("usb:0", "usb"),
        ("usb:12", "usb"),
        ("usb:/dev/video1", "usb"),
        ("/dev/video2", "usb"),
        ("line.mp4", "video"),
        ("C:/clips/line.MKV", "video"),
        ("images/in", "folder"),
        ("usb", "folder"),
    ],
)
def test_kinds_are_told(source: str, kind: str) -> None:
    assert kind_of(source) == kind


def test_what_is_there_tells_more_than_its_name(tmp_path: Path) -> None:
    (tmp_path / "shots.mp4").mkdir()
    (tmp_path / "recording").write_bytes(b"")
    assert kind_of(str(tmp_path / "shots.mp4")) == "folder"
    assert kind_of(str(tmp_path / "recording")) == "video"


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_a_kind_that_is_named_is_taken(kind: str) -> None:
    assert kind_of("somewhere", kind) == kind


@pytest.mark.parametrize(
    ("source", "kind", "sentence"),
    [
        ("ftp://a:b@cam/x", "auto", "a source begins with rtsp://, http:// or https://, or is a path or usb:0, got 'ftp://cam/x'"),
        ("http://a:b@cam/x", "rtsp", "a source of kind rtsp is written rtsp://host/path, got 'http://cam/x': correct either"),
        ("clips", "snapshot", "a source of kind snapshot is written http://host/path, got 'clips': correct either"),
        ("camera", "usb", "a source of kind usb is written usb:0 or /dev/video0, got 'camera': correct either"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(source: str, kind: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        kind_of(source, kind)
    assert str(caught.value) == sentence
    assert caught.value.reason is Reason.BAD_SETTING


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://user:p%40ss@10.0.0.9:554/a?b", "rtsp://10.0.0.9:554/a?b"),
        ("cannot open http://me:p@ss@cam/x, nor rtsp://a:b@c/", "cannot open http://cam/x, nor rtsp://c/"),
        ("http://cam/a@b", "http://cam/a@b"),
        ("http://cam/x.cgi?usr=admin&pwd=a_b!&n=1 refuses", "http://cam/x.cgi?usr=***&pwd=***&n=1 refuses"),
        ("got 'http://cam/x?password=p': correct", "got 'http://cam/x?password=***': correct"),
        (
            "rtsp://cam/user=admin_password=tlJ_channel=1_stream=0.sdp",
            "rtsp://cam/user=***_password=***_channel=1_stream=0.sdp",
        ),
        ("nothing", "nothing"),
    ],
)
def test_user_and_password_are_never_shown(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://me:se/cret@cam/1",
        "http://me:se#cret@cam/1",
        "https://me:se[cret@cam/1",
        "rtsp:///1",
        "rtsp:/me:secret@cam",
    ],
)
@pytest.mark.parametrize("kind", ["auto", "named"])
def test_what_cannot_be_read_is_refused_and_not_shown(source: str, kind: str) -> None:
    scheme = source.partition(":")[0]
    with pytest.raises(SettingsError) as caught:
        kind_of(source, {"rtsp": "rtsp"}.get(scheme, "mjpeg") if kind == "named" else "auto")
    assert str(caught.value) == (
        f"a source {scheme}:… names no host and port that can be read: write it {scheme}://user:password@host:port/path, and "
        "characters like / ? # [ ] @ of a user or password as %2F %3F %23 %5B %5D %40"
    )


def test_addresses_are_quoted_once() -> None:
    assert quoted("http://me:p%40@cäm:80/a b/ä%20?q=ü&r=%C3") == "http://me:p%40@cäm:80/a%20b/%C3%A4%20?q=%C3%BC&r=%C3"


def test_user_and_password_are_taken_out_for_the_question() -> None:
    assert without_credentials("http://me:p%40ss@cam:8080/x?y=1") == ("http://cam:8080/x?y=1", "me", "p@ss")
    assert without_credentials("http://cam/x") == ("http://cam/x", None, None)
    assert without_credentials("http://me@cam/x") == ("http://cam/x", "me", "")


def test_usb_devices() -> None:
    assert (usb_device("usb:3"), usb_device("usb:/dev/video1"), usb_device("/dev/video0")) == (
        3,
        "/dev/video1",
        "/dev/video0",
    )
