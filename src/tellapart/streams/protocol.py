"""What a source of images and a sink of events must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tellapart.streams.event import Event
from tellapart.streams.frame import Frame
from tellapart.streams.health import CameraChange, CameraHealth


class Shot(NamedTuple):
    """One image as a source delivers it, captured at `at_s`.

    `image` is None where it was not wanted (it counts, and nothing was spent on its pixels), and where it is no image at all:
    then `refused` says why.
    """

    at_s: float
    image: NDArray[np.uint8] | bytes | None
    uri: str = ""
    refused: str = ""


@runtime_checkable
class Source(Protocol):
    """Lives in the process that captures. Made by `open_source(settings, clock)`, see `streams/sources`."""

    finite: bool
    """True where images wait instead of being dropped: it goes on when one was taken."""
    files: bool
    """True where it delivers files that somebody put there: each is looked at, and none is called frozen or black."""

    def frames(self, wanted: Callable[[float], bool]) -> Iterator[Shot | None]:
        """Connect, and deliver one image after the other at the pace at which they come; ends where a recording does.

        `wanted(at_s)` says whether the pixels of an image of this time are needed. None says that the source is there and
        has nothing new. May be called again after it raised: what was delivered is not delivered again.

        Raises:
            StreamError: the source is lost or cannot be opened; it is tried again after a while.
        """
        ...

    def close(self) -> None:
        """Let go of device, connection and file; may be called twice."""
        ...


@runtime_checkable
class CameraSet(Protocol):
    """Several cameras at once: `Cameras` (live) and `MemoryCameras` (what is there already). Used from one thread, but for
    `trigger` and `stop`, which any thread may call."""

    def wait(self, timeout_s: float) -> list[Frame]:
        """All images that wait, oldest first; as soon as there is one, or [] after `timeout_s` or at the end."""
        ...

    def changes(self) -> list[CameraChange]:
        """What became of cameras since the last call, oldest first."""
        ...

    def health(self) -> dict[str, CameraHealth]:
        """How every camera does now, by name."""
        ...

    def now_s(self) -> float:
        """This instant in the time of `Frame.at_s`; in a replay, the time of the frame that was handed out last."""
        ...

    def trigger(self, name: str) -> None:
        """A machine says that its piece is in place: cameras that sample by this trigger take their next image."""
        ...

    @property
    def ended(self) -> bool:
        """True when every source is finite and all of its images were handed out."""
        ...

    def stop(self, timeout_s: float = 5.0) -> None:
        """Let go of everything within `timeout_s`, whatever the cameras do; may be called twice."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Takes events one after the other, from one thread."""

    name: str

    def emit(self, event: Event) -> None:
        """Write it, whole or not at all.

        Raises:
            StreamError: `sink_failed`; the stream goes on, counts it, and the sink is asked again for the next event.
        """
        ...

    def close(self) -> None:
        """Nothing more comes; may be called twice."""
        ...
