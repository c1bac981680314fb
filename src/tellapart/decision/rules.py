"""Which rule of a track gives the state: the first one that holds, or one that lasts until its `until`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tellapart.decision.conditions import Judge, judge
from tellapart.decision.figures import Names
from tellapart.decision.verdict import Verdict, Why
from tellapart.decision.view import View

FALLBACK = "fallback"
_REASONS = 3


class Rules:
    """The rules in their order. `lasting` is the number of the one that its `until` keeps in force.

    A rule with an `until` lasts from when its state is in force on, until `until` holds while `if` does not, or another state
    comes into force. A rule before it that holds still goes before it.
    """

    def __init__(self, rules: Any, groups: Mapping[str, Names]) -> None:
        self._rules = tuple(rules)
        self._ifs: list[Judge] = [judge(rule.when, groups) for rule in self._rules]
        self._untils = [None if rule.until is None else judge(rule.until, groups) for rule in self._rules]
        self._names = [rule.name or f"rule {n} ({rule.state})" for n, rule in enumerate(self._rules, 1)]
        self._states = [str(rule.state) for rule in self._rules]
        self.lasting: int | None = None

    def found(self, view: View) -> tuple[int | None, Verdict]:
        """The number of the rule that gives the state, None for the fallback."""
        until = None if self.lasting is None else self._until(view)
        against = []
        for number, holds in enumerate(self._ifs):
            verdict = holds(view)
            if verdict.holds:
                return number, verdict
            if until is not None and number == self.lasting:
                return number, Verdict(True, partial(_lasting, until))
            against.append(verdict)
        return None, Verdict(False, partial(_none, against))

    def name(self, number: int | None) -> str:
        """What reasons call a rule."""
        return FALLBACK if number is None else self._names[number]

    def state(self, number: int | None, fallback: str) -> str:
        """The state that a rule gives."""
        return fallback if number is None else self._states[number]

    def settled(self, number: int | None, state: str | None) -> None:
        """Take note of the rule that was found and of the state in force after it."""
        if number is not None and self._untils[number] is not None and self._states[number] == state:
            self.lasting = number
        elif self.lasting is not None and self._states[self.lasting] != state:
            self.lasting = None

    def silences(self) -> list[tuple[str | None, float]]:
        """Input and seconds of every condition on silence."""
        conditions = [one for rule in self._rules for one in (rule.when, rule.until) if one is not None]
        return [(leaf.input, leaf.silent_s) for one in conditions for leaf in one.leaves() if leaf.kind == "silent_s"]

    def _until(self, view: View) -> Verdict | None:
        """Why the lasting rule lasts; None where none does, or no longer."""
        number = self.lasting
        judged = None if number is None else self._untils[number]
        if number is None or judged is None:
            return None
        until = judged(view)
        if until.holds and not self._ifs[number](view).holds:
            self.lasting = None
            return None
        return until


def _lasting(until: Verdict) -> Why:
    why = until.why()
    return Why(f"it lasts until otherwise: {why.because}", why.images)


def _none(against: Sequence[Verdict]) -> Why:
    because = "no rule holds" if against else "there are no rules"
    return Why("; ".join([because, *(verdict.why().because for verdict in against[:_REASONS])]))
