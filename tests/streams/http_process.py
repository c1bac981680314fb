"""MJPEG and snapshot cameras over HTTP in a process of their own, by the standard library. Started by `servers.HttpServer`.

    python http_process.py PORT '{"cam": {"folder": "/tmp/pictures", "fps": 10}}'

`/cam/mjpeg` delivers the JPEGs of a folder at the camera's pace, again and again; `/cam/snapshot.jpg` the one of the moment.
Commands come as lines of JSON on the standard input, each is answered by a 0; the process ends with its parent.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
import threading
import time
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


@dataclass(frozen=True)
class Camera:
    """How a camera behaves at this moment."""

    folder: str
    fps: float = 10.0
    stalled: bool = False
    status: int = 200
    user: str = ""
    """`name:password`, where it asks for one."""
    delay_s: float = 0.0
    """A slow one: so long before each answer."""
    lengths: bool = True
    """Tells the length of each part, as most do."""
    cut_after: int | None = None
    """Hangs up in the middle of a picture after so many of them; of a snapshot where it is 0."""
    garbage: int = 0
    """So many bytes of garbage before each picture; a snapshot becomes nothing else."""

    def picture(self, number: int) -> bytes:
        """The JPEG of a number, as it lies in the folder."""
        files = sorted(Path(self.folder).glob("*.jpg"))
        return files[number % len(files)].read_bytes()


class Handler(BaseHTTPRequestHandler):
    """Answers as the camera of the path."""

    cameras: ClassVar[dict[str, Camera]] = {}
    began_s: ClassVar[float] = time.monotonic()

    def do_GET(self) -> None:
        """One of the two addresses of a camera."""
        name, _, what = self.path.partition("?")[0].strip("/").partition("/")
        camera = self.cameras.get(name)
        if camera is None or what not in ("mjpeg", "snapshot.jpg"):
            return self.send_error(404)
        time.sleep(camera.delay_s)
        wanted = "Basic " + base64.b64encode(camera.user.encode()).decode()
        if camera.user and self.headers.get("Authorization") != wanted:
            return self._empty(401, "WWW-Authenticate", 'Basic realm="camera"')
        if camera.status != 200:
            return self._empty(camera.status, "Connection", "close")
        try:
            return self._video(name) if what == "mjpeg" else self._snapshot(name)
        except OSError:
            self.close_connection = True
            return None

    def _empty(self, status: int, key: str, value: str) -> None:
        self.send_response(status)
        self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _snapshot(self, name: str) -> None:
        while self.cameras[name].stalled:
            time.sleep(0.05)
        camera = self.cameras[name]
        picture = camera.picture(int((time.monotonic() - self.began_s) * camera.fps))
        picture = random.randbytes(camera.garbage) if camera.garbage else picture
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(picture)))
        self.end_headers()
        self.wfile.write(picture[: len(picture) // 2] if camera.cut_after == 0 else picture)

    def _video(self, name: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number, due_s = 0, time.monotonic()
        while True:
            camera = self.cameras[name]
            if not camera.stalled:
                self._part(camera, camera.picture(number), hang_up=number == camera.cut_after)
            number += 1
            due_s += 1 / camera.fps
            time.sleep(max(0.0, due_s - time.monotonic()))

    def _part(self, camera: Camera, picture: bytes, *, hang_up: bool) -> None:
        length = f"Content-Length: {len(picture)}\r\n" if camera.lengths else ""
        head = random.randbytes(camera.garbage) + f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode()
        if hang_up:
            self.wfile.write(head + picture[: len(picture) // 2])
            raise ConnectionAbortedError
        self.wfile.write(head + picture + b"\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: nobody reads it."""


def answer(word: str) -> None:
    """To the parent, which waits for it."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def listen() -> None:
    """Take commands until the parent is gone."""
    answer("ready")
    for line in sys.stdin:
        told = json.loads(line)
        name = told.pop("mount")
        Handler.cameras[name] = replace(Handler.cameras[name], **told)
        answer("0")
    os._exit(0)


if __name__ == "__main__":
    Handler.cameras.update({name: Camera(**one) for name, one in json.loads(sys.argv[2]).items()})
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    listen()
