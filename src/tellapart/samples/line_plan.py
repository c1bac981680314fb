"""What happens in a sequence, before anything is drawn: parts that pass, light that changes, what gets in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tellapart.samples.bottle import PRODUCTS, Look, Product
from tellapart.samples.drawing import Colour
from tellapart.samples.line import EMPTY, GOOD, LineVideo
from tellapart.samples.scene import PICTURE, STATIONS, Station
from tellapart.samples.schedule import FAULTS, SHARES, bottle_look

# Where the post and the sensor head stand, as shares of the picture's width, by station.
_MACHINES = {"camera_1": (0.74, 0.37), "camera_2": (0.23, 0.58)}
WIDTH = PICTURE[0] * 4 / 3
"""Width of the picture in line units; parts travel from its left edge to its right one."""
Stops = tuple[tuple[float, float], ...]
_STREAM = 7  # keeps these random numbers apart from those of the photos


@dataclass(frozen=True, slots=True)
class Passage:
    """A part on its way: in the picture from `start_s` to `end_s`, each when its axis crosses an edge.

    `turn` (radians) is how the bottle stands in the middle of the picture, `spin` how far it turns per picture width. The
    drink sways by `sway` units.
    """

    name: str
    kind: str
    look: Look
    offset: float
    start_s: float
    end_s: float
    turn: float
    spin: float
    sway: float


@dataclass(frozen=True, slots=True)
class Reach:
    """An arm that reaches into the picture: from a point outside it to `hand`, both in line units."""

    start_s: float
    end_s: float
    outside: tuple[float, float]
    hand: tuple[float, float]
    style: int


@dataclass(frozen=True, slots=True)
class Glare:
    """A reflection that wanders over the picture; sizes in line units."""

    start_s: float
    end_s: float
    centre: tuple[float, float]
    size: tuple[float, float]
    strength: float


@dataclass(frozen=True, slots=True)
class Note:
    """A sheet of paper on the wall behind the belt, lengths in line units."""

    centre: tuple[float, float]
    half: tuple[float, float]
    colour: Colour


@dataclass(frozen=True, slots=True)
class Light:
    """From `start_s` on: brightness of the lamps and share of daylight in them (0–1)."""

    start_s: float
    level: float
    daylight: float


@dataclass(frozen=True, slots=True)
class LineSequence:
    """One recording; times are seconds from its beginning. `stops` are (start, seconds) of the belt standing still.

    `machine` is where the post and the sensor head stand in the picture, in line units.
    """

    name: str
    index: int
    split: str
    station: Station
    machine: tuple[float, float]
    notes: tuple[Note, ...]
    speed: float
    stops: tuple[tuple[float, float], ...]
    passages: tuple[Passage, ...]
    lights: tuple[Light, ...]
    drift: tuple[float, float, float]
    reaches: tuple[Reach, ...]
    glares: tuple[Glare, ...]

    def travelled(self, at_s: float) -> float:
        """How far the belt has come, in line units."""
        stood = sum(min(max(at_s - start, 0.0), length) for start, length in self.stops)
        return self.speed * (at_s - stood)

    def runs(self, at_s: float) -> bool:
        """Whether the belt moves."""
        return not any(start <= at_s < start + length for start, length in self.stops)

    def at(self, at_s: float) -> Passage | None:
        """The part in the picture; None where the belt is empty."""
        return next((one for one in self.passages if one.start_s <= at_s < one.end_s), None)

    def kind(self, at_s: float) -> str:
        """What a person would write under the picture."""
        passage = self.at(at_s)
        return EMPTY if passage is None else passage.kind


def plan(line: LineVideo) -> list[LineSequence]:
    """All sequences; the last ones are for testing."""
    return [_sequence(line, index) for index in range(line.n_sequences)]


def _sequence(line: LineVideo, index: int) -> LineSequence:
    rng = np.random.default_rng([line.seed, _STREAM, index])
    speed = line.parts_per_minute / 60 * 2 * WIDTH
    stops = _one_after_the_other([(start, float(rng.uniform(0.8, 2.5))) for start in _moments(line, 0.7, rng)])
    lights = [Light(0.0, float(rng.uniform(0.7, 1.15)), float(rng.uniform(0, 1)))]
    lights += [Light(s, float(rng.uniform(0.5, 1.35)), float(rng.uniform(0, 1))) for s in _moments(line, 2.0, rng)]
    # One line has one camera and one product, whatever the day.
    base = STATIONS[line.seed % len(STATIONS)]
    return LineSequence(
        name=f"seq_{index + 1:03d}",
        index=index,
        split=_split(line, index),
        station=_mounted(base, rng),
        machine=_machine(base, rng),
        notes=tuple(_note(rng) for _ in range(3)),
        speed=speed,
        stops=stops,
        passages=_passages(line, speed, stops, rng),
        lights=tuple(lights),
        drift=(float(rng.uniform(0.05, 0.22)), float(rng.uniform(30, 110)), float(rng.uniform(0, 2 * np.pi))),
        reaches=tuple(_reach(s, rng) for s in _moments(line, 7.0, rng)),
        glares=tuple(_glare(s, rng) for s in _moments(line, 7.0, rng)),
    )


def _one_after_the_other(stops: Sequence[tuple[float, float]]) -> Stops:
    """A stop that would begin within another follows it: a belt that stood twice at once would run backwards."""
    found: list[tuple[float, float]] = []
    for start, length in stops:
        found.append((max(start, sum(found[-1])) if found else start, length))
    return tuple(found)


def _mounted(station: Station, rng: np.random.Generator) -> Station:
    """The camera as it was mounted that day: a little nearer, the lamp moved, the wall cleaned or not."""
    r, g, b = (np.array(station.backdrop) * rng.normal(1, (0.02, 0.01, 0.02))).tolist()
    x, y = (np.array(station.lamp) + rng.normal(0, 12, 2) + (WIDTH / 4, 0)).tolist()
    upper, lower = (np.array(station.rails) + rng.normal(0, 1.5, 2)).tolist()
    zoom = station.zoom * float(rng.uniform(0.993, 1.007))
    return replace(station, zoom=zoom, backdrop=(r, g, b), lamp=(x, y), rails=(upper, lower))


def _machine(station: Station, rng: np.random.Generator) -> tuple[float, float]:
    post, head = (np.array(_MACHINES[station.name]) * WIDTH + rng.normal(0, 10, 2)).tolist()
    return post, head


def _note(rng: np.random.Generator) -> Note:
    """They make the empty belt of one day another picture than that of the next."""
    r, g, b = rng.uniform(0.25, 0.8, 3).tolist()
    centre = (float(rng.uniform(0, WIDTH)), float(rng.uniform(20, 250)))
    return Note(centre, (float(rng.uniform(14, 34)), float(rng.uniform(18, 44))), (r, g, b))


def _split(line: LineVideo, index: int) -> str:
    if line.n_test == 0:
        return ""
    return "test" if index >= line.n_sequences - line.n_test else "train"


def _moments(line: LineVideo, per_minute: float, rng: np.random.Generator) -> list[float]:
    """Times at which something happens so many times a minute, without memory."""
    n = int(rng.poisson(per_minute * line.seconds / 60))
    return [float(at) for at in np.sort(rng.uniform(0, line.seconds, n))]


def _passages(line: LineVideo, speed: float, stops: Stops, rng: np.random.Generator) -> tuple[Passage, ...]:
    """Parts that have left the picture before the recording ends; between two the belt is empty for a while."""
    offsets, offset = [], float(rng.uniform(0.3, 1.2)) * WIDTH
    while _when(offset + WIDTH, speed, stops) <= line.seconds:
        if rng.random() > 0.06:
            offsets.append(offset)
        offset += float(rng.uniform(1.5, 2.38)) * WIDTH
    kinds = _kinds(len(offsets), line.defective, rng)
    product = PRODUCTS[line.seed % len(PRODUCTS)]
    return tuple(
        _passage(f"part_{number + 1:04d}", kind, offset, product, (speed, stops), rng)
        for number, (kind, offset) in enumerate(zip(kinds, offsets, strict=True))
    )


def _when(distance: float, speed: float, stops: Stops) -> float:
    """When the belt has come so far."""
    at_s = distance / speed
    for start, length in stops:
        if start < at_s:
            at_s += length
    return at_s


def _kinds(n: int, defective: float, rng: np.random.Generator) -> list[str]:
    """As many faults as the share says, rounded at random; rare kinds come by chance."""
    n_faulty = int(defective * n + rng.random())
    shares = np.array([SHARES[name] for name in FAULTS])
    faults = rng.choice(FAULTS, n_faulty, p=shares / shares.sum()).tolist()
    return [str(name) for name in rng.permutation([*faults, *[GOOD] * (n - n_faulty)])]


def _passage(
    name: str, kind: str, offset: float, product: Product, belt: tuple[float, Stops], rng: np.random.Generator
) -> Passage:
    look = _look(bottle_look(Look(product), () if kind == GOOD else (kind,), rng), kind, rng)
    return Passage(
        name=name,
        kind=kind,
        look=look,
        offset=offset,
        start_s=_when(offset, *belt),
        end_s=_when(offset + WIDTH, *belt),
        turn=float(rng.uniform(-1.2, 1.2)),
        spin=float(rng.choice([-1, 1]) * rng.uniform(0.6, 3.6)),
        sway=float(rng.uniform(0.5, 5.0)),
    )


def _look(look: Look, kind: str, rng: np.random.Generator) -> Look:
    """Faults are plainer than in the photos: the picture is smaller, and it moves."""
    if kind == "crooked_label":
        return replace(look, label_tilt=float(np.sign(look.label_tilt) * rng.uniform(0.16, 0.42)))
    if kind == "low_fill":
        return replace(look, fill=float(rng.uniform(92, 150)))
    if kind == "contaminated":
        specks = tuple((angle, t, 1.9 * radius) for angle, t, radius in look.specks)
        return replace(look, specks=specks, sediment=0.0)
    return look


def _reach(start_s: float, rng: np.random.Generator) -> Reach:
    x = float(rng.uniform(0.1, 0.9)) * WIDTH
    hand = (float(np.clip(x + rng.normal(0, 70), 30, WIDTH - 30)), float(rng.uniform(70, 230)))
    outside = (x, -60.0 if rng.random() < 0.4 else PICTURE[0] + 60.0)
    return Reach(start_s, start_s + float(rng.uniform(0.6, 1.8)), outside, hand, int(rng.integers(3)))


def _glare(start_s: float, rng: np.random.Generator) -> Glare:
    centre = (float(rng.uniform(0, WIDTH)), float(rng.uniform(60, 250)))
    size = (float(rng.uniform(18, 55)), float(rng.uniform(30, 90)))
    return Glare(start_s, start_s + float(rng.uniform(0.3, 1.6)), centre, size, float(rng.uniform(0.5, 1.8)))
