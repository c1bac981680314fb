"""A tuning as one HTML file: the verdict, what was held out, and the trade-off between all policies that were tried."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.evaluation.markup import page, paragraph, section, table, text
from tellapart.evaluation.policy_tradeoff import Point, delay_chart, missed_chart, pareto
from tellapart.evaluation.policy_wording import three_digits
from tellapart.evaluation.wording import capital
from tellapart.settings.policy_text import written
from tellapart.workflows.policy_tune_result import Candidate, TunedPolicy, TunedTrack, compared
from tellapart.workflows.policy_tune_search import numbers_of

_MOST_ROWS = 25


def tuning_page(tuned: TunedPolicy) -> str:
    """The page as text; it loads nothing."""
    verdict = "; ".join(
        f"{one.track}: {one.verdict()}" if len(tuned.tracks) > 1 else one.verdict() for one in tuned.tracks
    )
    before = f"{tuned.policy}, tuned from {tuned.given}" if tuned.taken else f"{tuned.policy}, as given"
    header = f'<p class="verdict">{text(capital(verdict))}.</p>' + paragraph(
        f"{before}. The aim: {tuned.aim.told()}.", "lead"
    )
    return page(f"Tuning {tuned.given.partition('@')[0]}", header, "".join(map(_track, tuned.tracks)))


def _track(one: TunedTrack) -> str:
    key = f"track-{one.track}"
    return "".join(
        [
            section(f"{key}-numbers", f"Numbers of {one.track}", _numbers(one)),
            section(f"{key}-held-out", "Where it was not chosen", _held_out(one)),
            section(f"{key}-tradeoff", "The trade-off", _tradeoff(one)),
            section(f"{key}-front", "Other choices", _front(one)),
        ]
    )


def _numbers(one: TunedTrack) -> str:
    if not one.turned:
        return paragraph("All stay as they were given.")
    rows = [[text(name), written(given), written(chosen)] for name, (given, chosen) in one.turned.items()]
    told = "What the file takes over." if one.taken else "What did best, which the file does not take over."
    return paragraph(told) + table("Numbers", ["number", "given", "tuned"], rows, numeric=(1, 2))


def _held_out(one: TunedTrack) -> str:
    told = paragraph(
        f"{capital(one.pieces)}. Each one was decided by the policy as given, and by one that was tuned on the other "
        "parts alone: this is what tuning brings on days that it has not seen."
    )
    rows = [[text(name), *map(text, figures.split(", tuned "))] for name, figures in compared(one)]
    return told + table("Held-out figures with 95 % intervals", ["figure", "given", "tuned"], rows)


def _tradeoff(one: TunedTrack) -> str:
    points = _points(one)
    told = paragraph(
        f"Each dot is one of {len(points)} policies that were tried, over all that was recorded: these figures flatter what "
        "was chosen by them. Blue are those that no other one beats in false alarms, missed episodes and delay together. "
        "The axis of false alarms has a square-root scale."
    )
    return f'{told}<div class="charts">{missed_chart(points)}{delay_chart(points)}</div>'


def _points(one: TunedTrack) -> list[Point]:
    fronts = _fronts(one.candidates)
    marks = {one.chosen: "tuned", one.given: "given"}
    return [
        Point(
            each.tally.false_per_hour,
            1 - (each.tally.recall or 0.0),
            each.tally.delay_s,
            f"{_told(each)}: {_differs(one, each)}",
            front,
            marks.get(each.choice, ""),
        )
        for each, front in zip(one.candidates, fronts, strict=True)
    ]


def _fronts(candidates: Sequence[Candidate]) -> tuple[bool, ...]:
    return pareto([_figures(one) for one in candidates])


def _figures(one: Candidate) -> tuple[float, float, float]:
    delay = float("inf") if one.tally.delay_s is None else one.tally.delay_s
    return one.tally.false_per_hour, 1 - (one.tally.recall or 0.0), delay


def _front(one: TunedTrack) -> str:
    best = [each for each, front in zip(one.candidates, _fronts(one.candidates), strict=True) if front]
    best.sort(key=_figures)
    more = f" The first {_MOST_ROWS} of {len(best)}." if len(best) > _MOST_ROWS else ""
    told = paragraph(f"What no other policy beats in false alarms, missed episodes and delay together.{more}")
    rows = [
        [
            three_digits(each.tally.false_per_hour),
            f"{each.tally.recall or 0.0:.1%}",
            "–" if each.tally.delay_s is None else f"{each.tally.delay_s:.3g} s",
            three_digits(each.tally.cost_per_hour),
            text(_differs(one, each)),
        ]
        for each in best[:_MOST_ROWS]
    ]
    heads = ["false alarms per hour", "found", "delay of nine of ten", "cost per hour", "numbers"]
    return told + table("Policies on the front", heads, rows, numeric=(1, 2, 3))


def _told(one: Candidate) -> str:
    delay = "" if one.tally.delay_s is None else f", delay {one.tally.delay_s:.3g} s"
    return f"{three_digits(one.tally.false_per_hour)} false alarms per hour, {one.tally.recall or 0.0:.1%} found{delay}"


def _differs(one: TunedTrack, each: Candidate) -> str:
    paths = numbers_of(one.knobs, each.choice)
    told = [f"{knob.name} {written(paths[knob.path])}" for knob in one.knobs if knob.path in paths]
    return ", ".join(told) or "as given"
