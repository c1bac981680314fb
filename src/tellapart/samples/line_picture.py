"""One picture of a line: the belt where it stands at that instant, what stands on it, and what gets in the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.samples.bottle import HEIGHT, Look, draw_bottle
from tellapart.samples.camera import Exposure, photograph
from tellapart.samples.drawing import Colour, Grid, box, coverage, over
from tellapart.samples.line import EMPTY, GOOD, LineVideo
from tellapart.samples.line_foreground import Plane, draw_arm, draw_glare, draw_machine
from tellapart.samples.line_plan import WIDTH, Light, LineSequence, Passage
from tellapart.samples.scene import BELT, PICTURE, backdrop, crop_backdrop, draw_belt, draw_shadow

_SHUTTER_S = 0.007
_SEEN = 0.5
# Rows of a bottle, in units below its top, in which a fault shows.
_WHERE = {"crooked_label": (132, 204), "low_fill": (50, 122), "no_cap": (-6, 14), "contaminated": (100, 130)}


@dataclass(frozen=True, slots=True)
class Studio:
    """What stays the same through a sequence: the still background and the grid of the picture."""

    still: Grid
    plane: Plane

    @classmethod
    def of(cls, sequence: LineSequence, height_px: int) -> Studio:
        """For pictures of that height."""
        scale = height_px / PICTURE[0]
        y = (np.arange(height_px, dtype=np.float32) / scale)[:, None]
        x = (np.arange(round(WIDTH * scale), dtype=np.float32) / scale)[None, :]
        still = backdrop(sequence.station, height_px, WIDTH)
        margin = (still.shape[1] - height_px) // 2
        wall = still[:, margin:-margin, margin:-margin]
        for note in sequence.notes:
            paper = box(x - note.centre[0], y - note.centre[1], note.half) * scale
            over(wall, note.colour, 0.9 * coverage(paper))
        return cls(still, Plane(x, y, scale))


def picture(
    line: LineVideo, sequence: LineSequence, number: int, studio: Studio
) -> tuple[NDArray[np.uint8], bool | None]:
    """sRGB pixels of a frame, and whether a fault can be seen in it: None where there is none to see."""
    rng = np.random.default_rng([line.seed, 8, sequence.index, number])
    at_s = number / line.fps
    plane, zoom = studio.plane, sequence.station.zoom
    scale = plane.pixels_per_unit
    shake_x, shake_y = rng.normal(0, 0.5, 2).tolist()
    scene = crop_backdrop(studio.still, (round(-shake_x * scale), round(-shake_y * scale)))
    hidden: Grid = np.zeros(scene.shape[1:], np.float32)
    base_y = (BELT + shake_y) * scale
    draw_belt(scene, sequence.travelled(at_s), base_y, scale)
    for passage in _near(sequence, at_s):
        x = (sequence.travelled(at_s) - passage.offset + shake_x) * scale
        draw_shadow(scene, x, base_y, scale * zoom)
        draw_bottle(scene, _standing(passage, sequence, at_s), x, base_y, scale * zoom)
    _draw_in_front(scene, sequence, at_s, plane, hidden)
    exposure = _exposure(sequence, at_s, line.height_px / 240, rng)
    return photograph(scene, exposure, rng), _fault_shows(sequence, at_s, hidden, scale)


def _near(sequence: LineSequence, at_s: float) -> list[Passage]:
    """Parts of which anything may be in the picture."""
    come = sequence.travelled(at_s)
    return [one for one in sequence.passages if -50 < come - one.offset < WIDTH + 50]


def _standing(passage: Passage, sequence: LineSequence, at_s: float) -> Look:
    """The bottle as it stands at that instant: turned, its drink swaying, dirt and drops going round with the glass."""
    come = (sequence.travelled(at_s) - passage.offset) / WIDTH
    turn = _turned(passage, come)
    look = passage.look
    return replace(
        look,
        turn=turn,
        fill=look.fill + passage.sway * float(np.sin(9 * come + passage.offset)),
        lean=look.lean + 0.012 * float(np.sin(14 * come + passage.offset)),
        specks=_in_front_of_glass(look.specks, turn),
        drops=_in_front_of_glass(look.drops, turn),
    )


def _turned(passage: Passage, come: float) -> float:
    """Radians between the label and the camera, -π to π."""
    turn = passage.turn + passage.spin * (come - 0.5)
    return (turn + np.pi) % (2 * np.pi) - np.pi


def _in_front_of_glass(
    spots: tuple[tuple[float, float, float], ...], turn: float
) -> tuple[tuple[float, float, float], ...]:
    return tuple((angle + turn, t, radius) for angle, t, radius in spots if np.cos(angle + turn) > 0.1)


def _draw_in_front(scene: Grid, sequence: LineSequence, at_s: float, plane: Plane, hidden: Grid) -> None:
    draw_machine(scene, sequence.machine, plane, hidden)
    for reach in sequence.reaches:
        if reach.start_s <= at_s < reach.end_s:
            draw_arm(scene, reach, at_s, plane, hidden)
    for glare in sequence.glares:
        if glare.start_s <= at_s < glare.end_s:
            draw_glare(scene, glare, at_s, plane, hidden)


def _fault_shows(sequence: LineSequence, at_s: float, hidden: Grid, scale: float) -> bool | None:
    passage = sequence.at(at_s)
    if passage is None or passage.kind in (EMPTY, GOOD):
        return None
    come = sequence.travelled(at_s) - passage.offset
    turn = _turned(passage, come / WIDTH)
    if passage.kind == "crooked_label" and abs(turn) > 1.25:
        return False
    if passage.kind == "contaminated" and not (passage.look.sediment or _in_front_of_glass(passage.look.specks, turn)):
        return False
    top, bottom = ((BELT - (HEIGHT - t) * sequence.station.zoom) * scale for t in _WHERE[passage.kind])
    left, right = (round(np.clip(come + side, 0, WIDTH) * scale) for side in (-30, 30))
    place = hidden[max(0, round(top)) : round(bottom), left:right]
    return bool(place.size and place.mean() < _SEEN)


def _exposure(sequence: LineSequence, at_s: float, pixels: float, rng: np.random.Generator) -> Exposure:
    """The light of the moment; where it is dim the shutter stays open for longer, and what moves is smeared."""
    light = _light(sequence, at_s)
    depth, period, phase = sequence.drift
    level = light.level * float(np.exp(depth * np.sin(2 * np.pi * at_s / period + phase)))
    warm, cold = np.array([1.10, 1.0, 0.84]), np.array([0.95, 1.0, 1.07])
    r, g, b = (warm + (cold - warm) * light.daylight).tolist()
    tint: Colour = (r, g, b)
    speed_px = sequence.speed * 0.75 * pixels if sequence.runs(at_s) else 0.0
    shutter_s = _SHUTTER_S / np.clip(level, 0.3, 2) * float(rng.lognormal(0, 0.45))
    sharp = rng.random() < 0.92
    return Exposure(
        gain=level * float(rng.normal(1, 0.02)),
        tint=tint,
        slope=0.22 * light.daylight,
        vignette=sequence.station.vignette,
        defocus_px=float(rng.uniform(0.4, 0.8) if sharp else rng.uniform(1.2, 2.2)) * pixels,
        motion_px=float(min(speed_px * shutter_s, 10 * pixels)),
        noise=float(rng.uniform(0.012, 0.024)) / float(np.sqrt(np.clip(level, 0.3, 2))),
    )


def _light(sequence: LineSequence, at_s: float) -> Light:
    return [one for one in sequence.lights if one.start_s <= at_s][-1]
