"""Policies that were tried as points: what each raises for nothing against what it misses, and against how late it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tellapart.evaluation.charts import round_top, svg

_WIDTH, _HEIGHT = 420, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 18, 46


@dataclass(frozen=True, slots=True)
class Point:
    """A policy: false alarms per hour, share of the episodes missed (0–1) and seconds of delay, None where nothing was found.

    `front`: no other one is better in one of the three and as good in the rest. `mark` is "given", "tuned" or "".
    """

    false_per_hour: float
    missed: float
    delay_s: float | None
    tip: str
    front: bool = False
    mark: str = ""


def pareto(figures: Sequence[tuple[float, ...]]) -> tuple[bool, ...]:
    """True where no other one is less in one figure and as little in all; of equal ones the first."""
    found: set[int] = set()
    kept: list[tuple[float, ...]] = []
    for i in sorted(range(len(figures)), key=lambda i: (figures[i], i)):
        if not any(all(a <= b for a, b in zip(one, figures[i], strict=True)) for one in kept):
            kept.append(figures[i])
            found.add(i)
    return tuple(i in found for i in range(len(figures)))


def missed_chart(points: Sequence[Point]) -> str:
    """`<svg>`: missed episodes over false alarms."""
    return _chart("Missed episodes over false alarms", [(one, one.missed) for one in points], "episodes missed")


def delay_chart(points: Sequence[Point]) -> str:
    """`<svg>`: delay over false alarms, of those that found something."""
    shown = [(one, one.delay_s) for one in points if one.delay_s is not None]
    return _chart("Delay over false alarms", shown, "delay of nine of ten, s")


def _chart(title: str, shown: Sequence[tuple[Point, float]], y: str) -> str:
    if not shown:
        return ""
    frame = _Frame(
        max(max(one.false_per_hour for one, _ in shown), 1e-3), round_top(max(height for _, height in shown))
    )
    ordered = sorted(shown, key=lambda pair: (pair[0].front, bool(pair[0].mark)))
    body = [*frame.drawn(y), *(_dot(frame, one, height) for one, height in ordered)]
    return svg(title, [*body, *_names(frame, shown)], width=_WIDTH, height=_HEIGHT)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Data units to pixels: false alarms by their square root, since what matters lies near 0, which is on the axis."""

    end: float
    top: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = _LEFT + math.sqrt(x / self.end) * (_WIDTH - _LEFT - _RIGHT)
        return round(across, 1), round(_TOP + (1 - y / self.top) * (_HEIGHT - _TOP - _BOTTOM), 1)

    def drawn(self, y: str) -> Iterator[str]:
        """Grid, ticks and the axes' names."""
        for value in self._ticks():
            across, _ = self.place(value, 0.0)
            yield f'<line class="grid" x1="{across}" x2="{across}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
            yield f'<text class="n" x="{across}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{value:g}</text>'
        for step in range(6):
            value = self.top * step / 5
            _, down = self.place(0.0, value)
            yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{down}" y2="{down}"/>'
            yield f'<text class="n" x="{_LEFT - 6}" y="{down + 4}" text-anchor="end">{value:.3g}</text>'
        middle, across = _TOP + (_HEIGHT - _TOP - _BOTTOM) / 2, (_LEFT + _WIDTH - _RIGHT) / 2
        yield f'<text x="{across}" y="{_HEIGHT - 8}" text-anchor="middle">false alarms per hour</text>'
        turned = f'transform="rotate(-90 13 {middle})"'
        yield f'<text x="13" y="{middle}" text-anchor="middle" {turned}>{escape(y)}</text>'

    def _ticks(self) -> list[float]:
        """0 and round numbers whose places keep a distance."""
        ticks = [0.0]
        power = math.floor(math.log10(self.end)) - 3
        for value in (step * 10.0**p for p in range(power, power + 5) for step in (1, 2, 5)):
            if value <= self.end and self.place(value, 0)[0] - self.place(ticks[-1], 0)[0] >= 38:
                ticks.append(value)
        return ticks


def _dot(frame: _Frame, one: Point, height: float) -> str:
    x, y = frame.place(one.false_per_hour, height)
    tip = f"<title>{escape(one.tip)}</title>"
    if one.mark == "given":
        return f'<rect style="fill:var(--c1)" x="{x - 5.5}" y="{y - 5.5}" width="11" height="11">{tip}</rect>'
    ring = f'<circle class="ring" cx="{x}" cy="{y}" r="8.5"/>' if one.mark == "tuned" else ""
    style, radius = ("s0", 4.5) if one.front or one.mark else ("off", 2.5)
    return f'{ring}<circle class="{style}" cx="{x}" cy="{y}" r="{radius}">{tip}</circle>'


def _names(frame: _Frame, shown: Sequence[tuple[Point, float]]) -> Iterator[str]:
    """Beside the marked points, towards the middle; where both are at the same place, that of the lower one below."""
    taken: list[tuple[float, float]] = []
    marked = sorted(((*frame.place(one.false_per_hour, height), one) for one, height in shown if one.mark), key=_down)
    for number, (x, y, one) in enumerate(marked, 1):
        right = x < _WIDTH * 0.75
        down = min(max(y - 10, _TOP + 10), _HEIGHT - _BOTTOM - 6 - 14 * (len(marked) - number))
        while any(abs(x - other) < 60 and abs(down - low) < 14 for other, low in taken):
            down = max(low for _, low in taken) + 14
        taken.append((x, down))
        anchor = "start" if right else "end"
        yield f'<text class="name" x="{x + (11 if right else -11)}" y="{down}" text-anchor="{anchor}">{one.mark}</text>'


def _down(marked: tuple[float, float, Point]) -> float:
    return marked[1]
