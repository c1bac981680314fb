"""An RTSP server in a process of its own: GStreamer, run by the Python that has Debian's `gi`. Started by `servers.RtspServer`.

    /usr/bin/python3 rtsp_process.py PORT '{"cam": {"video": "/tmp/cam.h264", "fps": 10}}'

Each mount is a camera that never waits for anybody: it delivers the pictures of its video one after the other at its pace,
again and again, stamped with the time at which they left; who connects gets them from the next whole picture on. Commands
come as lines of JSON on the standard input, each is answered by the number of the picture that is next; the process ends
with its parent.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found,unused-ignore]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found,unused-ignore]  # noqa: E402

_LAUNCH = (
    "( appsrc name=camera is-live=true do-timestamp=true format=time leaky-type=downstream max-bytes=4000000"
    " caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)
_UNIT = re.compile(
    rb"\x00\x00\x00\x01\x09"
)  # an access unit delimiter: `videos.write_h264` puts one before each picture
_WHOLE = re.compile(rb"\x00\x00\x01[\x05\x25\x45\x65]")  # a slice of a picture that needs no other


class Mount:
    """One camera."""

    def __init__(self, video: str, fps: float) -> None:
        self.stalled = False
        self.play(video, fps)
        self._waiting: list[Any] = []
        self._sending: list[Any] = []

    def play(self, video: str, fps: float) -> None:
        """Deliver this one from now on."""
        stream = Path(video).read_bytes()
        starts = [found.start() for found in _UNIT.finditer(stream)]
        self._units = [stream[a:b] for a, b in zip(starts, [*starts[1:], len(stream)], strict=True)]
        self.at, self._fps = 0, fps

    def connect(self, media: Any) -> None:
        """Somebody wants to see: from the next whole picture on."""
        self._waiting.append(media.get_element().get_by_name("camera"))

    def start(self) -> None:
        """Deliver for ever."""
        self._due_us = GLib.get_monotonic_time()
        self._deliver()

    def _deliver(self) -> bool:
        if not self.stalled:
            self._send(self._units[self.at])
            self.at = (self.at + 1) % len(self._units)
        self._due_us += round(1e6 / self._fps)
        GLib.timeout_add(max(0, (self._due_us - GLib.get_monotonic_time()) // 1000), self._deliver)
        return False

    def _send(self, unit: bytes) -> None:
        if _WHOLE.search(unit):
            self._sending += self._waiting
            self._waiting = []
        self._sending = [
            one for one in self._sending if one.emit("push-buffer", Gst.Buffer.new_wrapped(unit)) == Gst.FlowReturn.OK
        ]


def answer(word: str) -> None:
    """To the parent, which waits for it."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class Server:
    """All mounts behind one port."""

    def __init__(self, port: str, mounts: dict[str, dict[str, Any]]) -> None:
        self._server = GstRtspServer.RTSPServer()
        self._server.set_address("127.0.0.1")
        self._server.set_service(port)
        self._mounts = {name: Mount(**one) for name, one in mounts.items()}
        for name, mount in self._mounts.items():
            factory = GstRtspServer.RTSPMediaFactory()
            factory.set_launch(_LAUNCH)
            factory.set_shared(True)
            factory.connect("media-configure", lambda _factory, media, mount=mount: mount.connect(media))
            self._server.get_mount_points().add_factory(f"/{name}", factory)

    def run(self) -> None:
        """Serve until the standard input ends."""
        if not self._server.attach(None):
            sys.exit("the port is taken")
        for mount in self._mounts.values():
            mount.start()
        self._loop = GLib.MainLoop()
        GLib.io_add_watch(0, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, self._told)
        answer("ready")
        self._loop.run()

    def _told(self, *_: Any) -> bool:
        line = sys.stdin.readline()
        if not line:
            self._loop.quit()
            return False
        told = json.loads(line)
        mount = self._mounts[told["mount"]]
        if "video" in told:
            mount.play(told["video"], told["fps"])
        mount.stalled = told.get("stalled", mount.stalled)
        answer(str(mount.at))
        return True


if __name__ == "__main__":
    Gst.init(None)
    Server(sys.argv[1], json.loads(sys.argv[2])).run()
