"""What came of tuning a policy: the numbers, what they bring where they were not chosen, and everything that was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.plain import to_plain
from tellapart.evaluation.policy_evaluation import TrackEvaluation
from tellapart.evaluation.policy_wording import three_digits
from tellapart.settings.policy_text import written
from tellapart.workflows.policy_tune_aim import Aim, Tally
from tellapart.workflows.policy_tune_held_out import HeldOut
from tellapart.workflows.policy_tune_knobs import Knob
from tellapart.workflows.policy_tune_search import Choice, numbers_of


@dataclass(frozen=True, slots=True)
class Candidate:
    """A choice that was tried, and what came of it on all pieces together."""

    choice: Choice
    tally: Tally


@dataclass(frozen=True, slots=True)
class TunedTrack:
    """One track: `given` and `chosen` are values of `knobs`; `taken` tells whether the file takes the chosen ones over.

    `before` and `after` are the figures on what was held out, of the policy as given and of what tuning on the other parts
    chose. `candidates` were tried on all pieces: their figures flatter, having been chosen by.
    """

    track: str
    knobs: tuple[Knob, ...]
    given: Choice
    chosen: Choice
    candidates: tuple[Candidate, ...]
    pieces: str
    held_out: HeldOut
    before: TrackEvaluation
    after: TrackEvaluation
    taken: bool

    @property
    def turned(self) -> dict[str, tuple[Any, Any]]:
        """The numbers that were chosen otherwise than given: name to (given, chosen)."""
        paths = numbers_of(self.knobs, self.chosen)
        return {knob.name: (knob.given, paths[knob.path]) for knob in self.knobs if knob.path in paths}

    def tally(self, choice: Choice) -> Tally:
        """Of a candidate, over all pieces.

        Raises:
            StopIteration: it was not tried.
        """
        return next(one.tally for one in self.candidates if one.choice == choice)

    def verdict(self) -> str:
        """Whether tuning pays, in a sentence."""
        if self.chosen == self.given:
            return "no other numbers were found that do better: the policy stays as given"
        kept = "" if self.held_out.pays else "; taken all the same" if self.taken else "; the policy stays as given"
        return f"{self.held_out.why}{kept}"


@dataclass(frozen=True, slots=True)
class TunedPolicy:
    """`text` is the file: that of the policy as given with other numbers where tuning paid, under lines that say so.

    `given` and `policy` are name and hash before and after.
    """

    given: str
    policy: str
    aim: Aim
    tracks: tuple[TunedTrack, ...]
    text: str

    @property
    def taken(self) -> bool:
        """Whether any number changed."""
        return self.given != self.policy

    def lines(self) -> Iterator[str]:
        """For the terminal."""
        yield f"policy    {self.policy}" + (f", tuned from {self.given}" if self.taken else ", as given")
        yield f"aim       {self.aim.told()}"
        for one in self.tracks:
            yield from self._track_lines(one)

    def _track_lines(self, one: TunedTrack) -> Iterator[str]:
        if len(self.tracks) > 1:
            yield f"track     {one.track}"
        yield f"verdict   {one.verdict()}"
        for name, (given, chosen) in one.turned.items():
            yield f"{'number' if one.taken else 'found'}    {' ' * one.taken}{name}: {written(given)} → {written(chosen)}"
        yield f"held out  {one.pieces}"
        for name, told in compared(one):
            yield f"{'':10}{name}: {told}"

    def to_json(self) -> dict[str, Any]:
        """Plain values, with all candidates."""
        return {
            "policy": self.policy,
            "given": self.given,
            "taken": self.taken,
            "aim": _aim_json(self.aim),
            "tracks": {one.track: _track_json(one) for one in self.tracks},
        }


def head(given: str, aim: Aim, tracks: Sequence[TunedTrack]) -> list[str]:
    """What the file says about its tuning."""
    lines = [f"by tellapart policy tune, from {given}, for {aim.told()}"]
    for one in tracks:
        before = f"{one.track}: " if len(tracks) > 1 else ""
        lines.append(f"{before}{one.verdict()}")
        lines.append(f"{before}held out {one.pieces}; there, given and tuned on the other parts:")
        lines += [f"{before}  {name} {told}" for name, told in compared(one)]
        if one.taken:
            turned = (f"{name} {written(old)} -> {written(new)}" for name, (old, new) in one.turned.items())
            lines.append(f"{before}numbers: {', '.join(turned)}")
    return lines


def compared(one: TunedTrack) -> Iterator[tuple[str, str]]:
    """Names of figures with "given … , tuned …" on what was held out."""
    yield "cost per hour", f"{three_digits(_per_hour(one.before))}, tuned {three_digits(_per_hour(one.after))}"
    shown = {
        "false_alarms_per_hour": ("false alarms per hour", ""),
        "recall": ("share found", ""),
        "delay_s_p90": ("delay of nine of ten", " s"),
    }
    for key, (name, unit) in shown.items():
        before, after = one.before.figures[key], one.after.figures[key]
        yield name, f"{told(before, unit)}, tuned {told(after, unit)}"


def told(estimate: Estimate, unit: str = "") -> str:
    """0.42 (0.31–0.55)."""
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{three_digits(estimate.value)}{unit}"
    return f"{three_digits(estimate.value)}{unit} ({three_digits(estimate.low)}–{three_digits(estimate.high)})"


def _per_hour(evaluated: TrackEvaluation) -> float:
    hours = sum(one.end_s - one.start_s for one in evaluated.sequences) / 3600
    return evaluated.total_cost / hours if hours else 0.0


def _track_json(one: TunedTrack) -> dict[str, Any]:
    named = [knob.name for knob in one.knobs]
    return {
        "taken": one.taken,
        "verdict": one.verdict(),
        "numbers": {
            name: {"given": old, "chosen": new} for name, old, new in zip(named, one.given, one.chosen, strict=True)
        },
        "chosenOn": {"given": _tally_json(one.tally(one.given)), "chosen": _tally_json(one.tally(one.chosen))},
        "heldOut": {
            "pieces": one.pieces,
            "pays": one.held_out.pays,
            "measure": one.held_out.measure,
            "difference": to_plain(one.held_out.difference),
            "given": to_plain(dict(one.before.figures)),
            "tuned": to_plain(dict(one.after.figures)),
            "costPerHour": {"given": round(_per_hour(one.before), 8), "tuned": round(_per_hour(one.after), 8)},
            "chosen": [dict(zip(named, choice, strict=True)) for choice in one.held_out.chosen],
        },
        "candidates": [
            {"numbers": dict(zip(named, each.choice, strict=True)), **_tally_json(each.tally)}
            for each in one.candidates
        ],
    }


def _aim_json(aim: Aim) -> dict[str, Any]:
    return {
        "goal": aim.goal,
        "falseAlarmsPerHour": aim.false_per_hour,
        "delayP90": aim.delay_s,
        "recall": aim.recall,
    }


def _tally_json(tally: Tally) -> dict[str, Any]:
    return {
        "costPerHour": round(tally.cost_per_hour, 8),
        "falseAlarmsPerHour": round(tally.false_per_hour, 8),
        "recall": None if tally.recall is None else round(tally.recall, 8),
        "delayP90": tally.delay_s,
    }
