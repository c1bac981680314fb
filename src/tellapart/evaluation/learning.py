"""How a network was trained, for the report: curves over the epochs, what it saw, and whether it was worth the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.evaluation.charts import Axes, Series, legend, line_chart, round_top
from tellapart.evaluation.compare import Comparison
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.markup import image, paragraph, section, table, text
from tellapart.evaluation.wording import capital, metric_name

Values = Sequence[float | None]
# Intervals of an axis: a number of epochs that they divide has whole numbers at its ticks.
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Epochs:
    """One value per epoch: losses, the score that chose the best epoch (0–1, higher is better), the learning rate.

    None stands where nothing was measured. `best` is the epoch whose weights were kept, counted from 1.
    """

    train_loss: Values
    val_loss: Values
    score: Values
    learning_rate: Values
    score_name: str
    best: int


@dataclass(frozen=True, slots=True)
class Rival:
    """One way to train on these images: what it is called, seconds it took, bytes of its network."""

    name: str
    seconds: float
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Learning:
    """The course of a training and, on the images held back, its comparison with the quick way (`rivals`: quick, this).

    `sheet` is a picture (PNG) of what the network saw, with `sheet_says` below it.
    """

    epochs: Epochs
    comparison: Comparison | None = None
    rivals: tuple[Rival, Rival] | None = None
    sheet: bytes = b""
    sheet_says: str = ""


def learning_section(learning: Learning) -> str:
    """The section of the report."""
    parts = [_worth(learning), f'<div class="charts">{_curves(learning.epochs)}</div>']
    if learning.sheet:
        picture = image(learning.sheet, "training images as the network saw them")
        parts.append(f"<h3>What the network saw</h3>{paragraph(learning.sheet_says, 'soft')}{picture}")
    return section("learning", "How it learned", *parts)


def _worth(learning: Learning) -> str:
    found, rivals = learning.comparison, learning.rivals
    if found is None or rivals is None:
        return ""
    rows = [
        [text(rival.name), _number(value), minutes(rival.seconds), f"{rival.n_bytes / 1e6:.1f} MB"]
        for rival, value in zip(rivals, (found.first, found.second), strict=True)
    ]
    heads = ["Training", metric_name(found.metric), "Time", "Network"]
    return paragraph(capital(found.verdict)) + table("Was it worth the time?", heads, rows, numeric=[1, 2, 3])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def minutes(seconds: float) -> str:
    """`41 s`, `3.2 min`, `1.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _curves(epochs: Epochs) -> str:
    best = f"The weights of epoch {epochs.best} were kept." if epochs.best else _NO_EPOCH
    power = _power(epochs.learning_rate)
    rates = [None if rate is None else rate * 10.0**power for rate in epochs.learning_rate]
    return (
        _figure("Loss", "loss", [("training", epochs.train_loss), ("validation", epochs.val_loss)], best)
        + _figure(capital(metric_name(epochs.score_name)), "validation", [("validation", epochs.score)], best)
        + _figure(
            "Learning rate", f"learning rate × 10^{power}" if power else "learning rate", [("learning rate", rates)], ""
        )
    )


_NO_EPOCH = "No epoch was better than the start, whose weights were kept: the features were good as they were."


def _power(values: Values) -> int:
    """By which power of ten small numbers become readable."""
    highest = max((value for value in values if value), default=1.0)
    return max(0, -math.floor(math.log10(highest)))


def _figure(title: str, unit: str, lines: Sequence[tuple[str, Values]], caption: str) -> str:
    series = [_series(name, values) for name, values in lines]
    highest = max((max(one.y) for one in series if one.y), default=0.0)
    n_epochs = max(len(values) for _, values in lines)
    axes = Axes("epoch", unit, top=round_top(highest), end=float(-(-max(n_epochs, 1) // _TICKS) * _TICKS))
    drawn = line_chart(title, axes, [one for one in series if one.y])
    names = legend([one.label for one in series if one.y]) if len(lines) > 1 else ""
    below = paragraph(caption, "soft") if caption else ""
    return f"<figure><h3>{text(title)}</h3>{drawn}{names}{below}</figure>"


def _series(name: str, values: Values) -> Series:
    known = [(number, value) for number, value in enumerate(values, 1) if value is not None]
    tips = [f"epoch {number}: {name} {value:.4g}" for number, value in known]
    return Series(name, [float(number) for number, _ in known], [value for _, value in known], tips)


def verdict_line(comparison: Comparison, rivals: tuple[Rival, Rival]) -> str:
    """One line for the terminal: both values, the paired difference with its interval, both times."""
    quick, slow = rivals
    return (
        f"{metric_name(comparison.metric)} {_number(comparison.second)} against {_number(comparison.first)} of {quick.name}: "
        f"{_signed(comparison.difference)}; {minutes(slow.seconds)} against {minutes(quick.seconds)}"
    )


def _signed(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "no difference can be told"
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"
