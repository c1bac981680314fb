"""Figures over episodes with intervals: counted per unit, so that all of them share one bootstrap.

The unit is the recorded sequence where there are at least 8 of them. With fewer, it is the true episode with the time until
the next one begins. Shares get Wilson's interval with the sample size that the bootstrap stands for, delays and costs
percentiles of it (`evaluation/intervals.py`), costs over sequences its spread with Student's t, and rates the Poisson
interval in Byar's form, for fewer events the more they come in bursts.

Source: Breslow and Day 1987, Statistical Methods in Cancer Research II, 2.3 (Byar's approximation).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from tellapart.evaluation.episodes import EpisodeOutcome, RunOutcome, SequenceOutcome, Terms
from tellapart.evaluation.intervals import LEVEL, Behind, Estimate, interval, t_quantile, unit_weights, wilson
from tellapart.evaluation.scored import Floats

MIN_SEQUENCES = 8
SECONDS_PER_HOUR = 3600.0


@dataclass(slots=True)
class Resampling:
    """Units with their bootstrap weights (n_resamples, n_units); no weights: no intervals are wanted."""

    n_units: int
    by_sequence: bool
    weights: Floats
    level: float = LEVEL

    @classmethod
    def of(cls, n_units: int, by_sequence: bool, *, n_resamples: int, seed: int, level: float) -> Resampling:
        """The same units and seed give the same weights, so that policies can be compared."""
        drawn = [np.empty((0, n_units))]
        if n_resamples and n_units > 1:
            drawn += [np.asarray(block, np.float64) for block in unit_weights(n_units, n_resamples, seed)]
        return cls(n_units, by_sequence, np.concatenate(drawn), level)

    def share(self, hits: Floats, of: Floats) -> Estimate:
        """Of counts (n_units,) each, such as found among true episodes."""
        n, n_groups = int(of.sum()), self.n_units if self.by_sequence else None
        if not n:
            return Estimate(None, None, None, 0, n_groups)
        value = float(hits.sum() / n)
        if not len(self.weights):
            return Estimate(value, None, None, n, n_groups)
        units = int(np.count_nonzero(of))
        behind = Behind(n, units, float(n), float(units))
        return interval("share", value, self._ratios(hits, of), behind, self.by_sequence, self.level)

    def rate(self, events: Floats, hours: Floats) -> Estimate:
        """Events per hour."""
        n, time = int(events.sum()), float(hours.sum())
        n_groups = self.n_units if self.by_sequence else None
        if time <= 0:
            return Estimate(None, None, None, n, n_groups)
        value = n / time
        if not len(self.weights):
            return Estimate(value, None, None, n, n_groups)
        spread = float(np.nanvar(self._ratios(events, hours))) * time * time
        bursts = max(1.0, spread / n) if n else 1.0
        low, high = byar(n / bursts, self.level)
        return Estimate(value, low * bursts / time, high * bursts / time, n, n_groups, "poisson")

    def mean(self, sums: Floats, of: Floats, *, worst: float) -> Estimate:
        """Of costs per episode or second; `worst` is the highest one that can be."""
        total = float(of.sum())
        n_groups = self.n_units if self.by_sequence else None
        if total <= 0:
            return Estimate(None, None, None, 0, n_groups)
        value, units = float(sums.sum()) / total, int(np.count_nonzero(of))
        if not len(self.weights):
            return Estimate(value, None, None, units, n_groups)
        if not sums.any():  # nothing went wrong: a bootstrap of zeros would claim that nothing ever will
            high = worst * wilson(0.0, units, NormalDist().inv_cdf((1 + self.level) / 2))[1]
            return Estimate(value, 0.0, high, units, n_groups, "wilson")
        drawn = self._ratios(sums, of)
        if not self.by_sequence:
            behind = Behind(units, units, float(units), float(units))
            return interval("cost", value, drawn, behind, False, self.level)
        # Percentiles over a few sequences are too narrow: their spread with Student's t is not.
        spread = math.sqrt(float(np.nanvar(drawn)) * self.n_units / (self.n_units - 1))
        half = t_quantile((1 + self.level) / 2, self.n_units - 1) * spread
        return Estimate(value, max(value - half, 0.0), value + half, units, n_groups, "t")

    def quantile(self, values: Floats, units: Sequence[int], share: float) -> Estimate:
        """The least of `values` that at least `share` of them do not pass."""
        n_groups = self.n_units if self.by_sequence else None
        if not len(values):
            return Estimate(None, None, None, 0, n_groups)
        order = np.argsort(values, kind="stable")
        ranked = values[order]
        value = float(ranked[math.ceil(share * len(ranked) - 1e-9) - 1])
        if not len(self.weights) or len(values) < 2:
            return Estimate(value, None, None, len(values), n_groups)
        reached = np.cumsum(self.weights[:, np.asarray(units)[order]], axis=1)
        drawn = reached[:, -1] > 0
        at = np.sum(reached[drawn] < share * reached[drawn, -1:] - 1e-9, axis=1)
        behind = Behind(len(values), len(set(units)), float(len(values)), float(len(values)))
        return interval("delay", value, ranked[at], behind, self.by_sequence, self.level)

    def _ratios(self, above: Floats, below: Floats) -> Floats:
        total = self.weights @ below
        ratios: Floats = np.divide(self.weights @ above, total, out=np.full(len(total), np.nan), where=total > 0)
        return ratios


def byar(events: float, level: float = LEVEL) -> tuple[float, float]:
    """Interval of a Poisson mean after so many events (may be fractional)."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    low = events * max(1 - 1 / (9 * events) - z / (3 * math.sqrt(events)), 0.0) ** 3 if events > 0 else 0.0
    more = events + 1
    return low, more * (1 - 1 / (9 * more) + z / (3 * math.sqrt(more))) ** 3


