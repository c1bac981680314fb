"""A search over the knobs of a policy: one knob after the other from several starts, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tellapart.settings.given import Path
from tellapart.settings.policy_text import Number
from tellapart.workflows.policy_tune_knobs import Knob

Choice = tuple[Number, ...]
Key = tuple[float, ...]
Score = Callable[[Choice], Key | None]
"""What a search minimises, the first figure that differs deciding; None for values that contradict one another."""
_COARSE = 8
_PATIENCE = 4


@dataclass(slots=True)
class Search:
    """Tries choices (one value for each knob) and remembers what came of each.

    The policy as given is tried first and is never lost: what the search finds is at least as good by `score`. Of equally
    good values the given one is kept, else the middle of the widest run of them: its neighbours are as good, so that a
    little luck in the recording weighs little.
    """

    knobs: Sequence[Knob]
    score: Score
    budget: int
    seed: int = 0
    on_try: Callable[[int], None] = lambda _: None
    tried: dict[Choice, Key | None] = field(default_factory=dict)

    def run(self) -> Choice:
        """The best choice within the budget of tries, or when several starts on end brought nothing better."""
        given = tuple(knob.given for knob in self.knobs)
        best = given
        in_vain = 0
        for start in self._starts(given):
            if start in self.tried or self._key(start) is None:
                continue
            found = self._descend(start)
            in_vain = 0 if self._of(found) < self._of(best) else in_vain + (start != given)
            best = min(best, found, key=self._of)
            if self._is_over() or in_vain == _PATIENCE:
                break
        return best

    def _starts(self, given: Choice) -> Iterator[Choice]:
        """The policy as given, then others with half of its knobs, or one more, at random."""
        yield given
        generator = np.random.default_rng(self.seed)
        n = len(self.knobs)
        for _ in range(10 * self.budget):
            start = list(given)
            for number in generator.permutation(n)[: n // 2 + 1]:
                choices = self.knobs[number].choices
                start[number] = choices[int(generator.integers(len(choices)))]
            yield tuple(start)

    def _descend(self, start: Choice) -> Choice:
        """Turn one knob after the other until no single one makes it better."""
        best, moved = start, True
        while moved and not self._is_over():
            moved = False
            for number in range(len(self.knobs)):
                found = self._along(best, number)
                moved |= self._of(found) < self._of(best)
                best = found
        return best

    def _along(self, best: Choice, number: int) -> Choice:
        """The best value of one knob while the others stay."""
        choices = self.knobs[number].choices
        now = choices.index(best[number])
        places = _coarse(len(choices), now)
        while not self._is_over():
            keys = {place: self._key(_turned(best, number, choices[place])) for place in places}
            known = {place: key for place, key in keys.items() if key is not None}
            least = min(known.values(), default=None)
            equal = [place for place, key in known.items() if key == least]
            near = {near for place in equal for near in (place - 1, place + 1) if 0 <= near < len(choices)}
            if near <= places:
                return best if now in equal or not equal else _turned(best, number, choices[_middle(equal)])
            places |= near
        return min(
            (_turned(best, number, choices[place]) for place in sorted(places)), key=lambda one: self._rank(one, best)
        )

    def _rank(self, one: Choice, preferred: Choice) -> tuple[Key, bool]:
        return self._of(one), one != preferred

    def _of(self, choice: Choice) -> Key:
        """Of a choice that may not have been tried: then it counts as worse than any."""
        return self.tried.get(choice) or (float("inf"),)

    def _key(self, choice: Choice) -> Key | None:
        if choice not in self.tried and not self._is_over():
            self.tried[choice] = self.score(choice)
            self.on_try(len(self.tried))
        return self.tried.get(choice)

    def _is_over(self) -> bool:
        return len(self.tried) >= self.budget


def numbers_of(knobs: Sequence[Knob], choice: Choice) -> Mapping[Path, Number]:
    """What a choice turns: the values by path, without those that stay as given."""
    return {knob.path: value for knob, value in zip(knobs, choice, strict=True) if value != knob.given}


def _turned(choice: Choice, number: int, value: Number) -> Choice:
    return (*choice[:number], value, *choice[number + 1 :])


def _coarse(n: int, now: int) -> set[int]:
    """All of a few choices, else about every third one with both ends."""
    if n <= _COARSE:
        return set(range(n))
    return {*range(0, n, 3), n - 1, now}


def _middle(places: Sequence[int]) -> int:
    """Of the longest run of neighbours."""
    ordered = sorted(places)
    runs: list[list[int]] = []
    for place in ordered:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    longest = max(runs, key=len)
    return longest[(len(longest) - 1) // 2]
