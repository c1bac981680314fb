"""Which decided episode found which true one, and which were false alarms: one pass over each sequence.

The rules, in order of time:

- A decided episode belongs to a stretch of time for which its state was true. It begins within it, or before it and is then
  right for at least as long as it was early, or after it by `late_s` at most, or after it with at least half of the images
  that it rests on within it.
- It finds the episodes of that stretch which it overlaps and which were not found yet. Each belongs to one stretch only: one
  that lasts into the next stretch of its state does not find what is there (merged), unless it came not earlier than that.
- A decision at the end of a part belongs to the true episode that holds most of the images it rests on, and to nothing else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tellapart.evaluation.episode_times import flicker, images_right, wrong_pieces
from tellapart.evaluation.episodes import EpisodeOutcome, Labelled, Run, RunOutcome, SequenceOutcome, Terms
from tellapart.evaluation.scored import Floats
from tellapart.records.episode import TrueEpisode


def judge_sequence(
    runs: Sequence[Run],
    truth: Sequence[TrueEpisode],
    terms: Terms,
    *,
    seen_s: Floats,
    end_s: float,
    name: str = "",
) -> SequenceOutcome:
    """Compare decided episodes with true ones, both sorted by time.

    `seen_s` (n,), n > 0, are the instants at which something was seen, rising; `end_s` is the end of the sequence.
    """
    labelled = Labelled.of(truth, terms, float(seen_s[0]), end_s)
    matching = _Matching(runs, labelled, terms, seen_s)
    matching.match()
    episodes = tuple(matching.episode(number) for number in range(len(labelled.episodes)))
    outcomes = matching.outcomes()
    return SequenceOutcome(
        name,
        float(seen_s[0]),
        end_s,
        episodes,
        outcomes,
        tuple(flicker(outcomes, labelled)),
        seen_s,
        images_right(outcomes, episodes, labelled, terms, seen_s),
        np.empty((0, 2)) if terms.at_end else wrong_pieces(runs, labelled, terms, float(seen_s[0]), end_s),
    )


class _Matching:
    def __init__(self, runs: Sequence[Run], labelled: Labelled, terms: Terms, seen_s: Floats) -> None:
        self._runs, self._labelled, self._terms, self._seen_s = runs, labelled, terms, seen_s
        self._begins = [run.begin_s for run in runs]
        self._was = ["false"] * len(runs)
        self._about: list[int | None] = [None] * len(runs)  # the true episode that a decision at its end is about
        self._found_by: dict[int, int] = {}
        self._first: set[int] = set()  # true episodes for which the state had to change
        self._answered: set[int] = set()  # runs that are the answer to a true episode

    def match(self) -> None:
        for number, run in enumerate(self._runs):
            self._was[number] = self._final(number, run) if run.final else self._in_force(number, run)

    def _final(self, number: int, run: Run) -> str:
        held = Counter(i for t in run.evidence_s if (i := self._labelled.episode_at(t)) is not None)
        about = min(held, key=lambda i: (-held[i], i), default=None)
        self._about[number] = about
        if about is None or self._labelled.episodes[about].state != run.state:
            return self._not_found(run, about is None)
        if about in self._found_by:
            return "repeated"
        self._found_by[about] = number
        self._first.add(about)
        return "found"

    def _in_force(self, number: int, run: Run) -> str:
        if self._terms.at_end:
            return "rest"  # between parts nothing is decided
        repeats, neutral = False, False
        for stretch_number in self._near(run):
            stretch = self._labelled.stretches[stretch_number]
            if stretch.state != run.state or not self._belongs(run, stretch_number):
                continue
            neutral = neutral or not stretch.episodes
            fresh = [i for i in stretch.episodes if i not in self._found_by and self._reaches(run, i)]
            if fresh:
                self._found_by.update(dict.fromkeys(fresh, number))
                self._first.add(fresh[0])
                return "found"
            repeats = repeats or bool(stretch.episodes)
        return "repeated" if repeats else self._not_found(run, neutral)

    def _not_found(self, run: Run, at_rest: bool) -> str:
        if run.state == self._terms.asking:
            return "asked"
        harmless = run.state == self._terms.rest and (at_rest or not self._terms.rest_named)
        return "rest" if harmless else "false"

    def _near(self, run: Run) -> list[int]:
        """Stretches that a run may belong to: those it overlaps, then those it may be late for, the last one first."""
        reach_s = min([run.begin_s - self._terms.late_s, *run.evidence_s])
        first, now = self._labelled.stretch_at(reach_s), self._labelled.stretch_at(run.begin_s)
        last = bisect_left(self._labelled.starts, run.end_s, lo=now)
        return [*range(now, max(last, now + 1)), *range(now - 1, first - 1, -1)]

    def _belongs(self, run: Run, stretch_number: int) -> bool:
        stretch = self._labelled.stretches[stretch_number]
        start_s = stretch.start_s if stretch_number else float("-inf")  # what was there from the start is never early
        if run.begin_s >= stretch.end_s:
            return self._late(run, stretch.start_s, stretch.end_s)
        overlap_s = min(run.end_s, stretch.end_s) - max(run.begin_s, stretch.start_s)
        return overlap_s > 0 and start_s - run.begin_s <= overlap_s

    def _late(self, run: Run, start_s: float, end_s: float) -> bool:
        inside = sum(start_s <= t < end_s for t in run.evidence_s)
        return run.begin_s < end_s + self._terms.late_s or (inside > 0 and 2 * inside >= len(run.evidence_s))

    def _reaches(self, run: Run, number: int) -> bool:
        one = self._labelled.episodes[number]
        if run.begin_s < one.end_s:
            return run.end_s > one.start_s
        return self._late(run, one.start_s, one.end_s)

    def episode(self, number: int) -> EpisodeOutcome:
        one = self._labelled.episodes[number]
        seen = slice(*np.searchsorted(self._seen_s, (one.start_s, one.end_s)))
        n_images = seen.stop - seen.start
        found = self._found_by.get(number)
        if found is None:
            how, answer = self._given(number, one)
            return EpisodeOutcome(one.start_s, one.end_s, one.state, how, answer, n_images=int(n_images))
        begin_s = self._runs[found].begin_s
        told = number in self._first
        since_s = one.end_s if self._terms.at_end else max(one.start_s, float(self._seen_s[0]))
        frames = int(np.subtract(*np.searchsorted(self._seen_s, (begin_s, since_s)))) if told else 0
        return EpisodeOutcome(
            one.start_s,
            one.end_s,
            one.state,
            "found",
            one.state,
            found,
            max(begin_s - since_s, 0.0) if told else None,
            max(frames, 0) if told else None,
            early=told and begin_s < one.start_s,
            late=told and not self._terms.at_end and begin_s >= one.end_s,
            n_images=int(n_images),
        )

    def _given(self, number: int, one: TrueEpisode) -> tuple[str, str | None]:
        """What was answered to a true episode that was not found."""
        about = [i for i, of in enumerate(self._about) if of == number]
        if about:
            self._answered.add(about[-1])
            return "missed", self._runs[about[-1]].state
        if self._terms.at_end:
            return "missed", None
        lasted: dict[str, float] = {}
        last = bisect_left(self._begins, one.end_s)
        first = max(bisect_left(self._begins, one.start_s) - 1, 0)
        inside = [(i, self._runs[i]) for i in range(first, last)]
        for _, run in inside:
            within_s = max(min(run.end_s, one.end_s) - max(run.begin_s, one.start_s), 0.0)
            if within_s > 0:  # put at the end anew: of equals the last one in force counts
                lasted[run.state] = lasted.pop(run.state, 0.0) + within_s
        longest = max(reversed(lasted), key=lambda state: lasted[state], default=None)
        if longest is None:
            return "missed", None
        self._answered.update(i for i, run in inside if run.state == longest and run.end_s > one.start_s)
        return ("merged" if longest == one.state else "missed"), longest

    def outcomes(self) -> tuple[RunOutcome, ...]:
        """After `episode` was asked for all of them: whose answer a run is follows from that."""
        told = []
        for number, run in enumerate(self._runs):
            about = self._about[number]
            at_s = run.begin_s if about is None else self._labelled.episodes[about].start_s
            actual = self._terms.rest if run.final and about is None else self._labelled.state_at(at_s)
            wrong = self._was[number] in ("false", "asked")
            told.append(RunOutcome(run, self._was[number], wrong and number not in self._answered, actual))
        return tuple(told)
