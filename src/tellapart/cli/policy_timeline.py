"""Decisions over time as text: a bar with the truth above it, and a line for each change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tellapart.cli.output import plain

if TYPE_CHECKING:
    from tellapart.records.decision import Decision
    from tellapart.workflows.policy_run import PolicyRun

Span = tuple[float, float, str]
_COLOURS = ("green", "red", "yellow", "cyan", "magenta", "blue", "bright_green", "bright_red")
_REST = "·"
_A_CLOCK_S = 1e8  # seconds since 1970, not since the beginning of a recording


def letters(states: Sequence[str], rest: str) -> dict[str, str]:
    """A letter for each state that no other one has; a dot for the one at rest."""
    found = {rest: _REST}
    for state in states:
        if state not in found:
            spare = (
                c for c in f"{state}{state.upper()}ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz?" if c.isalnum()
            )
            found[state] = next((c for c in spare if c not in found.values()), "?")
    return found


def bar(spans: Sequence[Span], rest: str, start_s: float, end_s: float, width: int) -> list[str | None]:
    """The state of each cell; where several fall into one, that which lasts the least of all, so that none is hidden, and
    never the one at rest."""
    lasted: dict[str, float] = {}
    for begin, end, state in spans:
        lasted[state] = lasted.get(state, 0.0) + end - begin
    cells: list[str | None] = [None] * width
    step = (end_s - start_s) / width or 1.0
    for begin, end, state in sorted(spans, key=lambda span: (span[2] != rest, -lasted[span[2]])):
        first = int((begin - start_s) / step + 1e-9)
        last = max(int((end - start_s) / step - 1e-9), first)
        for cell in range(max(first, 0), min(last, width - 1) + 1):
            cells[cell] = state
    return cells


def timeline(run: PolicyRun, *, every: bool, width: int) -> Iterator[str]:
    """All sequences, track by track."""
    for sequence, decisions in run.decisions.items():
        seen = run.observations[sequence]
        start_s, last_s = seen[0].at_s, seen[-1].at_s
        end_s = last_s + (
            (last_s - start_s) / (len(seen) - 1) if last_s > start_s else 1.0
        )  # the last image lasts as well
        named = f"{plain(sequence)}: " if sequence else ""
        counts = f"{_counted(len(seen), 'image')}, {_counted(len(run.changes(sequence)), 'change')}"
        yield f"{named}{clock(start_s)} to {clock(last_s)}, {counts}"
        for track, settings in run.policy.tracks.items():
            own = [one for one in decisions if one.track == track]
            truth = [(t.start_s, t.end_s, t.state) for t in run.truth.get(track, {}).get(sequence, [])]
            names = letters(list(settings.states), settings.outside or settings.fallback)
            if len(run.policy.tracks) > 1:
                yield f"  {plain(track)}"
            yield from _bars(own, truth, names, start_s, end_s, width)
            yield from lines(own, every=every, end_s=end_s)
        yield ""


def _counted(n: int, name: str) -> str:
    return f"{n:,} {name}{'s' * (n != 1)}"


def _bars(
    decisions: Sequence[Decision],
    truth: Sequence[Span],
    names: Mapping[str, str],
    start_s: float,
    end_s: float,
    width: int,
) -> Iterator[str]:
    room, rest = max(width - 10, 10), next(iter(names))
    if truth:
        yield "  truth   " + _drawn(bar(truth, rest, start_s, end_s, room), names)
    yield "  decided " + _drawn(bar(_spans(decisions, end_s), rest, start_s, end_s, room), names)
    yield "          " + "  ".join(f"{letter} {plain(state)}" for state, letter in names.items())


def _spans(decisions: Sequence[Decision], end_s: float) -> list[Span]:
    changes = [one for one in decisions if one.changed]
    ends = [*(one.at_s for one in changes[1:]), end_s]
    return [(one.at_s, end, one.state) for one, end in zip(changes, ends, strict=True)]


def _drawn(cells: Sequence[str | None], names: Mapping[str, str]) -> str:
    colours = {state: _COLOURS[i % len(_COLOURS)] for i, state in enumerate(s for s in names if names[s] != _REST)}
    return "".join(
        click.style(names[state], fg=colours[state]) if state in colours else " " if state is None else _REST
        for state in cells
    )


def lines(decisions: Sequence[Decision], *, every: bool, end_s: float) -> Iterator[str]:
    """One line a decision: when, what, for how long, why."""
    shown = [one for one in decisions if every or one.changed or one.final]
    changes = [one.at_s for one in decisions if one.changed]
    left = max((len(plain(one.state)) for one in shown), default=0)
    for one in shown:
        lasting = ""
        if one.changed and not every:
            following = bisect_right(changes, one.at_s)
            lasting = f"{(changes[following] if following < len(changes) else end_s) - one.at_s:.2f} s"
        part = f"part {one.episode}{', ended' * one.final}: " if one.episode is not None else ""
        why = f"{part}{plain(one.rule)}: {plain(one.because)}"
        yield f"  {clock(one.at_s):>12}  {plain(one.state):<{left}} {lasting:>11}  {why}"


def clock(at_s: float) -> str:
    """Seconds of a recording, or date and time in UTC."""
    if abs(at_s) < _A_CLOCK_S:
        return f"{at_s:.2f} s"
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-4] + "Z"
