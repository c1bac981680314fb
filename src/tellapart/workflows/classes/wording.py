"""A change of classes in lines for people."""

from __future__ import annotations

from tellapart.evaluation.paired import Paired
from tellapart.workflows.classes.change import Change, refused_lines
from tellapart.workflows.classes.effect import Effect
from tellapart.workflows.classes.tables import table


def lines_of(change: Change) -> list[str]:
    """What was done or would be, and what it does to the answers."""
    if change.preview:
        lines = [f"preview     {change.operation}: nothing was changed"]
    else:
        lines = [f"version     {change.version}: {change.operation}"]
    lines += [*change.told, *refused_lines(change.refusals)]
    if change.effect is None:
        return [*lines, "answers     no answer changes"]
    return [*lines, *_effect_lines(change.effect)]


def _effect_lines(effect: Effect) -> list[str]:
    lines = [f"judged on   {effect.judged_on}"]
    lines += [_compared(name, found) for name, found in effect.comparisons.items()]
    if not effect.comparisons:
        lines.append("compared    nothing: no held-out image of a class that was there before")
    rows = [
        (
            one.label,
            f"{one.images:,}",
            f"{one.held_out:,}",
            _share(one.recall_before),
            _share(one.recall_after),
            f"{one.lost:,}" if one.compared else "-",
            f"{one.won:,}" if one.compared else "-",
        )
        for one in effect.moved().classes
    ]
    heads = ("class", "images", "held out", "recall before", "after", "lost", "won")
    lines += ["", *(table(heads, rows) if rows else ["no class answers otherwise"])]
    examples = [
        f"  {one.label}: {each.before} → {each.after}  {each.uri}" for one in effect.classes for each in one.examples
    ]
    return [*lines, "", "answers that change", *examples] if examples else lines


def _compared(name: str, found: Paired) -> str:
    low, high = found.difference.low, found.difference.high
    interval = "no interval" if low is None or high is None else f"95 % interval {low:+.3f} to {high:+.3f}"
    verdict = {"before": "worse", "after": "better"}.get(found.better or "", "no difference that chance could not make")
    values = f"{found.before:.3f} before, {found.after:.3f} after: {found.after - found.before:+.3f}"
    return f"{name:<12}{values} ({interval}), {verdict}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
