"""The course of a pre-training as one picture: loss, how far vectors spread, along how many directions, and neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tellapart.evaluation.charts import Axes, Series, line_chart, round_top
from tellapart.training.selfsup.history import Epoch

_WIDTH, _HEIGHT, _HEAD = 380, 300, 46
_COLOURS = ("#0b63a8", "#c2570c")
# What report.css gives the charts of a report, for a file that stands alone.
_STYLE = """
svg { font: 12px sans-serif; } rect { fill: #fff; } text { fill: #566270; } .name { fill: #1a2027; font-weight: bold; }
.grid { stroke: #d9dee5; } polyline { fill: none; stroke-width: 2.2; } .tip { fill-opacity: 0; } .tip:hover { fill-opacity: 1; }
.s0 { stroke: #0b63a8; } .s1 { stroke: #c2570c; } circle.s0 { fill: #0b63a8; } circle.s1 { fill: #c2570c; }
"""

Line = tuple[str, list[float | None]]


def curves(history: Sequence[Epoch]) -> str:
    """An SVG file with a chart for everything that was measured."""
    panels = [
        _panel("Loss", [("loss", [epoch.loss for epoch in history])]),
        _panel("Spread (0: all alike)", _both(history, "deviation")),
        _panel("Directions (effective rank)", _both(history, "rank")),
    ]
    if any(epoch.neighbours is not None for epoch in history):
        panels.append(_panel("Right by neighbours", [("neighbours", [epoch.neighbours for epoch in history])], top=1.0))
    width, height = _WIDTH * len(panels), _HEIGHT + _HEAD
    placed = "".join(f'<g transform="translate({_WIDTH * i} 0)">{panel}</g>' for i, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<style>{_STYLE}</style><rect width="100%" height="100%"/>{placed}</svg>\n'
    )


def _both(history: Sequence[Epoch], field: str) -> list[Line]:
    return [
        ("embeddings", [getattr(epoch.embeddings, field) for epoch in history]),
        ("projections", [getattr(epoch.projections, field) for epoch in history]),
    ]


def _panel(title: str, lines: Sequence[Line], top: float | None = None) -> str:
    series = [_series(name, values) for name, values in lines]
    highest = max((max(one.y) for one in series if one.y), default=0.0)
    end = max((max(one.x) for one in series if one.x), default=1.0)
    axes = Axes("epoch", "", top=top or round_top(highest), end=max(end, 1.0))
    chart = line_chart(title, axes, series).replace(
        "<svg ", f'<svg y="{_HEAD}" width="{_WIDTH}" height="{_HEIGHT}" ', 1
    )
    return f'<text class="name" x="48" y="20">{escape(title)}</text>{_names(lines)}{chart}'


def _series(name: str, values: Sequence[float | None]) -> Series:
    known = [(float(number), value) for number, value in enumerate(values) if value is not None]
    tips = [f"epoch {number:.0f}: {name} {value:.4g}" for number, value in known]
    return Series(name, [number for number, _ in known], [value for _, value in known], tips)


def _names(lines: Sequence[Line]) -> str:
    if len(lines) < 2:
        return ""
    return "".join(
        f'<text x="{48 + 90 * i}" y="38" style="fill: {colour}">{name}</text>'
        for i, ((name, _), colour) in enumerate(zip(lines, _COLOURS, strict=False))
    )
