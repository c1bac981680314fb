"""The pictures of a filmed line, one after the other, with what is known about each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from tellapart.image.encode import encode_jpeg
from tellapart.samples.line import LineVideo, LineVideoOptions
from tellapart.samples.line_picture import Studio, picture
from tellapart.samples.line_plan import LineSequence, plan

Progress = Callable[[int, int], None]
_CHUNK = 32


@dataclass(frozen=True, slots=True)
class LineFrame:
    """A picture at `at_s` seconds from the beginning of its sequence.

    `label` is what the part in it was found to be, whatever this picture shows of it; `shows` whether its fault can be seen
    here, None where there is none. `part` is "" between parts.
    """

    sequence: str
    number: int
    at_s: float
    split: str
    label: str
    kind: str
    part: str
    shows: bool | None
    jpeg: bytes
    pixels: NDArray[np.uint8]

    @property
    def name(self) -> str:
        """File name, in the order of time."""
        return f"{self.number:06d}.jpg"


def line_frames(progress: Progress | None = None, **options: Unpack[LineVideoOptions]) -> Iterator[LineFrame]:
    """All pictures of all sequences, in the order of time; only a few are in memory at once.

    The same options give the same bytes with the same versions of numpy and Pillow. `progress(done, total)` is called in the
    calling thread after each picture.

    Raises:
        SettingsError: an option has a value it cannot have; all such options are named.
    """
    line = LineVideo(**options)
    return iter_line(line, plan(line), progress)


def iter_line(line: LineVideo, sequences: Sequence[LineSequence], progress: Progress | None) -> Iterator[LineFrame]:
    """The pictures of planned sequences."""
    done, total = 0, len(sequences) * line.n_frames
    # numpy and the JPEG encoder release the interpreter lock, so threads use all cores.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for sequence in sequences:
            take = partial(_take, line, sequence, Studio.of(sequence, line.height_px))
            for start in range(0, line.n_frames, _CHUNK):
                for frame in pool.map(take, range(start, min(start + _CHUNK, line.n_frames))):
                    done += 1
                    yield frame
                    if progress is not None:
                        progress(done, total)


def _take(line: LineVideo, sequence: LineSequence, studio: Studio, number: int) -> LineFrame:
    at_s = number / line.fps
    pixels, shows = picture(line, sequence, number, studio)
    passage, kind = sequence.at(at_s), sequence.kind(at_s)
    quality = 80 + (7 * number + sequence.index) % 9
    return LineFrame(
        sequence=sequence.name,
        number=number,
        at_s=at_s,
        split=sequence.split,
        label=line.label(kind),
        kind=kind,
        part=f"{sequence.name}/{passage.name}" if passage is not None else "",
        shows=shows,
        jpeg=encode_jpeg(pixels, quality=quality),
        pixels=pixels,
    )
