"""Small line charts as inline SVG; colours come from the page's style sheet, so that light and dark both work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tellapart.evaluation.curves import ReliabilityBin
from tellapart.evaluation.intervals import Estimate

_WIDTH, _HEIGHT = 380, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 12, 44
_MAX_DOTS = 25


@dataclass(frozen=True, slots=True)
class Series:
    """One line: points in data units, `tips` (one per point) shown when the pointer rests on it."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    tips: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Axes:
    """Names of the axes, the top of the vertical and the end of the horizontal one; both start at 0."""

    x: str
    y: str
    top: float = 1.0
    end: float = 1.0

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Data units to pixels of the drawing."""
        across = _LEFT + x / self.end * (_WIDTH - _LEFT - _RIGHT)
        down = _TOP + (1 - y / self.top) * (_HEIGHT - _TOP - _BOTTOM)
        return round(across, 1), round(down, 1)


def round_top(value: float) -> float:
    """Smallest top ≥ value whose fifths are short numbers (steps of 1, 2, 2.5 or 5 times a power of ten)."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value / 5))
    return next(5 * power * step for step in (1, 2, 2.5, 5, 10) if 5 * power * step >= value * (1 - 1e-9))


def line_chart(title: str, axes: Axes, series: Sequence[Series], *, diagonal: bool = False) -> str:
    """`<svg>` with one line per series; `diagonal` adds the dashed line from corner to corner."""
    body = [_frame(axes)]
    if diagonal:
        body.append(_line(axes, (0.0, 0.0), (1.0, axes.top), "guide"))
    body.extend(_drawn(axes, one, number, dots=len(series) <= 2) for number, one in enumerate(series))
    return svg(title, body)


def reliability_chart(title: str, bins: Sequence[ReliabilityBin]) -> str:
    """Share right over confidence, dot area by images; on the dashed diagonal confidence means what it says."""
    axes = Axes("confidence", "share that was right")
    most = max((b.n for b in bins), default=1)
    body = [_frame(axes), _line(axes, (0.0, 0.0), (1.0, 1.0), "guide")]
    body.append(_drawn(axes, Series("", [b.confidence for b in bins], [b.right for b in bins]), 0, dots=False))
    for b in bins:
        x, y = axes.place(b.confidence, b.right)
        tip = f"confidence {b.confidence:.2f}, right {b.right:.2f}, {b.n} images"
        radius = 2.5 + 6.5 * (b.n / most) ** 0.5
        body.append(f'<circle class="s0 dot" cx="{x}" cy="{y}" r="{radius:.1f}"><title>{escape(tip)}</title></circle>')
    return svg(title, body)


def whisker(estimate: Estimate, reference: float | None = None, start: float = 0.0) -> str:
    """A number between `start` and 1 as a dot on its interval, one line high; the tick marks the reference."""
    if estimate.value is None:
        return ""

    def at(value: float) -> str:
        return f"{4 + 92 * min(max((value - start) / max(1 - start, 1e-9), 0.0), 1.0):.1f}"

    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    tick = "" if reference is None else f'<line class="tick" x1="{at(reference)}" x2="{at(reference)}" y1="1" y2="15"/>'
    return (
        '<svg class="whisker" viewBox="0 0 100 16" aria-hidden="true">'
        f'<line class="rail" x1="4" x2="96" y1="8" y2="8"/>{tick}'
        f'<line class="range" x1="{at(low)}" x2="{at(high)}" y1="8" y2="8"/>'
        f'<circle cx="{at(estimate.value)}" cy="8" r="3.6"/></svg>'
    )


def legend(names: Sequence[str]) -> str:
    """Names beside samples of the lines, in the order of `line_chart`'s series."""
    items = "".join(
        f'<li><svg viewBox="0 0 22 8" aria-hidden="true"><line class="s{i % 10}{" alt" if i >= 10 else ""}" '
        f'x1="0" x2="22" y1="4" y2="4"/></svg>{escape(name)}</li>'
        for i, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'


def svg(title: str, body: Sequence[str], *, width: int = _WIDTH, height: int = _HEIGHT) -> str:
    """`<svg>` around its parts; `title` is its name for screen readers."""
    name = escape(title)
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{name}">'
        f"<title>{name}</title>{''.join(body)}</svg>"
    )


def _frame(axes: Axes) -> str:
    parts = []
    for step in range(6):
        share = step / 5
        parts.append(_line(axes, (0.0, share * axes.top), (axes.end, share * axes.top), "grid"))
        parts.append(_line(axes, (share * axes.end, 0.0), (share * axes.end, axes.top), "grid"))
        across = f"{share:.1f}" if axes.end == 1 else f"{share * axes.end:.3g}"
        x, _ = axes.place(share * axes.end, 0.0)
        _, y = axes.place(0.0, share * axes.top)
        parts.append(f'<text class="n" x="{x}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{across}</text>')
        parts.append(f'<text class="n" x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share * axes.top:.3g}</text>')
    middle = _TOP + (_HEIGHT - _TOP - _BOTTOM) / 2
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(axes.x)}</text>'
    )
    parts.append(
        f'<text x="13" y="{middle}" text-anchor="middle" transform="rotate(-90 13 {middle})">{escape(axes.y)}</text>'
    )
    return "".join(parts)


def _line(axes: Axes, start: tuple[float, float], end: tuple[float, float], style: str) -> str:
    (x1, y1), (x2, y2) = axes.place(*start), axes.place(*end)
    return f'<line class="{style}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _drawn(axes: Axes, series: Series, number: int, *, dots: bool) -> str:
    places = [axes.place(x, y) for x, y in zip(series.x, series.y, strict=True)]
    path = " ".join(f"{x},{y}" for x, y in places)
    title = f"<title>{escape(series.label)}</title>" if series.label else ""
    line = f'<polyline class="s{number % 10}{" alt" if number >= 10 else ""}" points="{path}">{title}</polyline>'
    if not dots or not series.tips:
        return line
    step = max(1, len(places) // _MAX_DOTS)
    return line + "".join(
        f'<circle class="s{number % 10} tip" cx="{x}" cy="{y}" r="5"><title>{escape(tip)}</title></circle>'
        for (x, y), tip in list(zip(places, series.tips, strict=True))[::step]
    )
