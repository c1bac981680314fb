"""When a precision or a recall may be promised: tests that a choice among many thresholds does not spoil."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.heads.objectives import Doubles

# A precision or recall counts as reached when it holds in at least this share of data sets like the one at hand.
CONFIDENCE = 0.9
_CUTS = 20

Booleans = NDArray[np.bool_]
Groups = NDArray[np.int64]
# Place among the candidates, whether the aim is reached, the value achieved, and the images behind it.
Choice = tuple[int, bool, float, int]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The images that could be answered with one label, the likeliest first.

    `scores` float64 (m,) falling, `actual` bool (m,) whether they are it, `groups` int64 (m,). `actual_groups` int64
    (a,): the groups of all images that are it, of which some may have no chance to be answered with it. `ends` int64
    (c,): candidates, the last place of each run of equal scores, because a threshold cannot part those.
    """

    scores: Doubles
    actual: Booleans
    groups: Groups
    actual_groups: Groups
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Doubles, actual: Booleans, groups: Groups, actual_groups: Groups) -> Ranking:
        """Sort images given in any order."""
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], [True]))
        return cls(ranked, actual[order], groups[order], actual_groups, ends)

    @property
    def true(self) -> NDArray[np.int64]:
        """Right answers at each candidate (c,)."""
        return np.cumsum(self.actual, dtype=np.int64)[self.ends]

    @property
    def answered(self) -> NDArray[np.int64]:
        """Answers at each candidate (c,)."""
        return self.ends + 1

    @property
    def trials(self) -> Doubles:
        """Independent answers at each candidate (c,): groups, in parts where one is answered in part."""
        return np.asarray(np.cumsum(_shares(self.groups))[self.ends])

    @property
    def n_actual_groups(self) -> int:
        """Independent images that are it."""
        return len(np.unique(self.actual_groups))

    def threshold(self, place: int) -> float:
        """Halfway between the last score that is answered at this candidate and the first that is not."""
        last = int(self.ends[place])
        below = self.scores[last + 1] if last + 1 < len(self.scores) else 0.0
        middle = 0.5 * (float(self.scores[last]) + float(below))
        # Neighbours in float32 can be neighbours in float64 as well: then the answered score itself is the threshold.
        return middle if middle > below else float(self.scores[last])


def for_precision(ranking: Ranking, aim: float) -> Choice:
    """The laxest threshold whose precision is promised, by fixed-sequence testing.

    Cut points set by how many examples there are, not by which answers are right, are tested from the strictest on until
    one fails. So the promise is false only if the first cut point that misses the aim passes its own test (Maurer,
    Hothorn & Lehmacher 1995): looking at many costs nothing. Where the first fails, the place of most evidence is
    taken, without a promise.
    """
    weights, trials = _shares(ranking.groups), ranking.trials
    true, answered = ranking.true, ranking.answered
    evidence = _evidence(np.cumsum(weights * ranking.actual)[ranking.ends], trials, aim)
    evidence[true < aim * answered] = 0.0
    cuts = _cuts(trials, ranking.n_actual_groups, aim)
    failed = np.append(evidence[cuts] < _proof(), [True])
    passed = int(np.argmax(failed))
    place = int(cuts[passed - 1]) if passed else int(np.argmax(evidence))
    return place, passed > 0, float(true[place] / answered[place]), int(answered[place])


def first_tested(ranking: Ranking, aim: float) -> int | None:
    """Where `for_precision` begins: the place of its strictest cut point, None where the images are too few for any."""
    cuts = _cuts(ranking.trials, ranking.n_actual_groups, aim)
    return int(cuts[0]) if len(cuts) else None


def for_recall(ranking: Ranking, aim: float) -> Choice:
    """The highest threshold whose recall is promised.

    Recall only grows as the threshold falls, here and in truth, so all thresholds can be tested at once: the promise is
    false only if the test at the one true limit is.
    """
    n_actual, weights = len(ranking.actual_groups), np.zeros(len(ranking.scores))
    groups, members = np.unique(ranking.actual_groups, return_counts=True)
    weights[ranking.actual] = 1 / members[np.searchsorted(groups, ranking.groups[ranking.actual])]
    true = ranking.true
    found = np.cumsum(weights)[ranking.ends]
    evidence = _evidence(found, np.full_like(found, len(groups)), aim)
    passing = np.flatnonzero((evidence >= _proof()) & (true >= aim * n_actual))
    place = int(passing[0]) if passing.size else int(np.argmax(true))
    return place, bool(passing.size), float(true[place] / n_actual), n_actual


def _shares(groups: Groups) -> Doubles:
    """Weights that let each group count as one image, since its images succeed and fail together."""
    _, inverse, members = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1 / members[inverse], np.float64)


def fewest_for(aim: float) -> int:
    """How many independent answers without a mistake it takes to promise this precision."""
    return int(np.ceil(np.log(1 - CONFIDENCE) / np.log(aim)))


def _proof() -> float:
    # A hair less: sums of shares such as 1/6 are not exact.
    return float(-np.log(1 - CONFIDENCE)) - 1e-9


def _cuts(trials: Doubles, n_actual: int, aim: float) -> NDArray[np.int64]:
    """Candidates to test, strictest first: few, so that a single unlucky one seldom ends the walk.

    At the first one error can be afforded where the examples allow it; past the last the aim cannot be met.
    """
    fewest = fewest_for(aim)
    first = float(np.clip(n_actual / 2, fewest, 2 * fewest))
    sizes = np.geomspace(first, max(first, n_actual / aim), _CUTS)
    places = np.unique(np.searchsorted(trials, sizes - 1e-9))
    return np.asarray(places[places < len(trials)], np.int64)


def _evidence(successes: Doubles, trials: Doubles, p: float) -> Doubles:
    """How unlikely so good a rate would be were p the truth: -log of the binomial tail, 0 for rates up to p."""
    # Loaded here: choosing thresholds is part of training, and predicting must start without scipy.
    from scipy.special import betainc

    # The incomplete beta function is the binomial tail for whole numbers and runs smoothly between them.
    failures = np.maximum(trials - successes, 0.0)
    chance = np.maximum(betainc(np.maximum(successes, 1e-9), failures + 1, p), 1e-300)
    return np.where(successes > p * trials, -np.log(chance), 0.0)
