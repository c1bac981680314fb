"""Whether there are images enough, as a section of the report: curves, what is measured and what is expected."""

from __future__ import annotations

import math
from html import escape

from tellapart.data.hygiene.prospects import Prospect, Prospects, Range
from tellapart.evaluation.charts import svg
from tellapart.evaluation.markup import paragraph, section, table, text

_MAX_CURVES, _MAX_ROWS = 12, 100
_WIDTH, _HEIGHT = 380, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 42
_MOST_TICKS = 6
# Five steps from here to 1 are round numbers.
_BOTTOMS = (0.0, 0.5, 0.75, 0.9)


def growth_section(found: Prospects | None) -> str:
    """The section; empty where no check asked."""
    if found is None:
        return ""
    shown = sorted((one for one in found.classes if one.sizes), key=_by_gain)[:_MAX_CURVES]
    figures = "".join(_figure(one, found) for one in (found.overall, *shown) if one.sizes)
    left = sum(1 for one in found.classes if one.sizes) - len(shown)
    more = paragraph(f"{left:,} more curves are not drawn, those of classes that gain less.", "soft") if left else ""
    return section(
        "enough", "Is it enough?", paragraph(_how_to_read(found), "soft"), f'<div class="charts">{figures}</div>', more,
        _table(found),
    )  # fmt: skip


def _how_to_read(found: Prospects) -> str:
    return (
        f"Dots: the {found.score} on held-out images after so many images of the class, the other classes unchanged (all: of "
        "every class alike), with its standard deviation. Dashed line and band: what is expected, and where it lies 95 times "
        f"in 100. Measured on {found.n_measured:,} images with a quick head; a trained one may differ by a few points."
    )


def _by_gain(one: Prospect) -> tuple[float, str]:
    return (-one.twice.gain.value if one.twice else math.inf, one.label)


def _figure(one: Prospect, found: Prospects) -> str:
    name = one.label or f"all: the mean {found.score} of {len(found.judged):,} labels"
    told = "" if one.twice is None else f"{one.twice.more:,} more images: {_signed(one.twice.gain)}"
    caption = told or f"cannot be told: {one.cannot_tell}"
    return f"<figure><h3>{text(name)}</h3>{_chart(one, found)}<figcaption>{text(caption)}</figcaption></figure>"


def _signed(gain: Range) -> str:
    return f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


