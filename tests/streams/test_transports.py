"""Sources against cameras that are there: RTSP with H.264, MJPEG and snapshots, and everything that befalls a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from tests.streams.proxy import Proxy
from tests.streams.reading import Reading, opened, pixels, until_it_is_back
from tests.streams.servers import HttpServer, RtspServer, Server, needs_rtsp
from tests.streams.videos import numbered, read_number, write_jpegs, write_video

from tellapart.errors import Reason, StreamError

N = 40
KINDS = ("rtsp", "mjpeg", "snapshot")


@dataclass(frozen=True)
class Cameras:
    """Of one kind: where they are seen, and how their server is told of another video."""

    kind: str
    server: Server
    small: dict[str, Any]
    large: dict[str, Any]

    def url(self, port: int = 0) -> str:
        """Of the camera, or where a proxy shows it."""
        assert isinstance(self.server, RtspServer | HttpServer)
        if isinstance(self.server, RtspServer):
            url = self.server.url("cam")
        else:
            url = self.server.mjpeg("cam") if self.kind == "mjpeg" else self.server.snapshot("cam")
        return url.replace(str(self.server.port), str(port)) if port else url


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Where small and large pictures lie, as videos and as files."""
    folder = tmp_path_factory.mktemp("pictures")
    made: dict[str, Any] = {}
    for name, width, height in (("small", 160, 120), ("large", 320, 240)):
        shown = [numbered(number, width, height) for number in range(N)]
        made[name + " files"] = {"folder": str(write_jpegs(folder / name, shown))}
        made[name + " video"] = {"pictures": shown, "path": folder / f"{name}.h264"}
    return made


@pytest.fixture(params=KINDS)
def cameras(request: pytest.FixtureRequest, pictures: dict[str, Any]) -> Iterator[Cameras]:
    """A camera of each kind, alone on its server."""
    with _cameras(str(request.param), pictures) as found:
        yield found


@contextmanager
def _cameras(kind: str, pictures: dict[str, Any]) -> Iterator[Cameras]:
    if kind == "rtsp":
        needs_rtsp()
        small, large = (_video(**pictures[f"{size} video"]) for size in ("small", "large"))
        server: Server = RtspServer({"cam": small})
    else:
        small, large = pictures["small files"], pictures["large files"]
        server = HttpServer({"cam": {**small, "fps": 10}})
    with server:
        yield Cameras(kind, server, small, large)


def _video(path: Path, pictures: list[Any]) -> dict[str, Any]:
    return {"video": str(path if path.exists() else write_video(path, pictures)), "fps": 10}


def test_what_the_camera_shows_now_and_nothing_twice(cameras: Cameras) -> None:
    reading = Reading(opened(cameras.url()))
    shots = reading.shots(1)
    now = cameras.server.tell("cam")
    shots += reading.shots(11)
    reading.stop()
    numbers = [read_number(pixels(shot)) for shot in shots]
    assert all(a.at_s < b.at_s for a, b in pairwise(shots))
    assert all(shot.uri == cameras.url() and not shot.refused for shot in shots)
    if cameras.kind != "snapshot":  # these are asked for as often as somebody wants them
        assert [(b - a) % N for a, b in pairwise(numbers)] == [1] * 11
    if cameras.kind == "rtsp":
        assert (now - numbers[0]) % N < 15  # FFmpeg alone collects 27 pictures, and hands out the oldest as the newest


def test_a_server_that_was_killed_is_told_and_found_again(cameras: Cameras) -> None:
    source = opened(cameras.url())
    reading = Reading(source)
    reading.shots(2)
    cameras.server.kill()
    assert reading.error().reason is Reason.SOURCE_LOST
    dead = Reading(source).error()
    assert dead.reason is Reason.SOURCE_LOST
    if cameras.kind == "rtsp":
        assert str(dead) == (
            f"nothing answers at 127.0.0.1:{cameras.server.port} (Connection refused): check address, cable and power of "
            "the camera"
        )
    else:
        assert str(dead) == (
            f"{cameras.url()} cannot be reached or broke off (Connection refused): check address, cable and power of the "
            "camera"
        )
    cameras.server.start()
    reading = Reading(source)
    assert pixels(reading.shots(3)[-1]).shape == (120, 160, 3)
    reading.stop()


def test_a_line_that_is_cut_in_the_middle_of_an_image(cameras: Cameras) -> None:
    with Proxy(cameras.server.port) as proxy:
        proxy.cut_after = (
            4_000 if cameras.kind == "snapshot" else 9_000
        )  # less than an image, or than two seconds of them
        source = opened(cameras.url(proxy.port))
        error = Reading(source).error()
        assert error.reason is Reason.SOURCE_LOST
        proxy.cut_after = None
        reading = Reading(source)
        assert all(pixels(shot).shape == (120, 160, 3) for shot in reading.shots(5))
        reading.stop()


