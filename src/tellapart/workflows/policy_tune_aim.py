"""What a tuning is to reach: limits that a policy must keep, and what is to be least within them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

from tellapart.errors import Reason, SettingsError
from tellapart.evaluation.episode_figures import SECONDS_PER_HOUR, Counting, Units
from tellapart.evaluation.episodes import SequenceOutcome, Terms
from tellapart.evaluation.policy_wording import three_digits
from tellapart.workflows.policy_tune_search import Key

Goal = Literal["least-cost", "best-recall", "fewest-false-alarms", "least-delay"]
GOALS: tuple[str, ...] = get_args(Goal)
SHIFT_HOURS = 8.0
ROOM = 0.8
"""Share of a limit on false alarms or misses that is used up at most while choosing: other days bring more than these."""
_IN_TIME = 0.9
_PERIODS = {"hour": 1.0, "h": 1.0, "day": 24.0}
_RATE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(?:per|/|a|an)\s*([a-z]+)\s*", re.IGNORECASE)
_NEVER = 1e6


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of a policy on one recorded sequence or on several together.

    `delays_s` are those of the episodes that a change found; `cost` is that of answers, `time_cost` that of states by the
    hours they lasted.
    """

    hours: float
    n_true: int
    n_found: int
    n_false: int
    cost: float
    time_cost: float
    delays_s: tuple[float, ...] = ()

    @classmethod
    def of(cls, outcome: SequenceOutcome, terms: Terms) -> Tally:
        """Of one sequence, in the terms of `policy evaluate`: episodes of the state at rest are found by doing nothing."""
        counting = Counting([outcome], terms, Units.of([outcome]))
        true = [one for one in outcome.episodes if one.state != terms.rest]
        return cls(
            (outcome.end_s - outcome.start_s) / SECONDS_PER_HOUR,
            len(true),
            sum(one.how == "found" for one in true),
            sum(one.was == "false" and one.run.state != terms.rest for one in outcome.runs),
            float(counting.cost().sum()),
            float(counting.time_cost().sum()) / SECONDS_PER_HOUR,
            tuple(one.delay_s for one in true if one.delay_s is not None),
        )

    @classmethod
    def together(cls, parts: Iterable[Tally]) -> Tally:
        """Sums over sequences."""
        parts = tuple(parts)
        return cls(
            sum(one.hours for one in parts),
            sum(one.n_true for one in parts),
            sum(one.n_found for one in parts),
            sum(one.n_false for one in parts),
            sum(one.cost for one in parts),
            sum(one.time_cost for one in parts),
            tuple(delay for one in parts for delay in one.delays_s),
        )

    @property
    def recall(self) -> float | None:
        """Share of the true episodes that were found; None where there are none."""
        return self.n_found / self.n_true if self.n_true else None

    @property
    def false_per_hour(self) -> float:
        """False alarms per hour."""
        return self.n_false / self.hours if self.hours else 0.0

    @property
    def cost_per_hour(self) -> float:
        """Cost of the answers per hour."""
        return self.cost / self.hours if self.hours else 0.0

    @property
    def delay_s(self) -> float | None:
        """Nine of ten episodes that were found were found in this time; None where none was."""
        return sorted(self.delays_s)[ceil(_IN_TIME * len(self.delays_s)) - 1] if self.delays_s else None


