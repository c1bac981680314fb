"""Cameras for tests: an RTSP server and an HTTP one, each a process that can be killed and comes back on its port."""

from __future__ import annotations

import functools
import json
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

HERE = Path(__file__).parent
SYSTEM_PYTHON = "/usr/bin/python3"
"""Debian's own: it alone sees `gi`, which is not on PyPI with GStreamer's libraries."""

_CHECK = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
missing = [one for one in ("appsrc", "h264parse", "rtph264pay") if not Gst.ElementFactory.find(one)]
raise SystemExit(" ".join(missing) or None)
"""


@functools.cache
def what_is_missing() -> str:
    """Why there is no RTSP server here; empty where there is one."""
    if shutil.which("ffmpeg") is None:
        return "ffmpeg"
    if not Path(SYSTEM_PYTHON).exists():
        return SYSTEM_PYTHON
    told = subprocess.run([SYSTEM_PYTHON, "-c", _CHECK], capture_output=True, text=True, timeout=60)
    return "" if told.returncode == 0 else f"GStreamer's RTSP server ({told.stderr.strip().splitlines()[-1]})"


def needs_rtsp() -> None:
    """Skip the test where Debian's packages are not there; `.ci/run` installs them where it may."""
    if missing := what_is_missing():
        pytest.skip(f"needs {missing}; .ci/run names the Debian packages")


def free_port() -> int:
    """One below those that connections take for themselves: nobody takes it while its server is dead."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Server:
    """A process with cameras by name; `tell` changes how one behaves."""

    def __init__(self, cameras: Mapping[str, Mapping[str, Any]]) -> None:
        self._cameras = {name: dict(one) for name, one in cameras.items()}
        self._process: subprocess.Popen[str] | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Begin, or come back on the same port; returns when it serves."""
        self._process = subprocess.Popen(
            [*self._command(), str(self.port), json.dumps(self._cameras)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", f"the server did not start on port {self.port}"

    def kill(self) -> None:
        """kill -9: connections end as the kernel ends them."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process = None

    def tell(self, camera: str, **how: Any) -> int:
        """The camera behaves so from now on, after a restart too (`stalled` aside); the number of its next picture."""
        self._cameras[camera] |= {key: value for key, value in how.items() if key != "stalled"}
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"mount": camera, **how}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    @property
    def pid(self) -> int:
        """Of the process that serves."""
        assert self._process is not None
        return self._process.pid

    def _command(self) -> list[str]:
        raise NotImplementedError


class RtspServer(Server):
    """H.264 over RTSP: cameras `{"video": "x.h264", "fps": 10}`; `tell(camera, video=, fps=, stalled=)`."""

    def _command(self) -> list[str]:
        return [SYSTEM_PYTHON, str(HERE / "rtsp_process.py")]

    def url(self, camera: str) -> str:
        """Where it is seen."""
        return f"rtsp://127.0.0.1:{self.port}/{camera}"


class HttpServer(Server):
    """JPEGs over HTTP: cameras as `http_process.Camera`, and so is what `tell` changes."""

    def _command(self) -> list[str]:
        return [sys.executable, "-I", str(HERE / "http_process.py")]

    def mjpeg(self, camera: str) -> str:
        """Video in parts."""
        return f"http://127.0.0.1:{self.port}/{camera}/mjpeg"

    def snapshot(self, camera: str) -> str:
        """The picture of the moment."""
        return f"http://127.0.0.1:{self.port}/{camera}/snapshot.jpg"
