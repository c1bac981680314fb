"""The sections of the report that show numbers: verdict, tiles, classes, confusions, curves, slices."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tellapart.evaluation.charts import Axes, Series, legend, line_chart, reliability_chart, round_top, whisker
from tellapart.evaluation.curves import UNKNOWN, Confusion, Curve, ThresholdCurve
from tellapart.evaluation.evaluation import ClassMetrics, Evaluation
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.markup import paragraph, scrolling, section, table, text
from tellapart.evaluation.wording import between, capital, metric_name, number, percent

_MATRIX_CLASSES = 20
_SORTED_FROM = 20
_CLASS_METRICS = ("f1", "precision", "recall", "average_precision", "roc_auc")


def verdict(evaluation: Evaluation) -> str:
    """The one sentence, and what it means for images."""
    headline = evaluation.headline
    name = text(_headline_name(evaluation))
    if headline.low is None or headline.high is None:
        range_ = "too little data for an interval"
    else:
        range_ = f"{percent(evaluation.level)} interval {number(headline.low)} to {number(headline.high)}"
    sentence = f"{name} is <b>{number(headline.value)}</b> ({range_}), measured on {text(_behind(evaluation))}."
    return f'<p class="verdict">{sentence}</p>{paragraph(_in_images(evaluation), "lead")}'


def _headline_name(evaluation: Evaluation) -> str:
    name = capital(metric_name(evaluation.headline_metric))
    one_class = evaluation.headline_metric in ("precision", "recall", "f1", "roc_auc", "average_precision")
    return f"{name} of {evaluation.positive}" if evaluation.positive is not None and one_class else name


def _behind(evaluation: Evaluation) -> str:
    images = f"{evaluation.n:,} image{'s' if evaluation.n != 1 else ''}"
    return images if evaluation.n_groups is None else f"{images} in {evaluation.n_groups:,} groups"


def _in_images(evaluation: Evaluation) -> str:
    wrong, unknown = evaluation.cases.n_mistakes, evaluation.cases.n_unknown
    right = percent((evaluation.n - wrong - unknown) / evaluation.n)
    if evaluation.confusion is None:
        return f"On {right} of the images every single label was right."
    rest = f", {percent(unknown / evaluation.n)} left unknown" if unknown else ""
    return f"{right} of the images were answered right, {percent(wrong / evaluation.n)} wrong{rest}."


def tiles(evaluation: Evaluation) -> str:
    """The numbers that matter most, the one to trust first."""
    wanted = [evaluation.headline_metric, *evaluation.advice.also, "accuracy", "subset_accuracy", "accuracy_answered",
              "coverage", "mean_cost", "ece"]  # fmt: skip
    full = {"coverage", "accuracy_answered"} if not evaluation.cases.n_unknown else set()
    names = [name for name in dict.fromkeys(wanted) if name in evaluation.metrics and name not in full]
    cells = [
        f"<li{_first(i)}><span>{text(capital(metric_name(name)))}</span><b>{number(evaluation.metrics[name].value)}</b>"
        f"<small>{between(evaluation.metrics[name])}</small></li>"
        for i, name in enumerate(names)
    ]
    return f'<ul class="tiles" aria-label="Main metrics">{"".join(cells)}</ul>'


def _first(position: int) -> str:
    return ' class="first"' if position == 0 else ""


def trust(evaluation: Evaluation) -> str:
    """Which metric to trust and why, and all of them folded."""
    reasons = "".join(f"<li>{text(sentence)}</li>" for sentence in evaluation.advice.sentences)
    rows = [
        [text(capital(metric_name(name))), number(e.value), between(e), f"<code>{text(name)}</code>"]
        for name, e in sorted(evaluation.metrics.items())
    ]
    every = table("All metrics", ["Metric", "Value", "Interval", "Key"], rows, numeric=[1, 2])
    return section(
        "trust",
        f"Which metric to trust: {metric_name(evaluation.headline_metric)}",
        f"<ul>{reasons}</ul><details><summary>All {len(rows)} metrics</summary>{every}</details>",
    )


def classes(evaluation: Evaluation) -> str:
    """One row per class; many classes are sorted, worst F1 first."""
    shown = list(evaluation.per_class)
    if len(shown) > _SORTED_FROM:
        shown.sort(key=lambda c: (c.metrics["f1"].value is None, c.metrics["f1"].value or 0.0, c.label))
    names = [name for name in _CLASS_METRICS if shown and name in shown[0].metrics]
    start = _scale_start([c.metrics["f1"] for c in shown])
    rows = [_class_row(c, names, evaluation, start) for c in shown]
    heads = [
        "Class",
        "F1",
        _scale_name(start),
        *(capital(metric_name(name)) for name in names[1:]),
        "Images",
        "Answered",
    ]
    order = ", worst first" if len(shown) > _SORTED_FROM else ""
    caption = f"{percent(evaluation.level)} intervals below each number; the dashed tick marks macro F1{order}"
    numeric = [1, *range(3, 5 + len(names))]
    return section("classes", "Class by class", table(caption, heads, rows, numeric=numeric))


def _class_row(c: ClassMetrics, names: Sequence[str], evaluation: Evaluation, start: float) -> list[str]:
    macro = evaluation.metrics["f1_macro"].value
    f1, *others = (_with_interval(c.metrics[name]) for name in names)
    mark = " <small>positive</small>" if c.label == evaluation.positive else ""
    drawn = whisker(c.metrics["f1"], macro, start)
    return [text(c.label) + mark, f1, drawn, *others, f"{c.support:,}", f"{c.predicted:,}"]


def _scale_start(estimates: Sequence[Estimate]) -> float:
    """Left end of a column of whiskers: the lowest bound, rounded down to a tenth."""
    lows = [e.value if e.low is None else e.low for e in estimates if e.value is not None]
    return min((math.floor(10 * low) / 10 for low in lows if low is not None), default=0.0)


def _scale_name(start: float) -> str:
    return f"{start:.1f} to 1" if start else "0 to 1"


def _with_interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "–"
    return f"{number(estimate.value)}<small>{between(estimate)}</small>"


def confusions(evaluation: Evaluation) -> str:
    """The matrix up to 20 classes, the most frequent mix-ups in any case."""
    matrix = evaluation.confusion
    if matrix is None:
        return ""
    pairs = matrix.mixed_up()
    rows = [[text(a), text(b), f"{n:,}", percent(share)] for a, b, n, share in pairs]
    heads = ["Is", "Answered", "Images", "Of its class"]
    listing = table("Most frequent mix-ups", heads, rows, numeric=[2, 3]) if rows else ""
    if len(matrix.rows) > _MATRIX_CLASSES:
        note = f"{len(matrix.rows)} classes are too many for a matrix; the whole one is in evaluation.json."
        return section("confusion", "What is taken for what", paragraph(note, "soft"), listing)
    folded = f"<details><summary>Most frequent mix-ups</summary>{listing}</details>" if len(rows) > 2 else ""
    return section("confusion", "What is taken for what", _matrix(matrix), folded)


def _matrix(matrix: Confusion) -> str:
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in matrix.columns)
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_matrix_cells(matrix, i)}</tr>' for i, name in enumerate(matrix.rows)
    )
    return scrolling(
        "Rows: what is there. Columns: what was answered. Images, and their share of the row.",
        f'<table class="matrix sticky" aria-label="Confusion matrix"><thead><tr>'
        f'<th scope="col">is ↓ &nbsp; answered →</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table>",
    )


def _matrix_cells(matrix: Confusion, row: int) -> str:
    cells = []
    for j, (n, share) in enumerate(zip(matrix.counts[row], matrix.shares_of(row), strict=True)):
        if not n:
            cells.append('<td class="zero" style="--v:0">·</td>')
            continue
        kind = "hit" if j == row else "none" if matrix.columns[j] == UNKNOWN and j == len(matrix.rows) else "miss"
        cells.append(f'<td class="{kind}" style="--v:{share:.3f}">{n:,} <small>{percent(share)}</small></td>')
    return "".join(cells)


def curves(evaluation: Evaluation) -> str:
    """ROC, precision-recall, reliability and thresholds as charts."""
    drawn = evaluation.curves
    figures = [
        _curve_figure(evaluation, drawn.precision_recall, "average_precision", Axes("recall", "precision")),
        _curve_figure(evaluation, drawn.roc, "roc_auc", Axes("false positive rate", "recall (true positive rate)")),
    ]
    if drawn.reliability:
        title = "Reliability: is the confidence true?"
        hint = "On the dashed line a confidence of 0.8 is right 8 times in 10; below it the model is too sure."
        chart = reliability_chart(title, drawn.reliability)
        figures.append(f"<figure><h3>{text(title)}</h3>{chart}{_hint(hint)}</figure>")
    figures.extend(_threshold_figures(drawn.thresholds))
    return section("curves", "Curves", f'<div class="charts">{"".join(figures)}</div>')


def _hint(value: str) -> str:
    return f"<figcaption><small>{text(value)}</small></figcaption>"


def _curve_figure(evaluation: Evaluation, found: Sequence[Curve], metric: str, axes: Axes) -> str:
    if not found:
        return ""
    title = "ROC curve" if metric == "roc_auc" else "Precision-recall curve"
    series = [
        Series(c.label, c.x, c.y, [_tip(axes, x, y, t) for x, y, t in zip(c.x, c.y, c.thresholds, strict=True)])
        for c in found
    ]
    values = {c.label: c.metrics[metric].value for c in evaluation.per_class if metric in c.metrics}
    names = legend([f"{c.label} {number(values.get(c.label))}" for c in found])
    hint = f"Behind each name: {metric_name(metric)}."
    chart = line_chart(title, axes, series, diagonal=metric == "roc_auc")
    return f"<figure><h3>{title}</h3>{chart}{names}{_hint(hint)}</figure>"


def _tip(axes: Axes, x: float, y: float, threshold: float) -> str:
    return f"from {threshold:.3f} on: {axes.x} {x:.3f}, {axes.y} {y:.3f}"


def _threshold_figures(found: Sequence[ThresholdCurve]) -> list[str]:
    if len(found) == 1:
        c = found[0]
        title = f"Threshold for {c.label}"
        kinds = (("precision", c.precision), ("recall", c.recall), ("F1", c.f1))
        series = [Series(name, c.thresholds, ys, _threshold_tips(c, name, ys)) for name, ys in kinds]
        chart = line_chart(title, Axes("threshold", "precision, recall, F1"), series)
        first = f"<figure><h3>{text(title)}</h3>{chart}{legend([name for name, _ in kinds])}</figure>"
        return [first, *_cost_figure(found)]
    if not found:
        return []
    series = [Series(c.label, c.thresholds, c.f1, _threshold_tips(c, "F1", c.f1)) for c in found]
    chart = line_chart("F1 over the threshold", Axes("threshold", "F1"), series)
    names = legend([f"{c.label}, best {max(c.f1):.3f} at {_best(c):.2f}" for c in found])
    figure = f"<figure><h3>F1 over the threshold</h3>{chart}{names}{_hint('Each class against the rest.')}</figure>"
    return [figure, *_cost_figure(found)]


def _best(curve: ThresholdCurve) -> float:
    return curve.thresholds[curve.f1.index(max(curve.f1))]


def _threshold_tips(curve: ThresholdCurve, name: str, values: Sequence[float]) -> list[str]:
    return [f"from {t:.2f} on: {name} {v:.3f}" for t, v in zip(curve.thresholds, values, strict=True)]


def _cost_figure(found: Sequence[ThresholdCurve]) -> list[str]:
    priced = [(c, c.cost) for c in found if c.cost is not None]
    if not priced:
        return []
    top = round_top(max(max(cost) for _, cost in priced))
    series = [Series(c.label, c.thresholds, cost, _threshold_tips(c, "cost", cost)) for c, cost in priced]
    chart = line_chart("Cost over the threshold", Axes("threshold", "cost per image", top), series)
    names = legend(
        [f"{c.label}, least {min(cost):.3g} at {c.thresholds[cost.index(min(cost))]:.2f}" for c, cost in priced]
    )
    return [f"<figure><h3>Cost over the threshold</h3>{chart}{names}</figure>"]


def by_slice(evaluation: Evaluation) -> str:
    """The headline metric per metadata value, worst first."""
    if not evaluation.slices:
        return ""
    overall = evaluation.headline
    start = _scale_start([s.estimate for s in evaluation.slices])
    rows = [
        [
            f"{text(s.column)} = {text(s.value)}" + (' <small class="low">below the rest</small>' if s.below else ""),
            _with_interval(s.estimate),
            whisker(s.estimate, overall.value, start),
            f"{s.n:,}",
        ]
        for s in evaluation.slices
    ]
    name = metric_name(evaluation.headline_metric)
    low = sum(s.below for s in evaluation.slices)
    intro = (
        f"{capital(name)} in parts of the data, worst first; the tick marks the overall {number(overall.value)}. "
        + (f"{low} lie{'s' if low == 1 else ''} wholly below it." if low else "None lies clearly below it.")
    )
    heads = ["Slice", capital(name), _scale_name(start), "Images"]
    return section(
        "slices", "Slices", paragraph(intro), table(f"{capital(name)} by slice", heads, rows, numeric=[1, 3])
    )