def test_garbage_between_two_images(cameras: Cameras) -> None:
    with Proxy(cameras.server.port) as proxy:
        source = opened(cameras.url(proxy.port))
        reading = Reading(source)
        reading.shots(2)
        proxy.garbage = Random(0).randbytes(5000)
        reading.stop()
        _sees(source, (120, 160, 3))
        assert proxy.garbage == b""


@pytest.mark.slow
def test_flipped_bytes_are_lost_lines_or_refused_images_and_nothing_else(cameras: Cameras) -> None:
    with Proxy(cameras.server.port, seed=1) as proxy:
        proxy.corrupt = 0.1
        source = opened(cameras.url(proxy.port))
        n_seen = 0
        for reading in until_it_is_back(source):
            try:
                n_seen += len(reading.shots(5))
            except StreamError as error:
                assert error.reason is Reason.SOURCE_LOST  # noqa: PT017
            if n_seen >= 10:
                break
        reading.stop()
        proxy.corrupt = 0.0
        _sees(source, (120, 160, 3))


def test_another_size_in_the_middle(cameras: Cameras) -> None:
    source = opened(cameras.url())
    reading = Reading(source)
    assert pixels(reading.shots(2)[-1]).shape == (120, 160, 3)
    cameras.server.tell("cam", **cameras.large)
    if cameras.kind == "rtsp":  # OpenCV scales to the size at which it connected: docs/cameras.md says so
        now = reading.until(lambda shot: read_number(pixels(shot)) == 5)
        assert pixels(now).shape == (120, 160, 3)
        reading.stop()
        reading = Reading(source)
    _sees(source, (240, 320, 3), reading)


@pytest.mark.slow
def test_cameras_that_stay_silent_are_lost(pictures: dict[str, Any]) -> None:
    with ExitStack() as stack:
        each = [stack.enter_context(_cameras(kind, pictures)) for kind in KINDS]
        readings = [Reading(opened(one.url(), stale_after_s=1.0)) for one in each]
        for one, reading in zip(each, readings, strict=True):
            reading.shots(2)
            one.server.tell("cam", stalled=True)
        assert [reading.error().reason for reading in readings] == [Reason.SOURCE_LOST] * 3


@pytest.mark.parametrize("kind", ["mjpeg", "snapshot"])
def test_what_http_cameras_answer(pictures: dict[str, Any], kind: str) -> None:
    with HttpServer({"cam": {**pictures["small files"], "user": "eve:se cret"}}) as server, ExitStack() as stack:
        url = server.mjpeg("cam") if kind == "mjpeg" else server.snapshot("cam")
        refused = Reading(opened(url)).error()
        assert str(refused) == f"{url} refuses with HTTP status 401: check user and password"
        known = url.replace("://", "://eve:se%20cret@")
        reading = Reading(opened(known))
        stack.callback(reading.stop)
        assert reading.shots(1)[0].uri == url  # without the password
        server.tell("cam", user="", status=503)
        assert str(Reading(opened(url)).error()) == f"{url} refuses with HTTP status 503: check the path"
        missing = url.replace("/cam/", "/door/")
        assert str(Reading(opened(missing)).error()) == f"{missing} refuses with HTTP status 404: check the path"


def test_mjpeg_without_lengths_and_with_garbage_before_each_image(pictures: dict[str, Any]) -> None:
    with HttpServer({"cam": {**pictures["small files"], "lengths": False, "garbage": 300}}) as server:
        reading = Reading(opened(server.mjpeg("cam")))
        numbers = [read_number(pixels(shot)) for shot in reading.shots(10)]
        reading.stop()
    assert numbers == list(range(10))


def test_half_an_image_is_never_taken_for_one(pictures: dict[str, Any]) -> None:
    with HttpServer({"cam": {**pictures["small files"], "cut_after": 3, "lengths": False}}) as server:
        reading = Reading(opened(server.mjpeg("cam")))
        assert [read_number(pixels(shot)) for shot in reading.shots(3)] == [0, 1, 2]
        with pytest.raises(StreamError) as caught:
            assert [shot.image for shot in reading.shots(2)] == [None, None]
        assert caught.value.reason is Reason.SOURCE_LOST


def _sees(source: Any, shape: tuple[int, ...], reading: Reading | None = None) -> None:
    """Images of this shape come, at the latest after it was connected anew."""
    reading = reading or Reading(source)
    while True:
        try:
            shot = reading.until(lambda one: one.image is not None and np.shape(pixels(one)) == shape)
            assert shot.at_s > 0
            return reading.stop()
        except StreamError as error:
            assert error.reason is Reason.SOURCE_LOST  # noqa: PT017
            reading = Reading(source)
