"""What a tuning may turn in a policy: its thresholds, votes, windows and times, each with the values that are tried.

Only numbers that the file holds are turned, so that it says by itself what is open; what a policy means (labels, states,
costs, what an episode is, how long silence may last) stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.records.observation import Observation
from tellapart.settings.given import Path
from tellapart.settings.policy import kind_of
from tellapart.settings.policy_file import ONLY_TRACK
from tellapart.settings.policy_text import Number
from tellapart.workflows.policy_tune_values import Seen, counts, figures, posteriors, shares, times

_INNER = ("all_of", "one_of", "none_of")
_SMOOTHING = {"alpha": (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0), "independence": (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)}
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Knob:
    """A number of a policy, by its path in the file (`("rules", "0", "if", "at_least")`), with what is tried for it in
    rising order; `given` is among it."""

    path: Path
    given: Number
    choices: tuple[Number, ...]

    @property
    def name(self) -> str:
        """The path as sentences write it: rules[0].if.at_least."""
        return told(self.path)


def told(path: Path) -> str:
    """rules[0].if.at_least."""
    text = ""
    for step in path:
        text += f"[{step}]" if step.isdecimal() and text else f".{step}" if text else step
    return text


def tracks_of(values: Values) -> dict[str, tuple[Path, Values]]:
    """The tracks of a policy's plain values: where each is written, and what."""
    if "tracks" not in values:
        return {ONLY_TRACK: ((), values)}
    return {name: (("tracks", name), track) for name, track in values["tracks"].items()}


def knobs_of(values: Values, track: str, sequences: Iterable[Sequence[Observation]]) -> list[Knob]:
    """The knobs of one track of a policy's plain values, in the order of the file.

    What is tried for thresholds are values that the images show, whatever their labels; those outside of what they show
    would always or never hold.
    """
    path, section = tracks_of(values)[track]
    inputs = tuple(values.get("inputs") or ("image",))
    seen = Seen(sequences, inputs, values.get("groups") or {})
    found = list(_knobs(section, path, seen))
    return [knob for knob in found if len(knob.choices) > 1]


def value_at(values: Any, path: Path) -> Any:
    """What is written at a path."""
    for step in path:
        values = values[int(step) if isinstance(values, Sequence) else step]
    return values


def with_values(values: Values, numbers: Mapping[Path, Number]) -> dict[str, Any]:
    """A copy with other numbers at these paths."""
    changed: Any = _copied(values)
    for path, number in numbers.items():
        holder = value_at(changed, path[:-1])
        holder[int(path[-1]) if isinstance(holder, list) else path[-1]] = number
    return dict(changed)


def leaves_at(section: Values, path: Path) -> Iterator[tuple[Path, Values]]:
    """The conditions on images of a track, each with its place in the file."""
    for number, rule in enumerate(section.get("rules") or ()):
        for side in ("if", "when", "until"):
            if rule.get(side) is not None:
                yield from _leaves(rule[side], (*path, "rules", str(number), side))


def _leaves(condition: Values, path: Path) -> Iterator[tuple[Path, Values]]:
    inner = next((name for name in _INNER if name in condition), None)
    if inner is None:
        yield path, condition
        return
    for number, one in enumerate(condition[inner]):
        yield from _leaves(one, (*path, inner, str(number)))


def _knobs(section: Values, path: Path, seen: Seen) -> Iterator[Knob]:
    window = section.get("window") or {}
    most = seen.images_in(window)
    if window.get("last") is not None:
        yield _knob((*path, "window", "last"), window, counts(window["last"], max(3 * window["last"], 15)))
    if window.get("seconds") is not None:
        yield _knob((*path, "window", "seconds"), window, times(window["seconds"], seen.interval_s()))
    for place, leaf in leaves_at(section, path):
        yield from _of_leaf(leaf, place, seen, most)
    stable = section.get("stable") or {}
    for state, n in stable.get("enter", {}).items():
        yield _knob((*path, "stable", "enter", state), stable["enter"], counts(n, max(2 * n + 2, 6)))
    for state, seconds in stable.get("hold_s", {}).items():
        yield _knob((*path, "stable", "hold_s", state), stable["hold_s"], times(seconds, seen.interval_s()))


def _of_leaf(leaf: Values, path: Path, seen: Seen, most: int) -> Iterator[Knob]:
    kind = kind_of(leaf)
    choices = _choices(leaf, str(kind), seen, most)
    for name, given in leaf.items():
        if isinstance(given, int | float) and not isinstance(given, bool) and name in choices:
            yield _knob((*path, name), leaf, choices[name])


def _choices(leaf: Values, kind: str, seen: Seen, most: int) -> dict[str, Sequence[Number]]:
    """What is tried for each number of a condition, by its name."""
    tried: dict[str, Sequence[Number]] = {"of": counts(leaf.get("of") or 1, most), **_SMOOTHING}
    half_life = leaf.get("half_life_s")
    if half_life is not None:
        tried["half_life_s"] = times(half_life, seen.interval_s())
    if kind in ("vote", "undecided"):
        tried |= {"at_least": counts(leaf.get("at_least") or 1, most), "share": shares()}
    elif (observed := _observed(leaf, kind, seen)) is not None:
        tried |= {"at_least": observed, "below": observed}
    if kind in ("vote", "any", "every"):
        tried["confidence"] = figures(seen.confidences(leaf.get("input"), str(leaf[kind])))
    return tried


def _observed(leaf: Values, kind: str, seen: Seen) -> Sequence[Number] | None:
    if kind == "bayes":
        return posteriors()
    if kind in ("confidence", "max", "mean", "running"):
        return figures(seen.confidences(leaf.get("input"), str(leaf[kind])))
    if kind == "margin":
        return figures(seen.margins(leaf.get("input")))
    return figures(seen.oddities(leaf.get("input"))) if kind == "ood" else None


def _knob(path: Path, holder: Values, choices: Sequence[Number]) -> Knob:
    given = holder[path[-1]]
    return Knob(path, given, tuple(sorted({*choices, given})))


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list | tuple) else value
