"""Learning curves with their intervals as one SVG, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460, 320, 52, 44, 34
_COLOURS = ("#6b7480", "#0b63a8", "#c2570c", "#1b7f4b", "#a0307a", "#6b5bd2", "#8a6d00")


@dataclass(frozen=True, slots=True)
class Line:
    """`scores` (m,) with half an interval `half` (m,) at `sizes` (m,)."""

    name: str
    sizes: NDArray[np.int64]
    scores: NDArray[np.float64]
    half: NDArray[np.float64]


def draw(panels: Mapping[str, Sequence[Line]]) -> str:
    """The whole file."""
    body = "".join(_panel(name, lines, i * _WIDTH) for i, (name, lines) in enumerate(panels.items()))
    size = f'width="{len(panels) * _WIDTH}" height="{_HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="#1a2027">'
        f'<rect width="100%" height="100%" fill="#fff"/>{body}</svg>\n'
    )


def _panel(name: str, lines: Sequence[Line], shift: int) -> str:
    right = max(int(line.sizes[-1]) for line in lines)
    low = np.floor(10 * max(0.0, min(float((line.scores - line.half).min()) for line in lines))) / 10
    high = np.ceil(10 * max(float((line.scores + line.half).max()) for line in lines)) / 10

    def at(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / right * (_WIDTH - _LEFT - 16)
        down = _TOP + (high - y) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return round(across, 1), round(down, 1)

    parts = [f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(name)}</text>']
    for value in np.arange(low, high + 1e-9, 0.1):
        (x0, y), (x1, _) = at(0, value), at(right, value)
        parts.append(
            f'<path d="M{x0} {y}H{x1}" stroke="#d9dee5"/><text x="{x0 - 8}" y="{y + 4}" text-anchor="end">{value:.1f}</text>'
        )
    for size in np.linspace(0, right, 6).astype(int):
        x, y = at(size, low)
        parts.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle">{size}</text>')
    parts.append(f'<text x="{(_WIDTH + _LEFT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">labels</text>')
    for i, (line, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        upper = [at(x, y) for x, y in zip(line.sizes, line.scores + line.half, strict=True)]
        lower = [at(x, y) for x, y in zip(line.sizes, line.scores - line.half, strict=True)]
        middle = [at(x, y) for x, y in zip(line.sizes, line.scores, strict=True)]
        parts.append(f'<polygon points="{_points(upper + lower[::-1])}" fill="{colour}" fill-opacity=".15"/>')
        parts.append(f'<polyline points="{_points(middle)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = _HEIGHT - _BOTTOM - 12 - 16 * (len(lines) - 1 - i)
        parts.append(f'<text x="{_WIDTH - 20}" y="{y}" text-anchor="end" fill="{colour}">{escape(line.name)}</text>')
    return f'<g transform="translate({shift})">{"".join(parts)}</g>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
