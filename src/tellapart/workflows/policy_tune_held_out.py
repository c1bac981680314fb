"""What tuning brings where it was not chosen: each part of the pieces is held out once, and tuned for on the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tellapart.evaluation.episode_figures import Counting, Units
from tellapart.evaluation.episodes import SequenceOutcome, Terms
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.paired_rates import paired_rate
from tellapart.evaluation.policy_wording import three_digits
from tellapart.evaluation.scored import Floats
from tellapart.workflows.policy_tune_aim import Aim, Tally
from tellapart.workflows.policy_tune_search import Choice
from tellapart.workflows.policy_tune_trials import Trials

_Pairs = tuple[Floats, Floats, Floats]  # before, after, and what they are counted by
Find = Callable[[Sequence[int], str], Choice]
"""Chooses on pieces by their numbers; the text tells a progress what for."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The policy as given and what tuning on the other parts chose, on the same held-out pieces.

    `difference` is tuned less given in `measure`, per hour or per episode, below 0 being better. `pays` is True where that is
    no chance and no limit is passed that the given policy keeps; `why` says it in words.
    """

    given: tuple[SequenceOutcome, ...]
    tuned: tuple[SequenceOutcome, ...]
    chosen: tuple[Choice, ...]
    measure: str
    difference: Estimate
    pays: bool
    why: str


def validate(trials: Trials, aim: Aim, find: Find) -> HeldOut:
    """Tune once for each part that is held out, on all the others."""
    pieces = trials.pieces
    chosen = tuple(
        find(pieces.without(fold), f"validating, part {fold + 1} of {pieces.n_folds}") for fold in range(pieces.n_folds)
    )
    given = tuple(knob.given for knob in trials.knobs)
    before = tuple(trials.outcome(given, number) for number in range(len(pieces.pieces)))
    after = tuple(trials.outcome(chosen[fold], number) for number, fold in enumerate(pieces.fold))
    return judged(before, after, chosen, aim, trials.terms, n_folds=pieces.n_folds)


def judged(
    before: tuple[SequenceOutcome, ...],
    after: tuple[SequenceOutcome, ...],
    chosen: tuple[Choice, ...],
    aim: Aim,
    terms: Terms,
    *,
    n_folds: int,
) -> HeldOut:
    """The verdict over the same pieces decided by two policies, the second chosen on the other folds."""
    old, new = (Tally.together(Tally.of(one, terms) for one in outcomes) for outcomes in (before, after))
    measure = _measure(aim, old)
    difference = paired_rate(*_MEASURES[measure](before, after, terms), n_folds=n_folds)
    kept = dict(aim.excesses(old))
    worse = [f"it passes the limit of {name}" for name, excess in aim.excesses(new) if excess > kept[name]]
    if old.n_found and not new.n_found:
        worse.append("it finds nothing any more: raising nothing is cheapest, say in `costs` what a miss costs")
    better = difference.high is not None and difference.high < 0
    return HeldOut(before, after, chosen, measure, difference, better and not worse, _why(measure, difference, worse))


def _measure(aim: Aim, given: Tally) -> str:
    """What tuning must better: the first limit that the given policy passes, else the goal."""
    passed = [name for name, excess in aim.excesses(given) if excess > 0]
    limits = {"false alarms": "false alarms per hour", "delay": "seconds of delay", "recall": "missed share"}
    goals = {
        "least-cost": "cost per hour",
        "best-recall": "missed share",
        "fewest-false-alarms": "false alarms per hour",
        "least-delay": "seconds of delay",
    }
    return limits[passed[0]] if passed else goals[aim.goal]


def _why(measure: str, difference: Estimate, worse: Sequence[str]) -> str:
    if difference.value is None:
        return f"nothing that was held out says anything about {measure}"
    told = f"{three_digits(difference.value, '+')} {measure} on what was held out"
    if difference.low is None or difference.high is None:
        how = "nothing differs there" if not difference.n else "too little differs there to tell"
        return f"tuning does not pay: {told}, {how}"
    told = f"{told} ({three_digits(difference.low, '+')} to {three_digits(difference.high, '+')})"
    if difference.high >= 0:
        worst = "it is worse" if difference.low > 0 else "that may be chance"
        return f"tuning does not pay: {told}, {worst}"
    if worse:
        return f"tuning does not pay: {told}, but there {' and '.join(worse)}"
    return f"tuning pays: {told}"


def _costs(before: Sequence[SequenceOutcome], after: Sequence[SequenceOutcome], terms: Terms) -> _Pairs:
    old, new = _counting(before, terms), _counting(after, terms)
    return old.cost(), new.cost(), old.hours()


def _false(before: Sequence[SequenceOutcome], after: Sequence[SequenceOutcome], terms: Terms) -> _Pairs:
    old, new = _counting(before, terms), _counting(after, terms)
    return _alarms(old, terms), _alarms(new, terms), old.hours()


def _missed(before: Sequence[SequenceOutcome], after: Sequence[SequenceOutcome], terms: Terms) -> _Pairs:
    old, new = _counting(before, terms), _counting(after, terms)
    true = old.episodes(lambda one: one.state != terms.rest)
    return _misses(old, terms), _misses(new, terms), true


def _delays(before: Sequence[SequenceOutcome], after: Sequence[SequenceOutcome], terms: Terms) -> _Pairs:
    """Over the episodes that both find, pair by pair."""
    pairs = [
        (old.delay_s, new.delay_s)
        for one, other in zip(before, after, strict=True)
        for old, new in zip(one.episodes, other.episodes, strict=True)
        if old.delay_s is not None and new.delay_s is not None and old.state != terms.rest
    ]
    both = np.array(pairs, np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1], np.ones(len(both))


_MEASURES: dict[str, Callable[[Sequence[SequenceOutcome], Sequence[SequenceOutcome], Terms], _Pairs]] = {
    "cost per hour": _costs,
    "false alarms per hour": _false,
    "missed share": _missed,
    "seconds of delay": _delays,
}


def _counting(outcomes: Sequence[SequenceOutcome], terms: Terms) -> Counting:
    return Counting(outcomes, terms, Units.of(outcomes))


def _alarms(counting: Counting, terms: Terms) -> Floats:
    return counting.runs(lambda one: one.was == "false" and one.run.state != terms.rest)


def _misses(counting: Counting, terms: Terms) -> Floats:
    return counting.episodes(lambda one: one.state != terms.rest and one.how != "found")
