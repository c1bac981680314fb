"""The range test as a picture: loss over learning rate, and where the suggestion lies."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from tellapart.evaluation.charts import svg
from tellapart.training.finetune.lr_finder import Found

_WIDTH, _HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 34, 44
# The picture is looked at on its own: it brings the report's colours with it, for light and for dark.
_STYLE = """
.chart { font: 12px system-ui, sans-serif; background: #fff; } .chart text { fill: #566270; }
.chart .grid { stroke: #d9dee5; } .chart polyline { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.chart .raw { stroke: #0b63a8; stroke-opacity: .3; stroke-width: 1.2; } .chart .s0 { stroke: #0b63a8; }
.chart .guide { stroke: #c2570c; stroke-dasharray: 5 5; } .chart text.name { fill: #1a2027; font-weight: 600; }
@media (prefers-color-scheme: dark) { .chart { background: #1b2128; } .chart text { fill: #a3afbc; }
.chart .grid { stroke: #333d48; } .chart .raw, .chart .s0 { stroke: #6cb6f5; } .chart .guide { stroke: #f5a05c; }
.chart text.name { fill: #e8ecf1; } }
"""


def lr_picture(found: Found) -> str:
    """A whole SVG file."""
    chart = _chart(found)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
    return chart.replace("<svg ", head, 1).replace("</title>", f"</title><style>{_STYLE}</style>", 1) + "\n"


def _chart(found: Found) -> str:
    frame = _Frame(found)
    body = [
        *frame.drawn(),
        frame.line("raw", found.losses),
        frame.line("s0", found.smoothed),
        frame.suggestion(found.lr),
    ]
    return svg(f"Loss over learning rate: {found.why}", body, width=_WIDTH, height=_HEIGHT)


class _Frame:
    """Data units to pixels: rates in powers of ten, losses linear; a loss that has run away leaves at the top."""

    def __init__(self, found: Found) -> None:
        self.rates = found.rates
        start, end = math.log10(found.rates[0]), math.log10(found.rates[-1])
        self.left, self.right = start, max(end, start + 1)
        low, high = min(found.smoothed), max(found.smoothed)
        calm = [loss for loss in found.smoothed if loss <= 1.6 * found.smoothed[0]]
        high = min(high, max(calm, default=high) * 1.1)
        self.step = _step(max(high - low, 1e-6))
        self.bottom = math.floor(low / self.step) * self.step
        self.top = max(math.ceil(high / self.step) * self.step, self.bottom + self.step)

    def place(self, rate: float, loss: float) -> tuple[float, float]:
        """Pixels of a point; losses beyond the frame lie on its edge."""
        across = (math.log10(rate) - self.left) / (self.right - self.left)
        height = min(max((loss - self.bottom) / (self.top - self.bottom), 0.0), 1.0)
        x = _LEFT + across * (_WIDTH - _LEFT - _RIGHT)
        return round(x, 1), round(_TOP + (1 - height) * (_HEIGHT - _TOP - _BOTTOM), 1)

    def drawn(self) -> list[str]:
        """Grid, ticks and the axes' names."""
        floor = _HEIGHT - _BOTTOM
        parts = []
        for power in range(math.ceil(self.left - 1e-9), math.floor(self.right + 1e-9) + 1):
            x, _ = self.place(10.0**power, self.bottom)
            parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{floor}"/>')
            parts.append(f'<text x="{x}" y="{floor + 16}" text-anchor="middle">{10.0**power:g}</text>')
        for loss in np.arange(self.bottom, self.top + self.step / 2, self.step).tolist():
            _, y = self.place(self.rates[0], loss)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{round(loss, 6):g}</text>')
        middle = (_TOP + floor) / 2
        parts.append(
            f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">learning rate</text>'
        )
        parts.append(f'<text x="13" y="{middle}" text-anchor="middle" transform="rotate(-90 13 {middle})">loss</text>')
        return parts

    def line(self, style: str, losses: tuple[float, ...]) -> str:
        """A curve over the rates."""
        places = [self.place(rate, loss) for rate, loss in zip(self.rates, losses, strict=True)]
        return f'<polyline class="{style}" points="{" ".join(f"{x},{y}" for x, y in places)}"/>'

    def suggestion(self, lr: float | None) -> str:
        """The suggested rate as a line with its number, or the words that there is none."""
        if lr is None:
            return f'<text class="name" x="{_LEFT}" y="22">no learning rate can be read from this curve</text>'
        x, _ = self.place(lr, self.bottom)
        text = escape(f"fastest fall: {lr:.2g}")
        line = f'<line class="guide" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        side = "end" if x > _WIDTH - 100 else "start" if x < 100 else "middle"
        return f'{line}<text class="name" x="{x}" y="22" text-anchor="{side}">{text}</text>'


def _step(spread: float) -> float:
    """Distance of grid lines, a short number: three to seven of them."""
    power = 10.0 ** math.floor(math.log10(spread / 5))
    return next(power * step for step in (1, 2, 5, 10) if spread / (power * step) <= 6)
