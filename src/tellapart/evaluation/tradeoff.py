"""Score over speed as one picture: points on their intervals, the front that nothing beats, names that never overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from tellapart.evaluation.charts import svg
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.wording import number

_WIDTH, _HEIGHT = 420, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 14, 46
_LETTER, _BOLD, _LINE = 6.7, 7.5, 12.0  # px per letter and line at the style sheet's 12 px, rather too wide
_LONGEST = 24
# How far above or below its point a name may stand: further away it would seem to belong to another.
_NEAR = (0.0, -8.0, 8.0, -14.0, 14.0)

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Contender:
    """One point: milliseconds per image (above 0) and a score in 0–1 with its interval; `chosen` gets a ring."""

    name: str
    ms: float
    score: Estimate
    chosen: bool = False


def front(ms: Sequence[float], scores: Sequence[float | None]) -> tuple[bool, ...]:
    """True where nobody is both as fast and as good (Pareto); of equals the first. None, no score, is never on it."""
    order = sorted(
        (i for i, score in enumerate(scores) if score is not None), key=lambda i: (ms[i], -(scores[i] or 0.0), i)
    )
    best, found = -math.inf, set()
    for i in order:
        if (scores[i] or 0.0) > best:
            best = scores[i] or 0.0
            found.add(i)
    return tuple(i in found for i in range(len(scores)))


def tradeoff_chart(title: str, contenders: Sequence[Contender], *, x: str, y: str) -> str:
    """`<svg>`; the horizontal axis is logarithmic. Contenders without a score are left out."""
    shown = [one for one in contenders if one.score.value is not None]
    if not shown:
        return ""
    frame = _Frame.around(shown)
    on_front = front([one.ms for one in shown], [one.score.value for one in shown])
    stairs = _stairs(frame, shown, on_front)
    body = [*frame.drawn(x, y), _polyline(stairs)]
    body += [_point(frame, one, best) for one, best in zip(shown, on_front, strict=True)]
    return svg(title, [*body, *_names(frame, shown, on_front, stairs)], width=_WIDTH, height=_HEIGHT)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Data units to pixels: x in powers of ten, y linear from `bottom` to `top`."""

    left: float
    right: float
    bottom: float
    top: float

    @classmethod
    def around(cls, shown: Sequence[Contender]) -> _Frame:
        times = [math.log10(max(one.ms, 1e-3)) for one in shown]
        low = min(_low(one.score) for one in shown)
        high = max(_high(one.score) for one in shown)
        step = _step(high - low)
        top = min(max(math.ceil(high / step - 1e-9) * step, step), 1.0)
        bottom = max(min(math.floor(low / step + 1e-9) * step, top - step), 0.0)
        room = max(0.15, 0.2 * (max(times) - min(times)))
        return cls(min(times) - room, max(times) + room, bottom, top)

    def place(self, ms: float, score: float) -> tuple[float, float]:
        share = (math.log10(max(ms, 1e-3)) - self.left) / (self.right - self.left)
        height = (score - self.bottom) / (self.top - self.bottom)
        across = _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
        return round(across, 1), round(_TOP + (1 - height) * (_HEIGHT - _TOP - _BOTTOM), 1)

    def drawn(self, x: str, y: str) -> list[str]:
        """Grid, ticks and the axes' names."""
        parts = []
        for value in self._times():
            across, _ = self.place(value, self.bottom)
            parts.append(f'<line class="grid" x1="{across}" x2="{across}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
            parts.append(f'<text x="{across}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
        step = _step(self.top - self.bottom)
        for i in range(round((self.top - self.bottom) / step) + 1):
            value = self.bottom + i * step
            _, down = self.place(1.0, value)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{down}" y2="{down}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{down + 4}" text-anchor="end">{value:.3g}</text>')
        middle = _TOP + (_HEIGHT - _TOP - _BOTTOM) / 2
        across = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(f'<text x="{across}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x)}</text>')
        turned = f'transform="rotate(-90 13 {middle})"'
        parts.append(f'<text x="13" y="{middle}" text-anchor="middle" {turned}>{escape(y)}</text>')
        return parts

    def _times(self) -> list[float]:
        """Round numbers of milliseconds within the frame, as many kinds of them as give at most seven."""
        powers = range(math.floor(self.left), math.ceil(self.right) + 1)
        for steps in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            values = [step * 10.0**power for power in powers for step in steps]
            inside = [value for value in values if self.left <= math.log10(value) <= self.right]
            if len(inside) <= 7:
                return inside
        return inside


def _low(score: Estimate) -> float:
    return (score.value or 0.0) if score.low is None else score.low


def _high(score: Estimate) -> float:
    return (score.value or 0.0) if score.high is None else score.high


def _step(spread: float) -> float:
    """Distance of grid lines: three to seven of them."""
    return next((step for step in (0.01, 0.02, 0.05, 0.1) if spread / step <= 6), 0.2)


def _stairs(frame: _Frame, shown: Sequence[Contender], on_front: Sequence[bool]) -> list[tuple[float, float]]:
    """Corners of the line up to which nothing is as good in less time."""
    best = sorted((one for one, is_best in zip(shown, on_front, strict=True) if is_best), key=lambda one: one.ms)
    path: list[tuple[float, float]] = []
    for one in best:
        x, y = frame.place(one.ms, one.score.value or 0.0)
        path += [(x, path[-1][1])] if path else []
        path.append((x, y))
    return [*path, (_WIDTH - _RIGHT, path[-1][1])]


def _polyline(path: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="s0 front" points="{" ".join(f"{x},{y}" for x, y in path)}"/>'


def _point(frame: _Frame, one: Contender, best: bool) -> str:
    x, y = frame.place(one.ms, one.score.value or 0.0)
    (_, top), (_, bottom) = frame.place(one.ms, _high(one.score)), frame.place(one.ms, _low(one.score))
    tip = f"{one.name}: {number(one.score.value)} in {one.ms:.3g} ms"
    ring = f'<circle class="ring" cx="{x}" cy="{y}" r="8.5"/>' if one.chosen else ""
    style = "s0" if best else "off"
    return (
        f'<line class="err {style}" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>{ring}'
        f'<circle class="{style}" cx="{x}" cy="{y}" r="5"><title>{escape(tip)}</title></circle>'
    )


def _names(
    frame: _Frame, shown: Sequence[Contender], on_front: Sequence[bool], stairs: Sequence[tuple[float, float]]
) -> list[str]:
    """A name beside each point where there is room for it, else its number in the table; the front's come first."""
    places = [frame.place(one.ms, one.score.value or 0.0) for one in shown]
    taken: list[Box] = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    taken += [
        (x - 1.5, frame.place(one.ms, _high(one.score))[1], x + 1.5, frame.place(one.ms, _low(one.score))[1])
        for one, (x, _) in zip(shown, places, strict=True)
    ]
    taken += [(min(x, u), min(y, v), max(x, u), max(y, v)) for (x, y), (u, v) in pairwise(stairs)]
    texts: list[str] = []
    for i in sorted(range(len(shown)), key=lambda i: (not shown[i].chosen, not on_front[i], i)):
        short = _shortened(shown[i].name)
        letter = _BOLD if on_front[i] else _LETTER
        for name in (short, str(i + 1)):
            box = _free(places[i], len(name) * letter, taken)
            if box is not None:
                taken.append(box)
                texts.append(_name(name, box, places[i][0], on_front[i]))
                break
    return texts


def _shortened(name: str) -> str:
    """Beginning and end of a long name: sizes stand at the end."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 10]}…{name[-9:]}"


def _name(name: str, box: Box, point_x: float, bold: bool) -> str:
    """Set from the side of the point, so that it touches it whatever the letters' real width is."""
    left_of_point = box[2] < point_x
    style, anchor = ' class="name"' if bold else "", ' text-anchor="end"' if left_of_point else ""
    x = box[2] if left_of_point else box[0]
    return f'<text{style}{anchor} x="{x:.1f}" y="{box[3] - 2:.1f}">{escape(name)}</text>'


def _free(place: tuple[float, float], width: float, taken: Sequence[Box]) -> Box | None:
    """The first box beside a point that is inside the frame and touches nothing."""
    x, y = place
    for rise in _NEAR:
        for left in (x + 9, x - 9 - width):
            box = (left, y + rise - _LINE / 2, left + width, y + rise + _LINE / 2)
            inside = box[0] >= _LEFT and box[2] <= _WIDTH - 2 and box[1] >= 0 and box[3] <= _HEIGHT - _BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                return box
    return None


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
