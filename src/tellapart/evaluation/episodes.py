"""Decided and true episodes of one recorded sequence, as times and states: what is compared, and what came of it.

A decided episode (`Run`) is the time for which a state was in force. Where a policy decides by parts or visits, each part is
one, whatever came before it. `docs/policy-evaluation.md` defines every word that is used here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tellapart.evaluation.scored import Bools, Floats
from tellapart.records.decision import Decision
from tellapart.records.episode import TrueEpisode

_TOUCHING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Run:
    """A decided episode: `state` was in force from `begin_s` until `end_s`.

    `evidence_s` are the times of the images that its first decision rests on. `final`: that decision came at the end of a
    part, and is about these images, not about the time that follows.
    """

    state: str
    begin_s: float
    end_s: float
    evidence_s: tuple[float, ...] = ()
    final: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time for which one state was true; `episodes` are the numbers of the labelled episodes in it, () between them."""

    start_s: float
    end_s: float
    state: str
    episodes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """How one track is judged.

    `rest` is true where nothing is labelled; `rest_named` where it is labelled as well. `asking` is the fallback where the
    truth never names it: no answer rather than a wrong one. `unscored` is the state between parts, no episode of its own.
    `at_end`: it decides when a part has left. `late_s` is how long after a true episode a state may still come. `costs` (n, n)
    are by actual and decided state.
    """

    states: tuple[str, ...]
    rest: str
    costs: Floats
    asking: str | None = None
    unscored: str | None = None
    at_end: bool = False
    late_s: float = 0.0
    rest_named: bool = False

    def cost(self, actual: str, decided: str) -> float:
        """Of one episode."""
        return float(self.costs[self.states.index(actual), self.states.index(decided)])


@dataclass(frozen=True, slots=True)
class EpisodeOutcome:
    """What became of a true episode.

    `how` is "found", "missed", or "merged" where its state was in force by a decided episode that belongs elsewhere.
    `answer` is the state that was given, None where none was. `run` is the number of the decided episode that found it. The
    delay is None where it was not found, or where the state had to stay as it was.
    """

    start_s: float
    end_s: float
    state: str
    how: str
    answer: str | None
    run: int | None = None
    delay_s: float | None = None
    delay_frames: int | None = None
    early: bool = False
    late: bool = False
    n_images: int = 0


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a decided episode was: "found" a true one, "repeated" what was found already, a "false" alarm, "asked" a person,
    or "rest" where nothing is to be found. `besides`: no true episode has it as its answer. `actual` was true instead."""

    run: Run
    was: str
    besides: bool = False
    actual: str = ""


@dataclass(frozen=True, slots=True)
class SequenceOutcome:
    """One track over one sequence. `flicker_s` are the times of changes that the truth does not explain. `right` (n,) tells
    for each instant of `seen_s` whether the state was the true one. `pieces` (n, 2) are times at which the cost of being
    wrong for the time that follows begins, and that cost in seconds."""

    name: str
    start_s: float
    end_s: float
    episodes: tuple[EpisodeOutcome, ...]
    runs: tuple[RunOutcome, ...]
    flicker_s: tuple[float, ...]
    seen_s: Floats = field(compare=False)
    right: Bools = field(compare=False)
    pieces: Floats = field(compare=False)


@dataclass(slots=True)
class _Growing:
    state: str
    begin_s: float
    evidence: tuple[str, ...]
    final: bool
    episode: int | None


def decided_runs(decisions: Iterable[Decision], times: Mapping[str, float], end_s: float) -> list[Run]:
    """The decided episodes of one track from its decisions in order; `times` of images by id, `end_s` that of the sequence."""
    grown: list[_Growing] = []
    for one in decisions:
        last = grown[-1] if grown else None
        if last is not None and not last.final and last.begin_s == one.at_s and last.state != one.state:
            grown.pop()  # in force for no time at all
            last = grown[-1] if grown else None
        if last is not None and _continues(last, one):
            last.episode = last.episode if one.episode is None else one.episode
            continue
        grown.append(_Growing(one.state, one.at_s, one.evidence, one.final, one.episode))
    ends = [*(one.begin_s for one in grown[1:]), end_s]
    return [
        Run(g.state, g.begin_s, max(end, g.begin_s), tuple(times[i] for i in g.evidence if i in times), g.final)
        for g, end in zip(grown, ends, strict=True)
    ]


def _continues(last: _Growing, one: Decision) -> bool:
    """Whether a decision prolongs the decided episode before it: the same state of the same part, or between parts."""
    if last.state != one.state:
        return False
    if one.episode is None or one.episode == last.episode:
        return True
    return last.episode is None and not one.final


@dataclass(slots=True)
class Labelled:
    """The truth of one sequence and track, made ready: the scored `episodes`, and `stretches` without a gap."""

    episodes: Sequence[TrueEpisode]
    stretches: Sequence[Stretch]
    starts: list[float] = field(init=False)
    _begins: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = [one.start_s for one in self.stretches]
        self._begins = [one.start_s for one in self.episodes]

    @classmethod
    def of(cls, truth: Iterable[TrueEpisode], terms: Terms, start_s: float, end_s: float) -> Labelled:
        """Of sorted episodes that do not overlap; what lies outside the recording is left out."""
        within = [one for one in truth if one.end_s > start_s and one.start_s < end_s and one.state != terms.unscored]
        return cls(within, _stretches(within, terms.rest, start_s, end_s))

    def stretch_at(self, at_s: float) -> int:
        """Number of the stretch that holds an instant; before the first one it is the first."""
        return max(bisect_right(self.starts, at_s) - 1, 0)

    def episode_at(self, at_s: float) -> int | None:
        """Number of the episode that holds an instant."""
        number = bisect_right(self._begins, at_s) - 1
        return number if number >= 0 and at_s < self.episodes[number].end_s else None

    def state_at(self, at_s: float) -> str:
        """What was true at an instant."""
        return self.stretches[self.stretch_at(at_s)].state


def _stretches(truth: Sequence[TrueEpisode], rest: str, start_s: float, end_s: float) -> list[Stretch]:
    pieces: list[Stretch] = []
    now_s = start_s
    for number, one in enumerate(truth):
        if one.start_s > now_s + _TOUCHING_S:
            pieces.append(Stretch(now_s, one.start_s, rest))
        pieces.append(Stretch(one.start_s, one.end_s, one.state, (number,)))
        now_s = one.end_s
    if now_s < end_s or not pieces:
        pieces.append(Stretch(now_s, end_s, rest))
    joined = pieces[:1]
    for piece in pieces[1:]:
        last = joined[-1]
        if piece.state == last.state:
            joined[-1] = Stretch(last.start_s, piece.end_s, last.state, (*last.episodes, *piece.episodes))
        else:
            joined.append(piece)
    return joined


def cost_matrix(states: Sequence[str], costs: Mapping[str, Mapping[str, float]]) -> Floats:
    """(n, n) by actual and decided state: what is not named costs 0 where they agree, 1 elsewhere."""
    table = 1.0 - np.eye(len(states))
    for actual, row in costs.items():
        for decided, cost in row.items():
            table[states.index(actual), states.index(decided)] = cost
    return table
