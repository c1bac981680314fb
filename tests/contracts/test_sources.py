"""What every source of images must do, whatever it reads."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from tests.builders import jpeg_bytes
from tests.streams.shots import settings_of

from tellapart.errors import Reason, StreamError
from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Shot, Source
from tellapart.streams.sources import open_source

cv2 = pytest.importorskip("cv2", reason="pip install 'tellapart[watch]'")

N = 5
Make = Callable[[], Source]


class _Camera(http.server.BaseHTTPRequestHandler):
    image = b""

    def do_GET(self) -> None:
        stream = self.path == "/stream"
        part = b"--b\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(self.image), self.image)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b" if stream else "image/jpeg")
        self.end_headers()
        self.wfile.write(part * N if stream else self.image)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    _Camera.image = jpeg_bytes()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Camera) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["folder", "video", "video at its pace", "mjpeg", "snapshot"])
def make(request: pytest.FixtureRequest, tmp_path: Path, host: str) -> Make:
    """Makes the same source again and again."""
    kind = request.param
    if kind in ("mjpeg", "snapshot"):
        path = "stream" if kind == "mjpeg" else "snapshot"
        return lambda: open_source(settings_of(f"{host}/{path}"), Clock.started_now())
    if kind == "folder":
        for number in range(N):
            (tmp_path / f"{number}.jpg").write_bytes(jpeg_bytes())
        return lambda: open_source(settings_of(tmp_path, settled_s=0.05), Clock.started_now())
    path_to = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(path_to), cv2.VideoWriter_fourcc(*"MJPG"), 50, (32, 24))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for number in range(N):
        writer.write(np.full((24, 32, 3), 50 + number, np.uint8))
    writer.release()
    pace = "real" if kind.endswith("pace") else "fast"
    return lambda: open_source(settings_of(path_to, pace=pace), Clock.started_now())


def shots(source: Source, n: int, *, wanted: bool = True) -> list[Shot]:
    delivered = (shot for shot in source.frames(lambda _: wanted) if shot is not None)
    taken = list(islice(delivered, n))
    delivered.close()
    return taken


def test_it_is_a_source(make: Make) -> None:
    assert isinstance(make(), Source)


def test_images_are_pixels_or_files_in_order_of_time(make: Make) -> None:
    before_s = time.time()
    source = make()
    taken = shots(source, N)
    source.close()
    assert len(taken) == N
    for shot in taken:
        assert shot.refused == ""
        assert shot.uri
        if isinstance(shot.image, bytes):
            assert shot.image == jpeg_bytes()
        else:
            assert shot.image is not None
            assert (shot.image.shape, shot.image.dtype) == ((24, 32, 3), np.uint8)
    times_s = [shot.at_s for shot in taken]
    assert times_s == sorted(times_s)
    assert abs(times_s[0] - before_s) < 60


def test_what_is_not_wanted_is_told_without_pixels(make: Make) -> None:
    """A snapshot is not even asked for: but for the first, by which the camera is known to be there."""
    source = make()
    n = 1 if getattr(source, "_kind", "") == "auto" else N
    assert {shot.image for shot in shots(source, n, wanted=False)} == {None}
    source.close()


def test_it_may_be_closed_twice_and_before_it_began(make: Make) -> None:
    source = make()
    source.close()
    source.close()


def test_it_is_read_again_after_an_end(make: Make) -> None:
    source = make()
    first = shots(source, 1)
    second = shots(source, 1)
    source.close()
    assert len(first) == len(second) == 1
    assert second[0].at_s >= first[0].at_s


@pytest.mark.parametrize(
    "source", ["/nowhere/at/all", "/nowhere/line.mp4", "http://127.0.0.1:9/x", "rtsp://127.0.0.1:9/x", "usb:77"]
)
def test_what_is_not_there_is_lost_with_a_reason(source: str) -> None:
    opened = open_source(settings_of(source), Clock.started_now())
    with pytest.raises(StreamError) as caught:
        next(iter(opened.frames(lambda _: True)))
    opened.close()
    assert caught.value.reason is Reason.SOURCE_LOST
    assert len(str(caught.value)) > 30