class _Paper:
    """Images on a logarithmic axis, the score on a plain one, both cut to what is there."""

    def __init__(self, one: Prospect) -> None:
        ends = [one.n_now + ahead.more for ahead in one.ahead]
        self.left, self.right = min(one.sizes[0], one.n_now), max([one.n_now, *one.sizes, *ends])
        lows = [y - d for y, d in zip(one.scores, one.deviations, strict=True)] + [a.score.low for a in one.ahead]
        self.bottom = max(bottom for bottom in _BOTTOMS if bottom <= max(min(lows), 0.0))

    def place(self, images: float, score: float) -> tuple[float, float]:
        """Pixels."""
        width = math.log(self.right / self.left) if self.right > self.left else 1.0
        across = _LEFT + math.log(max(images, self.left) / self.left) / width * (_WIDTH - _LEFT - _RIGHT)
        height = (min(max(score, self.bottom), 1.0) - self.bottom) / (1 - self.bottom)
        return round(across, 1), round(_TOP + (1 - height) * (_HEIGHT - _TOP - _BOTTOM), 1)

    def ticks(self) -> list[int]:
        """Round numbers of images, few enough to be read."""
        powers = range(int(math.log10(self.left)) - 1, int(math.log10(self.right)) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            values = [step * 10**power for power in powers if power >= 0 for step in steps]
            inside = [value for value in values if self.left <= value <= self.right]
            if len(inside) <= _MOST_TICKS:
                return inside
        return inside[:: len(inside) // _MOST_TICKS + 1]


def _chart(one: Prospect, found: Prospects) -> str:
    paper = _Paper(one)
    return svg(
        f"{found.score} of {one.label or 'all labels'} by number of images",
        [_frame(paper, found.score), _band(paper, one), _expected(paper, one), _measured(paper, one)],
        width=_WIDTH,
        height=_HEIGHT,
    )


def _frame(paper: _Paper, score: str) -> str:
    parts = []
    for step in range(6):
        value = paper.bottom + step / 5 * (1 - paper.bottom)
        parts.append(_line(paper.place(paper.left, value), paper.place(paper.right, value), "grid"))
        x, y = paper.place(paper.left, value)
        parts.append(f'<text class="n" x="{x - 6}" y="{y + 4}" text-anchor="end">{value:.2f}</text>')
    for tick in paper.ticks():
        parts.append(_line(paper.place(tick, paper.bottom), paper.place(tick, 1.0), "grid"))
        x, y = paper.place(tick, paper.bottom)
        parts.append(f'<text class="n" x="{x}" y="{y + 16}" text-anchor="middle">{tick:,}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">images</text>')
    up = _TOP + (_HEIGHT - _TOP - _BOTTOM) / 2
    turned = f'transform="rotate(-90 14 {up})"'
    parts.append(f'<text x="14" y="{up}" text-anchor="middle" {turned}>{escape(score)}</text>')
    return "".join(parts)


def _band(paper: _Paper, one: Prospect) -> str:
    if not one.ahead:
        return ""
    above = [paper.place(one.n_now + a.more, a.score.high) for a in one.ahead]
    below = [paper.place(one.n_now + a.more, a.score.low) for a in reversed(one.ahead)]
    return f'<polygon class="band" points="{_points([*above, *below])}"/>'


def _expected(paper: _Paper, one: Prospect) -> str:
    if not one.ahead:
        return ""
    places = [paper.place(one.n_now + a.more, a.score.value) for a in one.ahead]
    now = _line(paper.place(one.n_now, paper.bottom), paper.place(one.n_now, 1.0), "guide")
    tips = "".join(
        f'<circle class="s0 tip" cx="{x}" cy="{y}" r="5"><title>{one.n_now + a.more:,} images: {a.score.value:.3f} '
        f"({a.score.low:.3f}–{a.score.high:.3f})</title></circle>"
        for (x, y), a in zip(places, one.ahead, strict=True)
    )
    return f'{now}<polyline class="s0 alt" points="{_points(places)}"/>{tips}'


def _measured(paper: _Paper, one: Prospect) -> str:
    parts = []
    for size, score, deviation in zip(one.sizes, one.scores, one.deviations, strict=True):
        low, high = paper.place(size, score - deviation), paper.place(size, score + deviation)
        x, y = paper.place(size, score)
        tip = f"{size:,.0f} images: {score:.3f} ± {deviation:.3f}"
        parts.append(_line(low, high, "err s0"))
        parts.append(f'<circle class="s0 dot" cx="{x}" cy="{y}" r="4"><title>{escape(tip)}</title></circle>')
    line = _points([paper.place(size, score) for size, score in zip(one.sizes, one.scores, strict=True)])
    return f'<polyline class="s0" points="{line}"/>{"".join(parts)}'


def _line(start: tuple[float, float], end: tuple[float, float], style: str) -> str:
    return f'<line class="{style}" x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}"/>'


def _points(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in places)


def _table(found: Prospects) -> str:
    ordered = [found.overall, *sorted(found.classes, key=_by_gain)][: _MAX_ROWS + 1]
    heads = ["Label", "Images", f"{found.score.capitalize()} now", "Further images", "Then", "Gain in points"]
    return table("What twice the images would buy", heads, [_row(one) for one in ordered], numeric=[1, 3])


def _row(one: Prospect) -> list[str]:
    name = text(one.label or "all, the mean")
    if one.twice is None or one.now is None:
        return [name, f"{one.n_now:,}", f"cannot be told: {text(one.cannot_tell)}", "", "", ""]
    gain = one.twice.gain
    return [
        name,
        f"{one.n_now:,}",
        _with_interval(one.now, 1.0, ".2f"),
        f"{one.twice.more:,}",
        _with_interval(one.twice.score, 1.0, ".2f"),
        _with_interval(gain, 100.0, "+.1f"),
    ]


def _with_interval(found: Range, factor: float, form: str) -> str:
    low, high = (f"{factor * value:{form}}" for value in (found.low, found.high))
    return f"{factor * found.value:{form}}<small>{low} to {high}</small>"
