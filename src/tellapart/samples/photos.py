"""The photos of a bottling line: every part taken several times in a row, named so that nothing gives the part away."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from tellapart.image.encode import encode_jpeg
from tellapart.samples.bottle import draw_bottle
from tellapart.samples.camera import photograph
from tellapart.samples.drawing import Grid
from tellapart.samples.scene import BELT, PICTURE, STATIONS, backdrop, crop_backdrop, draw_belt, draw_shadow
from tellapart.samples.schedule import BottleLine, Part, Variant, labels_of, schedule, wrong_labels

Progress = Callable[[int, int], None]

_CHUNK = 32


class LineOptions(TypedDict, total=False):
    """The keywords of `bottles` and `write_bottles`; meanings and defaults are those of `BottleLine`."""

    variant: Variant
    n_parts: int
    frames_per_part: int
    seed: int
    mislabelled: float
    later: bool
    height_px: int


@dataclass(frozen=True, slots=True)
class SampleImage:
    """One generated photo: JPEG bytes, the labels as delivered, and what only the generator knows.

    `labels` may be wrong, `true_labels` never. `part` is the group that a split must not tear apart.
    """

    name: str
    jpeg: bytes
    labels: tuple[str, ...]
    part: str
    camera: str
    shift: str
    light: str
    captured_at: datetime
    true_labels: tuple[str, ...]


def bottles(progress: Progress | None = None, **options: Unpack[LineOptions]) -> list[SampleImage]:
    """Photos of bottles passing a camera, in the order of their (shuffled, meaningless) names.

    The same options give the same bytes with the same versions of numpy and Pillow. `progress(done, total)` is called
    in the calling thread after each photo.

    Raises:
        SettingsError: an option has a value it cannot have; all such options are named.
    """
    return list(iter_bottles(BottleLine(**options), progress))


def iter_bottles(line: BottleLine, progress: Progress | None = None) -> Iterator[SampleImage]:
    """As `bottles`, one photo at a time: only a few photos are in memory at once."""
    frames = [(part, k) for part in schedule(line) for k in range(line.frames_per_part)]
    truth = [labels_of(line.variant, part.faults) for part, _ in frames]
    given = wrong_labels(line, truth)
    order = np.random.default_rng([line.seed, int(line.later), 3]).permutation(len(frames)).tolist()
    stills = {station.name: backdrop(station, line.height_px) for station in STATIONS}
    take = partial(_take, line, stills)
    # numpy and the JPEG encoder release the interpreter lock, so threads use all cores.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, start in enumerate(range(0, len(order), _CHUNK)):
            chunk = order[start : start + _CHUNK]
            for j, jpeg in enumerate(pool.map(take, [frames[i] for i in chunk])):
                i, position = chunk[j], done * _CHUNK + j
                yield _sample(f"bottle_{position:04d}.jpg", jpeg, frames[i], given[i], truth[i])
                if progress is not None:
                    progress(position + 1, len(order))


def _sample(
    name: str, jpeg: bytes, frame: tuple[Part, int], given: tuple[str, ...], truth: tuple[str, ...]
) -> SampleImage:
    part, k = frame
    when = part.captured_at + timedelta(milliseconds=60 * k)
    return SampleImage(name, jpeg, given, part.name, part.station.name, part.shift, part.light, when, truth)


def _take(line: BottleLine, stills: dict[str, Grid], frame: tuple[Part, int]) -> bytes:
    part, k = frame
    rng = np.random.default_rng([line.seed, int(line.later), 4, part.index, k])
    pixels = render(part, k, line.height_px, stills[part.station.name], rng)
    return encode_jpeg(pixels, quality=int(rng.integers(78, 90)))


def render(part: Part, k: int, height_px: int, still: Grid, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Photo `k` of a part: a few millimetres further along, the camera shaking, the lamps flickering."""
    scale = height_px / PICTURE[0]
    zoomed = scale * part.station.zoom
    shake_x, shake_y = rng.normal(0, 0.7, 2).tolist()
    advance = 1.8 * k + float(rng.normal(0, 0.3))
    base_y = (BELT + shake_y) * scale
    centre = (PICTURE[1] / 2 + shake_x) * scale + (part.position + advance) * zoomed
    scene = crop_backdrop(still, (round(-shake_x * scale), round(-shake_y * scale)))
    draw_belt(scene, part.travelled + advance, base_y, scale)
    standing = [(part.look, centre)]
    standing += [(n, centre + s * part.spacing * zoomed) for n, s in zip(part.neighbours, (-1, 1), strict=True)]
    for _, x in standing:
        draw_shadow(scene, x, base_y, zoomed)
    for look, x in standing:
        draw_bottle(scene, look, x, base_y, zoomed)
    exposure = replace(part.exposure, gain=part.exposure.gain * float(rng.normal(1, 0.015)))
    return photograph(scene, exposure, rng)
