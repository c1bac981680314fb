"""Where images come from. OpenCV is loaded here and nowhere else, in the process that captures."""

from __future__ import annotations

from typing import Any

from tellapart.streams.clock import Clock
from tellapart.streams.protocol import Source
from tellapart.streams.sources.address import kind_of


def open_source(settings: Any, clock: Clock) -> Source:
    """The source that `settings` (the fields of `CameraSettings`) name; it connects when its `frames` are asked for.

    Raises:
        SettingsError: `bad_setting`, the address cannot be one of this kind.
    """
    kind = kind_of(settings.source, settings.kind)
    if kind == "folder":
        from tellapart.streams.sources.folder import FolderSource

        return FolderSource(settings, clock)
    if kind == "video":
        from tellapart.streams.sources.video import VideoSource

        return VideoSource(settings, clock)
    if kind in ("http", "mjpeg", "snapshot"):
        from tellapart.streams.sources.http import HttpSource

        return HttpSource(settings, clock)
    from tellapart.streams.sources.live import RtspSource, UsbSource

    return RtspSource(settings, clock) if kind == "rtsp" else UsbSource(settings, clock)
