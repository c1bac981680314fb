"""Where the files that a stream names lie: relative to the stream file, wherever the command is called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tellapart.settings.stream import CameraSettings, SinkSettings, Stream, sink_kind

STDOUT = "-"
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_USB = re.compile(r"^(?:usb:\d+|(?:usb:)?/dev/video\d+)$")


def is_file(camera: CameraSettings) -> bool:
    """Whether a source is a file or folder of this machine."""
    return camera.kind in ("folder", "video") or (
        camera.kind == "auto" and not _ADDRESS.match(camera.source) and not _USB.match(camera.source)
    )


def located(stream: Stream, folder: Path) -> Stream:
    """The stream with absolute paths; the folder where it keeps things is named."""
    return stream.model_copy(
        update={
            "folder": _at(folder, stream.folder or f"{stream.name}.watch"),
            "models": {name: _at(folder, path) for name, path in stream.models.items()},
            "cameras": {name: _camera(one, folder) for name, one in stream.cameras.items()},
            "decisions": {
                name: one.model_copy(update={"policy": _at(folder, one.policy)})
                for name, one in stream.decisions.items()
            },
            "triggers": {
                name: one.model_copy(update={"file": _at(folder, one.file)}) for name, one in stream.triggers.items()
            },
            "sinks": tuple(_sink(one, folder) for one in stream.sinks),
        }
    )


def _camera(camera: CameraSettings, folder: Path) -> CameraSettings:
    regions = {
        name: one if one.policy is None else one.model_copy(update={"policy": _at(folder, one.policy)})
        for name, one in camera.regions.items()
    }
    changed: dict[str, Any] = {"regions": regions}
    if camera.policy is not None:
        changed["policy"] = _at(folder, camera.policy)
    if is_file(camera):
        changed["source"] = _at(folder, camera.source)
    return camera.model_copy(update=changed)


def _sink(sink: SinkSettings, folder: Path) -> SinkSettings:
    kind = sink_kind(sink) or ""
    path = getattr(sink, kind)
    return sink if path == STDOUT else sink.model_copy(update={kind: _at(folder, path)})


def _at(folder: Path, path: str) -> str:
    return str(folder / Path(path).expanduser())
