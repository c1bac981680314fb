"""Policies that a tuning tries, run over the recorded pieces: each policy over each piece once, whoever asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tellapart.decision.engine import Engine
from tellapart.errors import SpecError
from tellapart.evaluation.episode_matching import judge_sequence
from tellapart.evaluation.episodes import SequenceOutcome, Terms, decided_runs
from tellapart.settings.policy_file import read_policy
from tellapart.workflows.policy_tune_aim import Tally
from tellapart.workflows.policy_tune_knobs import Knob, Values, leaves_at, tracks_of, with_values
from tellapart.workflows.policy_tune_pieces import Pieces
from tellapart.workflows.policy_tune_search import Choice, numbers_of


@dataclass(slots=True)
class Trials:
    """One track with its knobs over all pieces; what was run is remembered."""

    values: Values
    track: str
    knobs: Sequence[Knob]
    pieces: Pieces
    terms: Terms
    _policies: dict[Choice, Any] = field(default_factory=dict)
    _tallies: dict[tuple[Choice, int], Tally] = field(default_factory=dict)
    _times: dict[int, dict[str, float]] = field(default_factory=dict)

    def policy(self, choice: Choice) -> Any | None:
        """The policy of this track alone; None where the values contradict one another."""
        if choice not in self._policies:
            self._policies[choice] = self._made(choice)
        return self._policies[choice]

    def outcome(self, choice: Choice, number: int) -> SequenceOutcome:
        """What became of one piece.

        Raises:
            ValueError: the values contradict one another.
        """
        policy, piece = self.policy(choice), self.pieces.pieces[number]
        if policy is None:
            raise ValueError(f"the choice {choice} contradicts itself")
        times = self._times.setdefault(number, {one.id: one.at_s for one in piece.images})
        decisions = Engine(policy, "tuning", piece.name).run(piece.images)
        runs = decided_runs(decisions, times, piece.end_s)
        return judge_sequence(runs, piece.truth, self.terms, seen_s=piece.seen_s, end_s=piece.end_s, name=piece.name)

    def tally(self, choice: Choice, numbers: Iterable[int]) -> Tally | None:
        """What came of pieces by their numbers, together; None where the values contradict one another."""
        if self.policy(choice) is None:
            return None
        return Tally.together([self._tally(choice, number) for number in numbers])

    def _tally(self, choice: Choice, number: int) -> Tally:
        if (choice, number) not in self._tallies:
            self._tallies[choice, number] = Tally.of(self.outcome(choice, number), self.terms)
        return self._tallies[choice, number]

    def _made(self, choice: Choice) -> Any | None:
        values = with_values(self.values, numbers_of(self.knobs, choice))
        section = tracks_of(values)[self.track][1]
        if any(value != knob.given for value, knob in zip(choice, self.knobs, strict=True)) and not _sensible(section):
            return None
        try:
            policy = read_policy(values)
        except SpecError:
            return None
        return policy.model_copy(update={"tracks": {self.track: policy.tracks[self.track]}})


def _sensible(section: Values) -> bool:
    """Whether votes fit into the window, and no rule ends before it begins."""
    last = (section.get("window") or {}).get("last")
    for _, leaf in leaves_at(section, ()):
        needed = max(leaf.get("of") or 1, leaf.get("at_least") or 1) if "vote" in leaf or "undecided" in leaf else 1
        if last is not None and max(needed, leaf.get("of") or 1) > last:
            return False
    return all(_ends_after_it_begins(rule) for rule in section.get("rules") or ())


def _ends_after_it_begins(rule: Values) -> bool:
    """Of a rule that begins and ends by the same figure: else its `until` would keep it no longer than its `if` does."""
    ends = list(_plain(rule.get("until")))
    for begin in _plain(rule.get("if", rule.get("when"))):
        for end in (one for one in ends if _about(one) == _about(begin)):
            pairs = ((begin.get("at_least"), end.get("below")), (end.get("at_least"), begin.get("below")))
            if any(high is not None and low is not None and low > high for high, low in pairs):
                return False
    return True


def _plain(condition: Any) -> Iterator[Values]:
    """A condition, or those of which all or one must hold."""
    if isinstance(condition, Mapping):
        inner = next((name for name in ("all_of", "one_of") if name in condition), None)
        if inner is None:
            yield condition
        else:
            for one in condition[inner]:
                yield from _plain(one)


def _about(leaf: Values) -> dict[str, Any]:
    """A condition without its bounds."""
    return {name: value for name, value in leaf.items() if name not in ("at_least", "below")}
