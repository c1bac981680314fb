"""Streams for tests: a tiny model, pictures whose colour is their class, and cameras that live in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tests.builders import class_picture, png_bytes
from tests.classifier.models import model_folder

from tellapart.settings.stream import Stream
from tellapart.settings.stream_file import read_stream
from tellapart.streams.frame import Frame
from tellapart.streams.memory import MemoryCameras
from tellapart.workflows.watch.result import WatchResult
from tellapart.workflows.watch.watch import watch

START_S = 1.7e9
COLOURS = {"blue": 0, "green": 1, "red": 2}


def stream(folder: Path, **changes: Any) -> Stream:
    """One camera without regions or policy, unless `changes` say otherwise."""
    values: dict[str, Any] = {
        "stream": 1,
        "name": "line",
        "models": {"colours": str(model_folder())},
        "cameras": {"front": {"source": "rtsp://front"}},
    }
    return read_stream({**values, **changes}, beside=folder)


def picture_of(colour: str, seed: int = 0, side: int = 48) -> np.ndarray[Any, Any]:
    """A picture that the model takes for this colour."""
    return class_picture(COLOURS[colour], 100 + seed, side)


def frames(colours: Sequence[str], *, camera: str = "front", every_s: float = 1.0, files: bool = False) -> list[Frame]:
    """One picture of each colour after the other; "?" is a file that is none."""
    found = []
    for number, colour in enumerate(colours):
        pixels: Any = b"no picture" if colour == "?" else picture_of(colour, number)
        image = png_bytes(pixels) if files and colour != "?" else pixels
        found.append(Frame(camera, number, START_S + number * every_s, image))
    return found


def watched(
    of: Stream, shown: Sequence[Frame], *, at_once: int = 16, **options: Any
) -> tuple[WatchResult, list[tuple[float, str, str]]]:
    """The result, and (seconds since the start, subject, state) of each change and each end of an episode."""
    changes: list[tuple[float, str, str]] = []

    def listen(event: Any) -> None:
        one = event.decision
        if one is not None and (one.changed or one.final):
            changes.append((round(one.at_s - START_S, 6), one.subject, one.state))

    cameras = MemoryCameras(shown, names=of.cameras, at_once=at_once)
    result = watch(of, cameras=cameras, on_event=listen, workers=2, **options)
    return result, changes