@dataclass(frozen=True, slots=True)
class Aim:
    """`goal` within limits: false alarms per hour, seconds in which nine of ten found episodes are found, share found."""

    goal: Goal
    false_per_hour: float | None = None
    delay_s: float | None = None
    recall: float | None = None

    def key(self, tally: Tally) -> Key:
        """What is to be least: first how far limits are passed, then the goal, then what a person would ask for next."""
        return tuple(round(one, 9) for one in (self.passed(tally, room=ROOM), *self._order(tally)))

    def passed(self, tally: Tally, *, room: float = 1.0) -> float:
        """How far beyond the limits, in parts of them; 0 within. `room` is the share of them that may be used up."""
        return sum(excess for _, excess in self.excesses(tally, room=room))

    def excesses(self, tally: Tally, *, room: float = 1.0) -> Iterator[tuple[str, float]]:
        """Each limit with how far it is passed, in parts of it."""
        if self.false_per_hour is not None:
            yield "false alarms", _excess(tally.false_per_hour, self.false_per_hour * room)
        if self.delay_s is not None:
            yield "delay", _excess(_NEVER if tally.delay_s is None else tally.delay_s, self.delay_s)
        if self.recall is not None:
            yield "recall", _excess(1 - (tally.recall or 0.0), (1 - self.recall) * room)

    def _order(self, tally: Tally) -> tuple[float, ...]:
        missed = 1 - (tally.recall or 0.0)
        delay = _NEVER if not tally.delays_s else sum(tally.delays_s) / len(tally.delays_s)
        cost, false, lasting = tally.cost_per_hour, tally.false_per_hour, tally.time_cost
        orders: dict[str, tuple[float, ...]] = {
            "least-cost": (cost, lasting, delay),
            "best-recall": (missed, false, delay, lasting),
            "fewest-false-alarms": (false, missed, delay, lasting),
            "least-delay": (delay, cost, lasting),
        }
        return orders[self.goal]

    def told(self) -> str:
        """The aim in words."""
        limits = []
        if self.false_per_hour is not None:
            limits.append(f"at most {three_digits(self.false_per_hour)} false alarms per hour")
        if self.delay_s is not None:
            limits.append(f"a delay of at most {self.delay_s:g} s for nine of ten")
        if self.recall is not None:
            limits.append(f"at least {self.recall:.0%} of the episodes found")
        return f"{self.goal.replace('-', ' ')}{' with ' if limits else ''}{' and '.join(limits)}"


def aim_of(
    *,
    aim: str | None = None,
    false_alarms: str | float | None = None,
    delay: float | None = None,
    recall: float | None = None,
    shift_hours: float = SHIFT_HOURS,
) -> Aim:
    """The aim from what somebody asks for; without `aim`, what the limits leave open is made best.

    `false_alarms` is "2 per shift", "0.5 per hour", "3 per day", or a number per hour.

    Raises:
        SettingsError: `bad_setting`.
    """
    if aim is not None and aim not in GOALS:
        raise _wrong(f"the aim is one of {', '.join(GOALS)}, got {aim!r}")
    if not 0 < shift_hours <= 24:
        raise _wrong(f"a shift has more than 0 and at most 24 hours, got {shift_hours:g}")
    if delay is not None and not delay > 0:
        raise _wrong(f"the delay is a number of seconds above 0, got {delay:g}")
    if recall is not None and not 0 < recall <= 1:
        raise _wrong(f"the recall is a share above 0 and at most 1, got {recall:g}")
    rate = None if false_alarms is None else rate_of(false_alarms, shift_hours=shift_hours)
    goal = aim or _goal(rate, recall)
    return Aim(goal, rate, delay, recall)  # type: ignore[arg-type]


def rate_of(told: str | float, *, shift_hours: float = SHIFT_HOURS) -> float:
    """Events per hour from "2 per shift", "0.5 per hour" or "3 per day".

    Raises:
        SettingsError: `bad_setting`.
    """
    expected = f"false alarms are limited as in '2 per shift', '0.5 per hour' or '3 per day', got {told!r}"
    if not isinstance(told, str):
        if not 0 <= told < float("inf"):
            raise _wrong(expected)
        return float(told)
    found = _RATE.fullmatch(told)
    hours = {**_PERIODS, "shift": shift_hours}.get(found[2].lower()) if found else None
    if found is None or hours is None:
        raise _wrong(expected)
    return float(found[1]) / hours


def _goal(rate: float | None, recall: float | None) -> str:
    if rate is not None:
        return "least-cost" if recall is not None else "best-recall"
    return "least-cost" if recall is None else "fewest-false-alarms"


def _excess(value: float, limit: float) -> float:
    """Parts of the limit beyond it; of a limit of 0, the value itself."""
    beyond = value - limit
    return 0.0 if beyond <= 1e-12 else beyond / limit if limit > 0 else 1.0 + beyond


def _wrong(message: str) -> SettingsError:
    return SettingsError(Reason.BAD_SETTING, message)
