"""What the line produces: which bottle carries which fault, when it passes which camera, and which labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from tellapart.errors import Reason, SettingsError
from tellapart.samples.bottle import FULL, PRODUCTS, Look
from tellapart.samples.camera import Exposure
from tellapart.samples.drawing import Colour
from tellapart.samples.scene import STATIONS, Station

Variant = Literal["binary", "multiclass", "multilabel"]

SHARES = {"good": 0.44, "crooked_label": 0.18, "low_fill": 0.16, "no_cap": 0.14, "contaminated": 0.08}
"""How often each state occurs; `contaminated` is the rare and difficult one."""

FAULTS = tuple(name for name in SHARES if name != "good")


@dataclass(frozen=True, slots=True)
class BottleLine:
    """What to generate. `later` is a night shift weeks after the others: lamps aged, camera nudged, other bottles.

    `mislabelled` is the share of pictures with a wrong label, `height_px` the height of a picture (width: three
    quarters of it).
    """

    variant: Variant = "multiclass"
    n_parts: int = 100
    frames_per_part: int = 4
    seed: int = 0
    mislabelled: float = 0.02
    later: bool = False
    height_px: int = 320

    def __post_init__(self) -> None:
        faults = []
        if self.variant not in ("binary", "multiclass", "multilabel"):
            faults.append(f"variant is 'binary', 'multiclass' or 'multilabel', got {self.variant!r}")
        faults += [
            f"{name} is a whole number of at least {least}, got {value!r}"
            for name, value, least in (
                ("n_parts", self.n_parts, 1), ("frames_per_part", self.frames_per_part, 1),
                ("seed", self.seed, 0), ("height_px", self.height_px, 32),
            )
            if not isinstance(value, int) or value < least
        ]  # fmt: skip
        if not 0 <= self.mislabelled <= 1:
            faults.append(f"mislabelled is a share between 0 and 1, got {self.mislabelled!r}")
        if faults:
            raise SettingsError(Reason.BAD_SETTING, "the bottling line cannot run: " + "; ".join(faults))


@dataclass(frozen=True, slots=True)
class Part:
    """One bottle on its way past a camera; `neighbours` stand left and right of it and are always good."""

    name: str
    index: int
    faults: tuple[str, ...]
    look: Look
    neighbours: tuple[Look, Look]
    station: Station
    shift: str
    light: str
    captured_at: datetime
    exposure: Exposure
    position: float
    spacing: float
    travelled: float


@dataclass(frozen=True, slots=True)
class _Shift:
    """A working shift: the daylight that mixes with the lamps, from its first to its last bottle."""

    name: str
    start: datetime
    daylight: tuple[float, float]


_SHIFTS = (
    _Shift("early", datetime(2026, 3, 2, 6, 0), (0.25, 1.0)),
    _Shift("late", datetime(2026, 3, 2, 14, 0), (0.95, 0.0)),
)
_LATER = (_Shift("night", datetime(2026, 4, 20, 22, 0), (0.0, 0.0)),)


def schedule(line: BottleLine) -> list[Part]:
    """All parts in the order in which they pass; half of them in each shift, the cameras taking turns at random."""
    rng = np.random.default_rng([line.seed, int(line.later), 0])
    states = _states(line.n_parts, rng)
    shifts = _LATER if line.later else _SHIFTS
    per_shift = -(-line.n_parts // len(shifts))
    return [
        _part(line, index, state, shifts[index // per_shift], (index % per_shift) / per_shift)
        for index, state in enumerate(states)
    ]


def _states(n_parts: int, rng: np.random.Generator) -> list[str]:
    """Shares turned into whole parts by largest remainder, so that a small line still has its rare faults; shuffled."""
    ideal = np.array(list(SHARES.values())) * n_parts
    counts = np.floor(ideal).astype(int)
    for i in np.argsort(counts - ideal, kind="stable")[: n_parts - counts.sum()]:
        counts[i] += 1
    return [str(name) for name in rng.permutation(np.repeat(list(SHARES), counts))]


def _part(line: BottleLine, index: int, state: str, shift: _Shift, progress: float) -> Part:
    rng = np.random.default_rng([line.seed, int(line.later), 1, index])
    faults = _faults(line.variant, state, rng)
    product = PRODUCTS[rng.integers(len(PRODUCTS))]
    station = STATIONS[rng.integers(len(STATIONS))]
    start, end = shift.daylight
    daylight = float(np.clip(start + (end - start) * progress + rng.normal(0, 0.06), 0, 1))
    return Part(
        name=f"part_{index:05d}" if not line.later else f"night_{index:05d}",
        index=index,
        faults=faults,
        look=bottle_look(Look(product), faults, rng),
        neighbours=(bottle_look(Look(product), (), rng), bottle_look(Look(product), (), rng)),
        station=station,
        shift=shift.name,
        light="daylight" if daylight > 0.66 else "mixed" if daylight > 0.33 else "lamps",
        captured_at=shift.start + timedelta(seconds=round(8 * 3600 * progress, 1)),
        exposure=_exposure(station, daylight, line, rng),
        position=float(rng.uniform(-11, 7)) + (4 if line.later else 0),
        spacing=float(rng.uniform(102, 158)),
        travelled=float(rng.uniform(0, 1000)),
    )


def _faults(variant: str, state: str, rng: np.random.Generator) -> tuple[str, ...]:
    if state == "good":
        return ()
    others = [name for name in FAULTS if name != state]
    if variant != "multilabel" or rng.random() > 0.4:
        return (state,)
    return tuple(sorted((state, str(rng.choice(others)))))


def bottle_look(plain: Look, faults: tuple[str, ...], rng: np.random.Generator) -> Look:
    """The harmless differences between bottles, then the faults: from barely to plainly visible."""
    side = float(rng.choice([-1, 1]))
    tilt, shift = float(rng.normal(0, 0.010)), float(rng.normal(0, 1.0))
    if "crooked_label" in faults:
        tilt, shift = side * float(rng.uniform(0.075, 0.23)), float(rng.normal(0, 3.5))
    fill = FULL + float(rng.normal(0, 3.0))
    if "low_fill" in faults:
        fill = float(rng.uniform(76, 124))
    dirty = "contaminated" in faults
    wet = rng.random() < 0.4
    return Look(
        product=plain.product,
        fill=fill,
        capped="no_cap" not in faults,
        label_tilt=tilt,
        label_shift=shift,
        turn=float(rng.normal(0, 0.18)),
        lean=float(rng.normal(0, 0.006)),
        sediment=float(rng.uniform(0.4, 1.0)) if dirty and rng.random() < 0.85 else 0.0,
        specks=_spots(rng, int(rng.integers(4, 11)) if dirty else 0, (102, 128), (1.8, 3.8)),
        drops=_spots(rng, int(rng.integers(4, 14)) if wet else 0, (75, 222), (0.6, 1.5)),
    )


def _spots(
    rng: np.random.Generator, n: int, heights: tuple[float, float], radii: tuple[float, float]
) -> tuple[tuple[float, float, float], ...]:
    angles, where, sizes = rng.uniform(-1.0, 1.0, n), rng.uniform(*heights, n), rng.uniform(*radii, n)
    return tuple(zip(angles.tolist(), where.tolist(), sizes.tolist(), strict=True))


def _exposure(station: Station, daylight: float, line: BottleLine, rng: np.random.Generator) -> Exposure:
    """Daylight is bluish and comes from the left; lamps are yellowish, and at night they are old and dim as well."""
    warm, cold = np.array([1.10, 1.0, 0.84]), np.array([0.95, 1.0, 1.07])
    if line.later:
        warm = np.array([1.06, 1.02, 0.74])
    r, g, b = (warm + (cold - warm) * daylight).tolist()
    tint: Colour = (r, g, b)
    pixels = line.height_px / 320
    return Exposure(
        gain=(0.62 if line.later else 0.80 + 0.38 * daylight) * float(rng.normal(1, 0.05)),
        tint=tint,
        slope=0.22 * daylight + float(rng.normal(0, 0.03)),
        vignette=station.vignette,
        defocus_px=float(rng.uniform(0.45, 0.95) if rng.random() < 0.85 else rng.uniform(1.1, 1.9)) * pixels,
        motion_px=float(rng.uniform(0.4, 3.2)) * pixels,
        noise=float(rng.uniform(0.012, 0.024)) * (1.5 if line.later else 1.0),
    )


def labels_of(variant: str, faults: tuple[str, ...]) -> tuple[str, ...]:
    """What an attentive person writes down: one name, or for multi-label all faults (none: a good bottle)."""
    if variant == "multilabel":
        return tuple(sorted(faults))
    if variant == "binary":
        return ("defective",) if faults else ("good",)
    return faults or ("good",)


def wrong_labels(line: BottleLine, truth: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The labels as delivered: `round(mislabelled * n)` pictures carry a wrong one, drawn evenly over all pictures."""
    rng = np.random.default_rng([line.seed, int(line.later), 2])
    given = list(truth)
    for i in rng.permutation(len(truth))[: round(line.mislabelled * len(truth))]:
        given[i] = _mistake(line.variant, truth[i], rng)
    return given


def _mistake(variant: str, labels: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    """Another class; for multi-label one fault overlooked or one too many."""
    if variant == "multilabel":
        return tuple(sorted(set(labels) ^ {str(rng.choice(FAULTS))}))
    names = ("good", "defective") if variant == "binary" else tuple(SHARES)
    return (str(rng.choice([name for name in names if name != labels[0]])),)
