"""What a source of images and a sink of events must be able to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tellapart.streams.event import Event


@runtime_checkable
class Source(Protocol):
    """Opened in the process that captures. Made by `open_source(settings, clock)`, see `streams/sources`."""

    finite: bool
    """True for a recording: it waits until an image was taken instead of dropping it, and ends."""

    def frames(self) -> Iterator[tuple[float, NDArray[np.uint8] | bytes, str]]:
        """(at_s, image, uri), one after the other, at the pace at which they come; ends where a recording does.

        Raises:
            StreamError: the source is lost or delivers what is no image; it is opened again after a while.
        """
        ...

    def close(self) -> None:
        """Let go of device, connection and file; may be called twice."""
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
