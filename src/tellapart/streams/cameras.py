"""All cameras of a stream: each captured by a process of its own, their images handed out together."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.extras import require
from tellapart.records.roi import Roi
from tellapart.streams.camera import Camera, CameraOrder
from tellapart.streams.clock import Clock
from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange, CameraHealth
from tellapart.streams.sources.address import kind_of

if TYPE_CHECKING:
    from tellapart.settings.stream import CameraSettings

_LOOK_EVERY_S = 0.2


class Cameras:
    """Captures from the moment it is made until `stop`; a context manager.

    `triggers` names the file of each trigger that is one, `regions` the regions of each camera in which motion counts
    (none: all of the picture). `opener` makes sources of another kind: `module:function` that is called in the capturing
    process with (fields of the settings, clock) and gives a `streams.protocol.Source`.

    Raises:
        SettingsError: `bad_setting`, an address is not of its kind.
        MissingExtra: OpenCV is not installed and a camera needs it.
    """

    def __init__(
        self,
        settings: Mapping[str, CameraSettings],
        clock: Clock,
        *,
        triggers: Mapping[str, Path] | None = None,
        regions: Mapping[str, tuple[Roi, ...]] | None = None,
        opener: str = "tellapart.streams.sources:open_source",
    ) -> None:
        self._clock = clock
        self._news = threading.Condition()
        self._stopped = threading.Event()
        orders = [
            _order(name, one, clock, triggers or {}, (regions or {}).get(name, ()), opener)
            for name, one in settings.items()
        ]
        self._cameras = {order.name: Camera(order, clock, self._news) for order in orders}
        for camera in self._cameras.values():
            camera.start()
        self._watchman = threading.Thread(target=self._look, name="cameras", daemon=True)
        self._watchman.start()

    def __enter__(self) -> Cameras:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def wait(self, timeout_s: float) -> list[Frame]:
        """All images that wait, oldest first; as soon as there is one, or [] after `timeout_s`, at the end and after `stop`."""
        with self._news:
            self._news.wait_for(lambda: self._stopped.is_set() or self.ended or self._has_images(), timeout_s)
            frames = [frame for camera in self._cameras.values() for frame in camera.take()]
        return sorted(frames, key=lambda frame: (frame.at_s, frame.camera, frame.number))

    def changes(self) -> list[CameraChange]:
        """What became of cameras since the last call, oldest first."""
        with self._news:
            told = [change for camera in self._cameras.values() for change in camera.changes]
            for camera in self._cameras.values():
                camera.changes.clear()
        return sorted(told, key=lambda change: change.at_s)

    def health(self) -> dict[str, CameraHealth]:
        """How every camera does now."""
        with self._news:
            for camera in self._cameras.values():
                camera.look()
            return {name: camera.health() for name, camera in self._cameras.items()}

    def now_s(self) -> float:
        """This instant."""
        return self._clock.now_s()

    def trigger(self, name: str) -> None:
        """Cameras that sample by this trigger take their next image, or their first once they are connected."""
        with self._news:
            for camera in self._cameras.values():
                camera.trigger(name)

    def pids(self) -> dict[str, int]:
        """The capturing processes that run now."""
        with self._news:
            return {name: camera.pid for name, camera in self._cameras.items() if camera.pid is not None}

    @property
    def ended(self) -> bool:
        """True when every source has ended and all of its images were handed out."""
        return all(camera.ended for camera in self._cameras.values())

    def stop(self, timeout_s: float = 5.0) -> None:
        """End all processes within `timeout_s`: first asked, then killed. May be called twice."""
        self._stopped.set()
        with self._news:
            for camera in self._cameras.values():
                camera.let_go()
            self._news.notify_all()
        until_s = time.monotonic() + timeout_s / 2
        for camera in self._cameras.values():
            camera.end(max(0.1, until_s - time.monotonic()))
        self._watchman.join(timeout_s)

    def _has_images(self) -> bool:
        return any(camera.waiting for camera in self._cameras.values())

    def _look(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_S):
            with self._news:
                for camera in self._cameras.values():
                    camera.look()


def _order(
    name: str,
    settings: CameraSettings,
    clock: Clock,
    triggers: Mapping[str, Path],
    regions: tuple[Roi, ...],
    opener: str,
) -> CameraOrder:
    sample = settings.sample
    kind = kind_of(settings.source, settings.kind)
    if (kind != "folder" or (sample is not None and sample.motion is not None)) and find_spec("cv2") is None:
        require("cv2", extra="watch", feature=f"a camera of kind {kind}")
    trigger = None if sample is None or sample.trigger is None else triggers.get(sample.trigger)
    order = {
        "camera": name,
        "settings": settings.model_dump(mode="json", exclude={"regions"}),
        "offset_s": clock.offset_s,
        "regions": [region.to_json() for region in regions],
        "trigger_file": None if trigger is None else str(trigger),
        "opener": opener,
    }
    return CameraOrder(name, settings, order)
