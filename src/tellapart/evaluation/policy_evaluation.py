"""How well decisions agree with labelled episodes, as figures with intervals: per state, per track, per policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tellapart.evaluation.curves import Confusion
from tellapart.evaluation.episode_figures import SECONDS_PER_HOUR, Counting, Resampling, Units
from tellapart.evaluation.episodes import SequenceOutcome, Terms
from tellapart.evaluation.intervals import LEVEL, N_RESAMPLES, Estimate, resample_count
from tellapart.evaluation.plain import to_plain
from tellapart.evaluation.policy_counts import Among, confusion_of
from tellapart.evaluation.scored import Floats


@dataclass(frozen=True, slots=True)
class StateFigures:
    """One state over all sequences.

    `counts`: true episodes `n_true` = `n_found` + `n_merged` + `n_missed`, of the found ones `n_early` and `n_late`; decided
    episodes `n_decided` = `n_right` (found something) + `n_repeated` + `n_false` + `n_asked` + `n_rest`.
    `figures`: recall, precision, false_alarms_per_hour, delay_s_median, delay_s_p90, delay_frames_median, delay_frames_p90.
    """

    state: str
    counts: Mapping[str, int]
    figures: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class TrackEvaluation:
    """One track.

    `figures` are those of a state over all states but the one at rest, and flicker_per_hour, cost (per true episode), time_cost
    (mean cost of the state in force over time; none where it decides at the end of parts) and agreement (share of images).
    `delay_from` is "start", or "end" of the true episode where the track decides at the end of parts. `by_unit` are the counts
    (n_units,) above and below the line of recall, precision, false_alarms_per_hour, flicker_per_hour, cost and agreement.
    """

    track: str
    rest: str
    asking: str | None
    delay_from: str
    states: tuple[StateFigures, ...]
    counts: Mapping[str, int]
    figures: Mapping[str, Estimate]
    total_cost: float
    confusion: Confusion
    sequences: tuple[SequenceOutcome, ...]
    by_unit: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict, repr=False, compare=False)

    def state(self, name: str) -> StateFigures:
        """The figures of a state.

        Raises:
            KeyError: the track has no such state.
        """
        return {one.state: one for one in self.states}[name]


@dataclass(frozen=True, slots=True)
class PolicyEvaluation:
    """A policy on recorded, labelled sequences. `unit` is what the intervals take as independent: "sequence" or "episode".

    `unlabelled` are recorded sequences that the truth does not name: they were left out. `unrecorded` is the other way round.
    `n_outside` are true episodes outside the recorded time of their sequence, which were left out as well.
    """

    policy: str
    hours: float
    n_images: int
    unit: str
    level: float
    n_resamples: int
    seed: int
    tracks: tuple[TrackEvaluation, ...]
    unlabelled: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    n_outside: int = 0

    @property
    def total_cost(self) -> float:
        """Over all tracks and episodes."""
        return sum(one.total_cost for one in self.tracks)

    def track(self, name: str | None = None) -> TrackEvaluation:
        """A track by name, the first where none is given.

        Raises:
            KeyError: the policy has no such track.
        """
        return self.tracks[0] if name is None else {one.track: one for one in self.tracks}[name]

    def to_json(self) -> dict[str, Any]:
        """Plain values: all figures and counts, and the outcome of each episode; not the images one by one."""
        value: dict[str, Any] = {
            "policy": self.policy,
            "hours": round(self.hours, 8),
            "images": self.n_images,
            "unit": self.unit,
            "level": self.level,
            "resamples": self.n_resamples,
            "seed": self.seed,
            "unlabelled": list(self.unlabelled),
            "unrecorded": list(self.unrecorded),
        }
        return value | {"tracks": {one.track: _track_json(one) for one in self.tracks}}


def evaluate_tracks(
    outcomes: Mapping[str, tuple[Terms, Sequence[SequenceOutcome]]],
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    level: float = LEVEL,
) -> tuple[TrackEvaluation, ...]:
    """Figures of each track from what became of its sequences; `n_resamples` 0 leaves the intervals out."""
    found = []
    for name, (terms, sequences) in outcomes.items():
        units = Units.of(sequences)
        fewer = min(n_resamples, resample_count(units.n))  # of very many units, whose intervals are narrow anyway
        drawn = Resampling.of(units.n, units.by_sequence, n_resamples=fewer, seed=seed, level=level)
        found.append(_track(name, Counting(sequences, terms, units), drawn))
    return tuple(found)


def _track(name: str, counting: Counting, drawn: Resampling) -> TrackEvaluation:
    terms, hours = counting.terms, counting.hours()
    states = [_state(name, counting, drawn, hours) for name in _shown(counting)]
    among = Among(lambda e: e.state != terms.rest, lambda r: r.run.state != terms.rest)
    by_unit = {
        **among.by_unit(counting, hours),
        "flicker_per_hour": (counting.flicker(), hours),
        "cost": (counting.cost(), counting.episodes(lambda _: True)),
        "agreement": counting.images(),
    }
    figures, worst = among.figures(counting, drawn, hours), float(terms.costs.max())
    figures["flicker_per_hour"] = drawn.rate(*by_unit["flicker_per_hour"])
    figures["cost"] = drawn.mean(*by_unit["cost"], worst=worst)
    if not terms.at_end:
        figures["time_cost"] = drawn.mean(counting.time_cost(), hours * SECONDS_PER_HOUR, worst=worst)
    figures["agreement"] = drawn.share(*by_unit["agreement"])
    return TrackEvaluation(
        name,
        terms.rest,
        terms.asking,
        "end" if terms.at_end else "start",
        tuple(states),
        among.counts(counting),
        figures,
        float(by_unit["cost"][0].sum()),
        confusion_of(counting),
        tuple(counting.outcomes),
        by_unit,
    )


def _shown(counting: Counting) -> list[str]:
    truly = {e.state for one in counting.outcomes for e in one.episodes}
    decided = {r.run.state for one in counting.outcomes for r in one.runs} - {counting.terms.rest}
    return [state for state in counting.terms.states if state in truly | decided]


def _state(state: str, counting: Counting, drawn: Resampling, hours: Floats) -> StateFigures:
    among = Among(lambda e: e.state == state, lambda r: r.run.state == state)
    return StateFigures(state, among.counts(counting), among.figures(counting, drawn, hours))


def _track_json(track: TrackEvaluation) -> dict[str, Any]:
    return {
        "rest": track.rest,
        "asking": track.asking,
        "delayFrom": track.delay_from,
        "counts": dict(track.counts),
        "figures": to_plain(dict(track.figures)),
        "totalCost": round(track.total_cost, 8),
        "states": {
            one.state: {"counts": dict(one.counts), "figures": to_plain(dict(one.figures))} for one in track.states
        },
        "confusion": to_plain(track.confusion),
        "sequences": [_sequence_json(one) for one in track.sequences],
    }


def _sequence_json(one: SequenceOutcome) -> dict[str, Any]:
    return {
        "sequence": one.name,
        "start": round(one.start_s, 6),
        "end": round(one.end_s, 6),
        "images": len(one.seen_s),
        "right": int(one.right.sum()),
        "episodes": [to_plain(e) for e in one.episodes],
        "decided": [
            {"state": r.run.state, "start": round(r.run.begin_s, 6), "end": round(r.run.end_s, 6), "was": r.was}
            for r in one.runs
        ],
        "flicker": [round(t, 6) for t in one.flicker_s],
    }
