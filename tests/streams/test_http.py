"""Cameras over HTTP that want a password, refuse, or are not there."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.streams.shots import Read, source_of

from tellapart.errors import StreamError

IMAGE = b"\xff\xd8 any image \xff\xd9"


class Camera(http.server.BaseHTTPRequestHandler):
    """Answers by its path: a snapshot, a stream of three images, refusals, and a question for user and password."""

    asked: list[str]

    def do_GET(self) -> None:
        path = self.path.strip("/")
        known = self.headers.get("Authorization", "")
        if path in ("basic", "digest") and not self._is_known(path, known):
            challenge = 'Basic realm="cam"' if path == "basic" else 'Digest realm="cam", nonce="n1", qop="auth"'
            self._answer(401, "text/plain", b"who are you?", challenge)
        elif path == "stream":
            part = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(IMAGE), IMAGE)
            self._answer(200, "multipart/x-mixed-replace; boundary=b", part * 3)
        elif path in ("404", "403", "503"):
            self._answer(int(path), "text/plain", b"no")
        elif path == "page":
            self._answer(200, "text/html", b"<html></html>")
        else:
            self._answer(200, "image/jpeg", b"" if path == "empty" else IMAGE)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _is_known(self, way: str, told: str) -> bool:
        if way == "basic":
            return told == "Basic " + base64.b64encode(b"me:p@ss").decode()
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', told))
        if fields.get("username") != "me":
            return False
        first = hashlib.md5(b"me:cam:p@ss").hexdigest()
        second = hashlib.md5(f"GET:{self.path}".encode()).hexdigest()
        whole = f"{first}:n1:{fields['nc']}:{fields['cnonce']}:auth:{second}"
        return fields["response"] == hashlib.md5(whole.encode()).hexdigest()

    def _answer(self, code: int, kind: str, body: bytes, challenge: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """host:port of a camera of this process."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def sentence(address: str, **more: str) -> str:
    with Read(source_of(address, **more)) as read:
        read.rest()
        assert isinstance(read.fault, StreamError)
        return str(read.fault)


@pytest.mark.parametrize("path", ["snapshot", "basic", "digest"])
@pytest.mark.parametrize("kind", ["auto", "snapshot"])
def test_a_snapshot_is_asked_for_again_and_again(host: str, path: str, kind: str) -> None:
    address = f"http://me:p%40ss@{host}/{path}"
    with Read(source_of(address, kind=kind)) as read:
        shots = read.some(3)
    assert [shot.image for shot in shots] == [IMAGE] * 3
    assert {shot.uri for shot in shots} == {f"http://{host}/{path}"}


@pytest.mark.parametrize("kind", ["auto", "mjpeg", "http"])
def test_a_stream_is_told_by_what_the_camera_calls_it(host: str, kind: str) -> None:
    with Read(source_of(f"http://{host}/stream", kind=kind)) as read:
        assert [shot.image for shot in read.rest()] == [IMAGE] * 3
        assert str(read.fault) == f"http://{host}/stream ended its stream: it is connected again"


def test_an_empty_answer_is_refused(host: str) -> None:
    with Read(source_of(f"http://{host}/empty", kind="snapshot")) as read:
        assert read.next().refused == "the answer is empty"


def test_refusals_say_what_to_check(host: str) -> None:
    assert sentence(f"http://me:wrong@{host}/basic") == (
        f"http://{host}/basic refuses with HTTP status 401: check user and password"
    )
    assert sentence(f"http://me:wrong@{host}/digest") == (
        f"http://{host}/digest refuses with HTTP status 401: check user and password"
    )
    assert sentence(f"http://{host}/404") == f"http://{host}/404 refuses with HTTP status 404: check the path"
    assert "403: check user and password" in sentence(f"http://{host}/403")
    assert "got image/jpeg: check the path, or the kind" in sentence(f"http://{host}/snapshot", kind="mjpeg")


def test_a_page_is_no_camera(host: str) -> None:
    pytest.importorskip("cv2", reason="pip install 'tellapart[watch]'")
    assert sentence(f"http://{host}/page") == (
        f"http://{host}/page answers and delivers neither images nor a video that can be read: check the path"
    )


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_where_nobody_answers(scheme: str) -> None:
    pytest.importorskip("cv2", reason="pip install 'tellapart[watch]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    told = sentence(f"{scheme}://me:secret@127.0.0.1:{port}/x")
    assert "Connection refused" in told
    assert "check address, cable and power of the camera" in told
    assert "secret" not in told


def test_a_camera_that_says_nothing_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.streams.sources.http.read_limit_s", lambda _: 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        assert sentence(address) == f"{address} did not answer in time: check cable and power of the camera"
