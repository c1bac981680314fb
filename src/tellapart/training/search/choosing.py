"""Which trial of a search is taken: the cheapest of those that cannot be told from the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.compare import Comparison, compare
from tellapart.evaluation.scored import Scored, score
from tellapart.evaluation.wording import number
from tellapart.records import LabelSchema


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial that went to its end: its score, and probabilities (m, k) for the validation images.

    A training of the network costs more than a head on a frozen one (`trained`), then `n_bytes` of the network count, then
    `size_px`, the side of the image that it sees.
    """

    number: int
    score: float
    answers: NDArray[np.float32]
    trained: bool
    n_bytes: int
    size_px: int

    @property
    def cost(self) -> tuple[bool, int, int]:
        """Less is cheaper; the seconds of a trial do not count, since they change from run to run."""
        return self.trained, self.n_bytes, self.size_px


@dataclass(frozen=True, slots=True)
class Choice:
    """Numbers of the trial that is taken and of the one with the best score, and why, in a sentence."""

    taken: int
    best: int
    why: str


@dataclass(frozen=True, slots=True)
class Judges:
    """The validation images: their truth as metrics want it, their groups, and what is measured on them."""

    targets: NDArray[np.integer]
    schema: LabelSchema
    groups: Sequence[str]
    metric: str
    seed: int = 0

    def scored(self, answers: NDArray[np.float32]) -> Scored:
        """Answers beside the truth; the likeliest class is the answer, since thresholds come later."""
        return score(answers, self.targets, self.schema)


def choose(candidates: Sequence[Candidate], judges: Judges) -> Choice:
    """Of the trials whose paired difference to the best one may be chance, the cheapest, and of those the best.

    The best of many is the best by luck as well: a dearer model has to show more than that.
    """
    best = max(candidates, key=lambda one: (one.score, [-cost for cost in map(int, one.cost)], -one.number))
    found = {one.number: _compared(best, one, judges) for one in candidates if one is not best}
    level = [best, *(one for one in candidates if one.number in found and found[one.number].better is None)]
    taken = min(level, key=lambda one: (one.cost, -one.score, one.number))
    return Choice(taken.number, best.number, _why(taken, best, found, len(judges.targets)))


def _compared(best: Candidate, other: Candidate, judges: Judges) -> Comparison:
    scored = [judges.scored(one.answers) for one in (best, other)]
    return compare(*scored, metric=judges.metric, groups=judges.groups, seed=judges.seed)


def _why(taken: Candidate, best: Candidate, found: dict[int, Comparison], n: int) -> str:
    if taken is best:
        apart = sum(one.better is not None for one in found.values())
        others = f"; {apart} of the {len(found)} others are worse by more than chance" if found else ""
        return f"Trial {best.number} was taken: it scored best, {number(best.score)}{others}."
    difference = found[taken.number].difference
    told = "" if difference.low is None else f" (difference {_signed(difference.value)}, {_signed(difference.low)} to "
    told += "" if difference.high is None else f"{_signed(difference.high)})"
    return (
        f"Trial {taken.number} was taken: {number(taken.score)} cannot be told from the {number(best.score)} of trial "
        f"{best.number}, the best, on {n} validation images{told}, and it is cheaper."
    )


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"
