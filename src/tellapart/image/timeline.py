"""Confidences over time with their thresholds, and below them the states as a band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.image.lettering import fitted, font

Rgb = tuple[int, int, int]
# Okabe and Ito (2008): told apart by everybody.
COLOURS: tuple[Rgb, ...] = (
    *((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167)),
    *((230, 159, 0), (86, 180, 233), (120, 120, 120)),
)
_PAPER, _INK, _GREY, _LIGHT = (250, 250, 250), (30, 30, 30), (140, 140, 140), (222, 222, 222)
# Pillow's lines have steps: everything is drawn at twice the size and made smaller.
_TIMES = 2
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_LEFT, _RIGHT, _TOP, _CHART, _BAND, _BELOW = 62, 190, 14, 190, 30, 26


@dataclass(frozen=True, slots=True)
class Span:
    """A state from one instant to another, in seconds."""

    state: str
    start_s: float
    end_s: float


def timeline(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    thresholds: Mapping[str, Sequence[float]],
    spans: Sequence[Span],
    *,
    decided_s: float,
    large: frozenset[float] = frozenset(),
    from_s: float,
    to_s: float,
    width_px: int,
) -> NDArray[np.uint8]:
    """uint8 (h, width_px, 3). `curves` are (instant, confidence 0-1) by label; `decided_s` is marked, and
    so are the instants `large`."""
    sheet = _Sheet(width_px, from_s, to_s)
    sheet.frame()
    for number, (label, points) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        for value in thresholds.get(label, ()):
            sheet.threshold(value, colour)
        sheet.curve(points, colour, large)
        sheet.legend(number, label, colour)
    sheet.band(spans)
    sheet.mark(decided_s)
    return sheet.pixels()


class _Sheet:
    """Places in pixels of the finished picture; `_at` makes them those of the larger one."""

    def __init__(self, width: int, from_s: float, to_s: float) -> None:
        self.width, self.height = width, _TOP + _CHART + 8 + _BAND + _BELOW
        self.from_s, self.span_s = from_s, max(to_s - from_s, 1e-6)
        self.image = Image.new("RGB", (width * _TIMES, self.height * _TIMES), _PAPER)
        self.draw, self.letters = ImageDraw.Draw(self.image), font(12 * _TIMES)

    def frame(self) -> None:
        """Axes: confidence to the left, time below."""
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            y = self._y(share)
            self._line([(_LEFT, y), (self.width - _RIGHT, y)], _LIGHT, 1)
            self._text(_LEFT - 8, y - 8, f"{share:g}", right=True)
        for at_s in self._ticks():
            x = self._x(at_s)
            self._line([(x, _TOP + _CHART + 8 + _BAND), (x, _TOP + _CHART + 12 + _BAND)], _GREY, 1)
            self._text(x, _TOP + _CHART + 13 + _BAND, _clock(at_s, self.span_s), middle=True)

    def curve(self, points: Sequence[tuple[float, float]], colour: Rgb, large: frozenset[float]) -> None:
        """A line with a dot for each image, a larger one where the decision rests on it."""
        places = [(self._x(at_s), self._y(p)) for at_s, p in points]
        if len(places) > 1:
            self._line(places, colour, 2)
        for (at_s, _), (x, y) in zip(points, places, strict=True):
            r = 5 if at_s in large else 2.5
            box = [(x - r) * _TIMES, (y - r) * _TIMES, (x + r) * _TIMES, (y + r) * _TIMES]
            self.draw.ellipse(box, fill=colour)

    def threshold(self, value: float, colour: Rgb) -> None:
        """A broken line across."""
        y, x = self._y(value), float(_LEFT)
        while x < self.width - _RIGHT:
            self._line([(x, y), (min(x + 7, self.width - _RIGHT), y)], colour, 1)
            x += 12

    def legend(self, number: int, label: str, colour: Rgb) -> None:
        """To the right."""
        x, y = self.width - _RIGHT + 14, _TOP + number * 18
        self._line([(x, y + 8), (x + 16, y + 8)], colour, 3)
        self._text(x + 22, y, label, room=_RIGHT - 44)

    def band(self, spans: Sequence[Span]) -> None:
        """States below the chart, each in a colour of its own, named where there is room and to the right."""
        states = list(dict.fromkeys(one.state for one in spans))
        top = _TOP + _CHART + 8
        for one in spans:
            left, right = self._x(max(one.start_s, self.from_s)), self._x(min(one.end_s, self.from_s + self.span_s))
            if right <= left:
                continue
            tint = _tint(COLOURS[(states.index(one.state) + 3) % len(COLOURS)])
            box = [left * _TIMES, top * _TIMES, right * _TIMES, (top + _BAND) * _TIMES]
            self.draw.rectangle(box, fill=tint, outline=_PAPER, width=_TIMES)
            if right - left > 30:
                self._text(left + 6, top + 7, one.state, room=right - left - 10)
        if spans:
            self._text(self.width - _RIGHT + 14, top + 7, "state", room=_RIGHT - 20)

    def mark(self, at_s: float) -> None:
        """The instant of the decision."""
        x = self._x(at_s)
        self._line([(x, _TOP), (x, _TOP + _CHART + 8 + _BAND)], _INK, 1)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture in its own size."""
        return np.asarray(self.image.resize((self.width, self.height), Image.Resampling.LANCZOS))

    def _x(self, at_s: float) -> float:
        return _LEFT + (self.width - _LEFT - _RIGHT) * (at_s - self.from_s) / self.span_s

    def _y(self, share: float) -> float:
        return _TOP + _CHART * (1 - share)

    def _ticks(self) -> list[float]:
        most = max(1, (self.width - _LEFT - _RIGHT) // 110)
        step = next((one for one in _STEPS_S if self.span_s / one <= most), self.span_s / most)
        first = math.ceil(self.from_s / step)
        return [number * step for number in range(first, math.floor((self.from_s + self.span_s) / step) + 1)]

    def _line(self, places: Sequence[tuple[float, float]], colour: Rgb, thick: int) -> None:
        larger = [(x * _TIMES, y * _TIMES) for x, y in places]
        self.draw.line(larger, fill=colour, width=thick * _TIMES, joint="curve")

    def _text(
        self, x: float, y: float, text: str, *, right: bool = False, middle: bool = False, room: float = 1000
    ) -> None:
        said = fitted(text, self.letters, room * _TIMES)
        length = self.letters.getlength(said) / _TIMES
        x -= length if right else length / 2 if middle else 0
        self.draw.text((x * _TIMES, y * _TIMES), said, fill=_INK, font=self.letters)


def _tint(colour: Rgb) -> Rgb:
    red, green, blue = (round(255 - (255 - value) * 0.45) for value in colour)
    return red, green, blue


def _clock(at_s: float, span_s: float) -> str:
    moment = datetime.fromtimestamp(at_s, UTC)
    if span_s > 86400:
        return moment.strftime("%m-%d %H:%M")
    return moment.strftime("%H:%M:%S") + (f".{moment.microsecond // 100_000}" if span_s < 20 else "")