@dataclass(slots=True)
class Units:
    """Which unit an instant of a sequence belongs to."""

    by_sequence: bool
    first: list[int] = field(default_factory=list)
    starts: list[list[float]] = field(default_factory=list)
    n: int = 0

    @classmethod
    def of(cls, outcomes: Sequence[SequenceOutcome]) -> Units:
        """Sequences, or true episodes with the time until the next one where there are few sequences."""
        found = cls(len(outcomes) >= MIN_SEQUENCES)
        for one in outcomes:
            found.first.append(found.n)
            found.starts.append([] if found.by_sequence else [e.start_s for e in one.episodes][1:])
            found.n += len(found.starts[-1]) + 1
        return found

    def at(self, sequence: int, at_s: float) -> int:
        """Number of the unit."""
        return self.first[sequence] + bisect_right(self.starts[sequence], at_s)

    def sums(self, sequence: int, times: Floats, values: Floats) -> Floats:
        """(n,) sums of values at rising times of a sequence."""
        where = self.first[sequence] + np.searchsorted(self.starts[sequence], times, side="right")
        return np.asarray(np.bincount(np.asarray(where, np.int64), values, self.n), np.float64)


@dataclass(slots=True)
class Counting:
    """Counts per unit over all sequences of a track."""

    outcomes: Sequence[SequenceOutcome]
    terms: Terms
    units: Units

    def episodes(self, of: Callable[[EpisodeOutcome], bool]) -> Floats:
        """True episodes of a kind."""
        return self._count((k, e.start_s) for k, one in enumerate(self.outcomes) for e in one.episodes if of(e))

    def runs(self, of: Callable[[RunOutcome], bool]) -> Floats:
        """Decided episodes of a kind."""
        return self._count((k, r.run.begin_s) for k, one in enumerate(self.outcomes) for r in one.runs if of(r))

    def flicker(self) -> Floats:
        """Changes that the truth does not explain."""
        return self._count((k, t) for k, one in enumerate(self.outcomes) for t in one.flicker_s)

    def hours(self) -> Floats:
        """Recorded time."""
        total = np.zeros(self.units.n)
        for k, one in enumerate(self.outcomes):
            cuts = np.array([one.start_s, *(t for t in self.units.starts[k] if one.start_s < t < one.end_s), one.end_s])
            total += self.units.sums(k, cuts[:-1], np.diff(cuts))
        return total / SECONDS_PER_HOUR

    def images(self) -> tuple[Floats, Floats]:
        """Instants at which the state was right, and all of them."""
        right, n = np.zeros(self.units.n), np.zeros(self.units.n)
        for k, one in enumerate(self.outcomes):
            right += self.units.sums(k, one.seen_s, one.right.astype(np.float64))
            n += self.units.sums(k, one.seen_s, np.ones(len(one.seen_s)))
        return right, n

    def cost(self) -> Floats:
        """What the confusion matrix costs: a merged episode as one left at rest, and what was decided besides as at rest."""
        total = np.zeros(self.units.n)
        for k, one in enumerate(self.outcomes):
            for e in one.episodes:
                answer = self.terms.rest if e.how == "merged" or e.answer is None else e.answer
                total[self.units.at(k, e.start_s)] += self.terms.cost(e.state, answer)
            for r in one.runs:
                if r.besides:
                    total[self.units.at(k, r.run.begin_s)] += self.terms.cost(self.terms.rest, r.run.state)
        return total

    def time_cost(self) -> Floats:
        """Cost of the state in force times the seconds that it lasted."""
        total = np.zeros(self.units.n)
        for k, one in enumerate(self.outcomes):
            total += self.units.sums(k, one.pieces[:, 0], one.pieces[:, 1])
        return total

    def delays(self, of: Callable[[EpisodeOutcome], bool]) -> tuple[Floats, Floats, list[int]]:
        """Seconds, images and units of the true episodes that a change found."""
        found = [
            (e.delay_s, e.delay_frames, self.units.at(k, e.start_s))
            for k, one in enumerate(self.outcomes)
            for e in one.episodes
            if e.delay_s is not None and of(e)
        ]
        seconds, frames, units = zip(*found, strict=True) if found else ((), (), ())
        return np.array(seconds, np.float64), np.array(frames, np.float64), list(units)

    def _count(self, places: Iterable[tuple[int, float]]) -> Floats:
        total = np.zeros(self.units.n)
        for sequence, at_s in places:
            total[self.units.at(sequence, at_s)] += 1
        return total
