"""The comparison of backbones as one HTML file: the picture first, the table below it."""

from __future__ import annotations

import math

from tellapart.evaluation.charts import whisker
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.markup import page, paragraph, section, table, text
from tellapart.evaluation.tradeoff import Contender, tradeoff_chart
from tellapart.evaluation.wording import between, capital, metric_name, number
from tellapart.workflows.bench_result import Bench, Row, ways_table
from tellapart.workflows.timing import BATCH

_SCORE = (
    "Score: a linear head on the frozen backbone, fitted as `tellapart train` does, judged on the same images for every "
    "candidate ({judged_on}); intervals are 95 %. Against the best: the paired difference on these images. The best one of "
    "many is partly the luckiest one, so small differences mean less than their intervals say."
)
_TIME = (
    f"Time: milliseconds per image on one thread. Decode: from the file to the network's pixels. Network: one image at a "
    f"time, and {BATCH} at a time. The picture shows decoding and network together, one image at a time."
)


def render(bench: Bench) -> str:
    """The page as text; it loads nothing."""
    first, *others = bench.verdict
    header = f'<p class="verdict">{text(first)}</p>' + "".join(paragraph(one, "lead") for one in others)
    main = [
        section("picture", "Score over speed", _picture(bench)),
        section("candidates", "All candidates", _table(bench)),
        section("threads", "Threads and batches", _threads(bench)),
        section("failed", "Could not be used", _failed(bench)),
        section("data", "The images", *(paragraph(line, _style(line)) for line in _facts(bench))),
        section("how", "How it was measured", *map(paragraph, _how(bench))),
    ]
    return page("Backbones compared", header, "\n".join(part for part in main if part))


def _picture(bench: Bench) -> str:
    contenders = [
        Contender(row.name, row.timing.total_ms, row.score, chosen=row is bench.recommended) for row in bench.rows
    ]
    chart = tradeoff_chart(
        "Macro F1 over milliseconds per image", contenders, x="milliseconds per image (log)", y="macro F1"
    )
    legend = (
        "Up and to the left is better. The dashed stairs join those that no other beats in both; the ring marks the "
        "recommended one; bars are 95 % intervals. Numbers stand for rows of the table."
    )
    return f'<div class="tradeoff">{chart}</div>{paragraph(legend, "caption")}'


def _table(bench: Bench) -> str:
    accuracy = capital(metric_name(bench.accuracy_metric))
    heads = ["Candidate", "Macro F1", "", accuracy, "Against the best", "Total ms", "Decode", "Network"]
    heads += [f"{BATCH} at once", "MB", "Columns", "Preprocessing", "Licence"]
    lows = [row.score.low for row in bench.rows if row.score.low is not None]
    start = math.floor(10 * min(lows, default=0.0)) / 10
    rows = [_row(i, row, bench, start) for i, row in enumerate(bench.rows, 1)]
    return table("Best first; milliseconds per image", heads, rows, numeric=[1, 3, 5, 6, 7, 8, 9, 10])


def _row(position: int, row: Row, bench: Bench, start: float) -> list[str]:
    marks = [
        mark for mark, holds in (("recommended", row is bench.recommended), ("on the front", row.on_front)) if holds
    ]
    timing = row.timing
    return [
        f"{position}. {text(row.name)}" + "".join(f" <small>{mark}</small>" for mark in marks),
        _with_interval(row.score),
        whisker(row.score, bench.best.score.value, start),
        _with_interval(row.accuracy),
        _against(row),
        f"{timing.total_ms:.2f}",
        f"{timing.prepare_ms:.2f}",
        f"{timing.single_ms:.2f}",
        f"{timing.batch_ms:.2f}",
        f"{row.n_bytes / 1e6:.2f}",
        f"{row.embedding_dim:,}",
        f"<code>{text(row.preprocess)}</code>",
        text(row.licence),
    ]


def _with_interval(estimate: Estimate) -> str:
    return f"{number(estimate.value)}<small>{between(estimate)}</small>"


def _against(row: Row) -> str:
    found = row.difference
    if found is None:
        return "the best"
    if found.value is None or found.low is None or found.high is None:
        return "too little data"
    verdict = '<span class="low">worse</span>' if row.worse else "within the noise"
    return f"{found.value:+.3f} {verdict}<small>{found.low:+.3f} to {found.high:+.3f}</small>"


def _threads(bench: Bench) -> str:
    found = ways_table(bench.executions)
    if not found:
        return ""
    rows = [[text(cell) for cell in row] for row in found[1:]]
    shown = table("Images per second of the network alone", found[0], rows, numeric=range(1, len(found[0])))
    return "".join(paragraph(one.sentence + ".") for one in bench.executions) + shown


def _failed(bench: Bench) -> str:
    rows = [[text(one.candidate), text(one.sentence)] for one in bench.failures]
    return table("Candidates and reasons", ["Candidate", "Why"], rows) if rows else ""


def _how(bench: Bench) -> tuple[str, str]:
    return _SCORE.format(judged_on=bench.judged_on), _TIME


def _facts(bench: Bench) -> list[str]:
    return [line for line in bench.notes() if not line.startswith(("failed", "threads"))]


def _style(line: str) -> str:
    return "note" if line.startswith("warning") else ""
