"""Scores at growing sizes, with what is unsure about them, and what they promise for more images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tellapart.data.hygiene.wording import count
from tellapart.training.hits import Hits, Ints
from tellapart.training.inverse_power import Doubles, Expected, InversePower

MIN_GROUPS = 10
FARTHEST = 4.0
"""Times the images at hand: nobody should believe a curve beyond."""
# A gain of 0 to 20 points tells nobody what to do; one of 3 to 30 does.
_NOTHING, _MUCH = 0.01, 0.2
_FEWEST_SIZES = 4
# Chi-square of 3 degrees of freedom exceeds 3 × 3.8 by chance once in a hundred.
_MISFIT = 3.8


@dataclass(frozen=True, slots=True)
class Growth:
    """How a score grows with images: `scores` (s,) measured on `sizes` (s,), ascending, with standard `deviations`.

    `n_now` images are at hand, in `n_groups` independent groups. `cannot_tell` says why nothing can be said about more
    images; empty where it can.
    """

    sizes: Doubles
    scores: Doubles
    deviations: Doubles
    n_now: int
    n_groups: int
    curve: InversePower | None
    cannot_tell: str = ""

    @property
    def now(self) -> Expected:
        """The score with all images at hand, a fifth more than were fitted on; raises as `after`."""
        return self.after(0)

    def after(self, more: float) -> Expected:
        """The score with so many more images; never farther than four times the images at hand.

        Raises:
            ValueError: where it cannot be told (see `cannot_tell`), or farther.
        """
        return self._told(more).at(self.n_now + more)

    def gain(self, more: float) -> Expected:
        """By how much so many more images raise the score; raises as `after`."""
        return self._told(more).gain(self.n_now, self.n_now + more)

    def images_for(self, gain: float) -> int | None:
        """The number of further images that buy this much (0.02 are two points); None where four times as many do not."""
        most = int((FARTHEST - 1) * self.n_now)
        if self.cannot_tell or self.gain(most).value < gain:
            return None
        low, high = 0, most
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.gain(middle).value >= gain else (middle, high)
        return high

    def untold(self, why: str) -> Growth:
        """What was measured, without what it promises."""
        return replace(self, curve=None, cannot_tell=why)

    def _told(self, more: float) -> InversePower:
        if self.cannot_tell or self.curve is None:
            raise ValueError(f"this cannot be told: {self.cannot_tell}")
        if not 0 <= more <= (FARTHEST - 1) * self.n_now:
            raise ValueError(f"a curve is followed to {FARTHEST:g} times the {self.n_now} images, got {more} more")
        return self.curve


def nothing_known(n_now: int, why: str) -> Growth:
    """Where nothing was measured."""
    nothing = np.zeros(0)
    return Growth(nothing, nothing, nothing, n_now, 0, None, why)


def growth_of(hits: Hits, columns: Ints, *, n_now: int, n_groups: int) -> Growth:
    """The growth of one class, or of several together, from what was measured; `n_groups` of the class that has fewest."""
    sizes, scores, covariance = hits.sizes(columns), hits.scores(columns), hits.covariance(columns)
    known = np.isfinite(scores) & np.isfinite(np.diag(covariance)) & (sizes > 0)
    known &= np.concatenate([np.diff(sizes) > 0, [True]])
    sizes, scores, covariance = sizes[known], scores[known], covariance[np.ix_(known, known)]
    deviations = np.sqrt(np.diag(covariance))
    why_not = _too_few(n_groups, len(sizes))
    curve = None if why_not else InversePower.of(sizes, scores, covariance)
    if curve is not None:
        why_not = _unsure(curve, n_now)
    return Growth(sizes, scores, deviations, n_now, n_groups, curve, why_not)


def _too_few(n_groups: int, n_sizes: int) -> str:
    if n_groups < MIN_GROUPS:
        return f"it has {count(n_groups, 'independent image')}; {MIN_GROUPS} are the least that make a curve"
    if n_sizes < _FEWEST_SIZES:
        return "its images are too few, or too alike, to take shares of them"
    return ""


def _unsure(curve: InversePower, n_now: int) -> str:
    if curve.misfit > _MISFIT:
        return "its score does not follow a curve that could be continued"
    gain = curve.gain(n_now, 2 * n_now)
    if gain.low < _NOTHING and gain.high > _MUCH:
        return f"twice as many might buy nothing, or {100 * gain.high:.0f} points"
    return ""
