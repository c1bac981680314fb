"""A search for the way to train, for the report: what was tried, what came of it, and which way was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tellapart.evaluation.charts import Axes, Series, line_chart
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.learning import minutes
from tellapart.evaluation.markup import paragraph, section, table, text
from tellapart.evaluation.wording import between, metric_name, number

Ended = Literal["complete", "pruned", "failed"]
HEADS = ("Trial", "Method", "What differs", "Score", "Interval", "Time", "Network", "Ended")
FLATTERY = (
    "The scores are those of the validation images, on which the trials were compared: of the best of many such a score is "
    "too good. What the final model is worth is told by the test images alone, which no trial has seen."
)


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial. `differs` is what it tried, in words; `score` that of the validation images, None where it failed.

    A pruned trial has the score of its last epoch and no interval. `seconds` it took, `n_bytes` of its network, `why` it was
    pruned or failed.
    """

    number: int
    method: str
    differs: str
    score: Estimate | None
    seconds: float
    n_bytes: int
    ended: Ended
    why: str = ""


@dataclass(frozen=True, slots=True)
class Searched:
    """All trials in their order, the one that was taken, the one with the best score (None: there is none), and why.

    `metric` is judged on `n` images.
    """

    trials: tuple[Tried, ...]
    metric: str
    n: int
    chosen: int | None = None
    best: int | None = None
    why: str = ""

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Searched:
        """As `facts` wrote it down."""
        trials = [
            Tried(**{**one, "score": None if one["score"] is None else Estimate(**one["score"])})
            for one in facts["trials"]
        ]
        return cls(**{**facts, "trials": tuple(trials)})

    @property
    def facts(self) -> dict[str, Any]:
        """For a card and for JSON."""
        return asdict(self) | {"trials": [asdict(one) for one in self.trials]}

    @property
    def seconds(self) -> float:
        """All trials together."""
        return sum(one.seconds for one in self.trials)

    @property
    def heading(self) -> str:
        """`12 trials (2 pruned, 1 failed) in 3.2 min, macro F1 of 200 validation images`."""
        counts = {ended: sum(one.ended == ended for one in self.trials) for ended in ("pruned", "failed")}
        apart = ", ".join(f"{count} {ended}" for ended, count in counts.items() if count)
        name = metric_name(self.metric)
        trials = f"{len(self.trials)} trial{'s' * (len(self.trials) != 1)}"
        return f"{trials}{f' ({apart})' * bool(apart)} in {minutes(self.seconds)}, {name} of {self.n} validation images"

    @property
    def summary(self) -> tuple[str, ...]:
        """Lines for people."""
        return (f"search      {self.heading}", f"taken       {self.why}")

    def lines(self) -> list[str]:
        """The table for a terminal; the trial that was taken has a star."""
        rows = [list(HEADS), *(self._row(one) for one in self.trials)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
        return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

    def _row(self, one: Tried) -> list[str]:
        mark = "*" * (one.number == self.chosen)
        score = number(None if one.score is None else one.score.value)
        interval = "–" if one.score is None or one.score.low is None else between(one.score)
        ended = f"{one.ended}: {one.why}" if one.why else one.ended
        size = f"{one.n_bytes / 1e6:.1f} MB" if one.n_bytes else "–"
        return [f"{one.number}{mark}", one.method, one.differs, score, interval, minutes(one.seconds), size, ended]


def searched_section(searched: Searched) -> str:
    """The section of the report."""
    rows = [[text(cell) for cell in searched._row(one)] for one in searched.trials]
    below = paragraph("A dot is a trial, those of another colour were given up; the line is the best so far.", "soft")
    caption = f"{searched.heading}; the trial with a star was taken"
    return section(
        "search",
        "How the way to train was found",
        paragraph(searched.why),
        paragraph(FLATTERY, "soft"),
        f'<div class="charts"><figure><h3>Score over time</h3>{course(searched)}{below}</figure></div>',
        table(caption, HEADS, rows, numeric=(3, 4, 5, 6)),
    )


def course(searched: Searched) -> str:
    """SVG: a dot for the score of each trial over the minutes of the search, and the best so far as a line."""
    ends = _cumulated([one.seconds / 60 for one in searched.trials])
    known = [
        (end, one) for end, one in zip(ends, searched.trials, strict=True) if one.score and one.score.value is not None
    ]
    whole = [(end, one) for end, one in known if one.ended == "complete"]
    best = [max(_value(one) for _, one in whole[: count + 1]) for count in range(len(whole))]
    axes = Axes("minutes", metric_name(searched.metric), top=1.0, end=max([*ends, 1e-3]))
    line = Series("the best so far", *_stairs([end for end, _ in whole], best, axes.end))
    dots = "".join(_dot(axes, end, one) for end, one in known)
    return line_chart("Score of the trials over time", axes, [line]).replace("</svg>", f"{dots}</svg>")


def picture(searched: Searched) -> str:
    """`course` as a whole SVG file."""
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="460" height="363" '
    return course(searched).replace("<svg ", head, 1).replace("</title>", f"</title><style>{_STYLE}</style>", 1) + "\n"


def _dot(axes: Axes, end: float, one: Tried) -> str:
    x, y = axes.place(end, _value(one))
    tip = f"trial {one.number}: {_value(one):.3f}, {one.method} {one.differs}, {one.ended}"
    colour = "s0" if one.ended == "complete" else "s1"
    return f'<circle class="{colour} dot" cx="{x}" cy="{y}" r="4"><title>{text(tip)}</title></circle>'


def _value(one: Tried) -> float:
    return one.score.value if one.score is not None and one.score.value is not None else 0.0


def _cumulated(values: Sequence[float]) -> list[float]:
    return [sum(values[: count + 1]) for count in range(len(values))]


def _stairs(x: Sequence[float], y: Sequence[float], end: float) -> tuple[list[float], list[float]]:
    """The best so far holds until the next one."""
    across = [place for start, stop in zip(x, [*x[1:], end], strict=False) for place in (start, stop)]
    return across, [value for value in y for _ in range(2)]


# The picture is looked at on its own: it brings the report's colours with it, for light and for dark.
_STYLE = """
.chart { font: 12px system-ui, sans-serif; background: #fff; } .chart text { fill: #566270; }
.chart .grid { stroke: #d9dee5; } .chart polyline { fill: none; stroke-width: 2.2; stroke: #0b63a8; }
circle.s0 { fill: #0b63a8; } circle.s1 { fill: #c2570c; }
@media (prefers-color-scheme: dark) { .chart { background: #1b2128; } .chart text { fill: #a3afbc; }
.chart .grid { stroke: #333d48; } .chart polyline { stroke: #6cb6f5; }
circle.s0 { fill: #6cb6f5; } circle.s1 { fill: #f5a05c; } }
"""
