"""The time lines of a page about policies: the truth above what was decided, errors marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tellapart.evaluation.episodes import EpisodeOutcome, Run, RunOutcome, SequenceOutcome
from tellapart.evaluation.markup import scrolling, text
from tellapart.evaluation.policy_evaluation import TrackEvaluation

_WIDTH, _LEFT, _RIGHT = 1000, 62, 8
_PER_ROW, _MAX_ROWS = 40, 60
_COLOURS = 9


@dataclass(frozen=True, slots=True)
class _Row:
    """A part of a sequence that fits on one line."""

    sequence: SequenceOutcome
    start_s: float
    end_s: float

    def x(self, at_s: float) -> float:
        """Across, within the row."""
        share = (min(max(at_s, self.start_s), self.end_s) - self.start_s) / max(self.end_s - self.start_s, 1e-9)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    @property
    def n_errors(self) -> int:
        """Missed episodes and false alarms in it."""
        missed = sum(e.how != "found" and self.holds(e.start_s, e.end_s) for e in self.sequence.episodes)
        return missed + sum(r.was == "false" and self.holds(r.run.begin_s, r.run.end_s) for r in self.sequence.runs)

    def holds(self, start_s: float, end_s: float) -> bool:
        """Whether something of a time lies in it."""
        return start_s < self.end_s and (end_s > self.start_s or start_s >= self.start_s)


def lanes(track: TrackEvaluation) -> str:
    """All sequences of a track; of very many rows those with most errors, in their order."""
    rows = [row for one in track.sequences for row in _rows(one)]
    kept = sorted(sorted(range(len(rows)), key=lambda i: (-rows[i].n_errors, i))[:_MAX_ROWS])
    colours = _colours(track)
    parts = [_keys(track, colours), *(_lane(rows[i], colours, track) for i in kept)]
    if len(kept) < len(rows):
        parts.append(f'<p class="soft">{len(kept)} of {len(rows)} rows are shown, those with most errors.</p>')
    return "".join(parts)


def _rows(one: SequenceOutcome) -> Iterator[_Row]:
    n = max(len(one.episodes), sum(r.was != "rest" for r in one.runs), 1)
    parts = -(-n // _PER_ROW)
    step = (one.end_s - one.start_s) / parts
    yield from (_Row(one, one.start_s + i * step, one.start_s + (i + 1) * step) for i in range(parts))


def _colours(track: TrackEvaluation) -> dict[str, str]:
    states = [one.state for one in track.states if one.state != track.rest]
    return {state: f"k{i % _COLOURS}" for i, state in enumerate(states)}


def _keys(track: TrackEvaluation, colours: dict[str, str]) -> str:
    marks = [
        ('<rect class="lost" x="1.5" y="1.5" width="13" height="9"/>', "missed or merged"),
        ('<path class="alarm" d="M8 1l6 10h-12z"/>', "false alarm"),
        ('<circle class="again" cx="8" cy="6" r="4"/>', "found before"),
    ]
    if track.delay_from == "end":
        marks.append(('<line class="when" x1="8" x2="8" y1="0" y2="12"/>', "when it was decided"))
    keys = [(f'<rect class="{kind}" width="16" height="12"/>', state) for state, kind in colours.items()]
    keys.append(('<rect class="rail" width="16" height="12"/>', f"{track.rest} (at rest)"))
    items = "".join(
        f'<li><svg viewBox="0 0 16 12" aria-hidden="true">{mark}</svg>{text(name)}</li>' for mark, name in keys + marks
    )
    return f'<ul class="keys">{items}</ul>'


def _lane(row: _Row, colours: dict[str, str], track: TrackEvaluation) -> str:
    origin = row.sequence.start_s
    title = f"{row.sequence.name or 'the recording'}, {_time(row.start_s - origin)} to {_time(row.end_s - origin)}"
    body = [_rail("truth", 4), _rail("decided", 28)]
    body += [_true(e, row, colours) for e in row.sequence.episodes if row.holds(e.start_s, e.end_s)]
    for one in row.sequence.runs:
        if one.run.state != track.rest and row.holds(*_about(one.run)):
            body.append(_decided(one, row, colours))
    body += _ticks(row)
    name = text(title)
    svg = f'<svg viewBox="0 0 {_WIDTH} 82" role="img" aria-label="{name}"><title>{name}</title>{"".join(body)}</svg>'
    return f'<div class="lane">{scrolling(title, svg)}</div>'


def _rail(name: str, y: int) -> str:
    across = _WIDTH - _LEFT - _RIGHT
    return (
        f'<text x="0" y="{y + 14}">{name}</text><rect class="rail" x="{_LEFT}" y="{y}" width="{across}" height="20"/>'
    )


def _true(one: EpisodeOutcome, row: _Row, colours: dict[str, str]) -> str:
    told = f"found {one.delay_s:.2f} s late" if one.delay_s else one.how
    told += f", answered {one.answer}" if one.how == "missed" and one.answer else ""
    tip = f"true: {one.state}, {_span(one.start_s, one.end_s, row)}, {told}"
    style = "" if one.how == "found" else "lost"
    return _box(row, one.start_s, one.end_s, 4, colours.get(one.state, "rail"), one.state, tip, style)


def _decided(one: RunOutcome, row: _Row, colours: dict[str, str]) -> str:
    run = one.run
    start_s, end_s = _about(run)
    told = {"found": "found", "repeated": "found before", "false": "false alarm", "asked": "no answer", "rest": ""}[
        one.was
    ]
    told += f", decided at {_time(run.begin_s - row.sequence.start_s)}" if run.final else ""
    tip = f"decided: {run.state}, {_span(start_s, end_s, row)}, {told}"
    box = _box(row, start_s, end_s, 28, colours.get(run.state, "rail"), run.state, tip, "")
    x = row.x(start_s) + 6
    if run.final and run.begin_s <= row.end_s:
        box += f'<line class="when" x1="{row.x(run.begin_s)}" x2="{row.x(run.begin_s)}" y1="26" y2="50"/>'
    if start_s < row.start_s:
        return box
    if one.was == "false":
        return f'{box}<path class="alarm" d="M{x} 52l6 10h-12z"><title>{text(tip)}</title></path>'
    return f'{box}<circle class="again" cx="{x}" cy="57" r="4"/>' if one.was == "repeated" else box


def _about(run: Run) -> tuple[float, float]:
    """The time that a decided episode is about: that of its images where it was decided afterwards."""
    if run.final and run.evidence_s:
        return min(run.evidence_s), max(run.evidence_s)
    return run.begin_s, run.end_s


def _box(row: _Row, start_s: float, end_s: float, y: int, kind: str, name: str, tip: str, style: str) -> str:
    x0, x1 = row.x(start_s), row.x(end_s)
    width = max(round(x1 - x0, 1), 1.5)
    title = f"<title>{text(tip)}</title>"
    box = f'<rect class="{kind}" x="{x0}" y="{y}" width="{width}" height="20" rx="2">{title}</rect>'
    if style:
        inner = max(width - 2.5, 0.5)
        box += (
            f'<rect class="{style}" x="{x0 + 1.25}" y="{y + 1.25}" width="{inner}" height="17.5" rx="2">{title}</rect>'
        )
    if width > 7 * len(name) + 8:
        box += f'<text class="in" x="{x0 + 5}" y="{y + 14}">{text(name)}</text>'
    return box


def _ticks(row: _Row) -> Sequence[str]:
    span = row.end_s - row.start_s
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
    step = next((s for s in steps if span / s <= 10), 86400 * max(round(span / 864000), 1))
    origin = row.sequence.start_s
    parts, at = [], -(-(row.start_s - origin) // step) * step
    while origin + at <= row.end_s + 1e-9:
        x = row.x(origin + at)
        parts.append(f'<line class="tick" x1="{x}" x2="{x}" y1="64" y2="68"/>')
        anchor = "end" if x > _WIDTH - 40 else "middle"
        parts.append(f'<text x="{x}" y="79" text-anchor="{anchor}">{_time(at)}</text>')
        at += step
    return parts


def _span(start_s: float, end_s: float, row: _Row) -> str:
    return f"{_time(start_s - row.sequence.start_s)} to {_time(end_s - row.sequence.start_s)}"


def _time(seconds: float) -> str:
    if abs(seconds) < 60:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
