"""A policy on recorded, labelled sequences: how many episodes it finds, how soon, and what it raises for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tellapart.decision.engine import Engine
from tellapart.errors import DataError, Reason, SettingsError, SpecError
from tellapart.evaluation.episode_figures import MIN_SEQUENCES, SECONDS_PER_HOUR
from tellapart.evaluation.episode_matching import judge_sequence
from tellapart.evaluation.episodes import SequenceOutcome, Terms, cost_matrix, decided_runs
from tellapart.evaluation.intervals import LEVEL, N_RESAMPLES
from tellapart.evaluation.policy_evaluation import PolicyEvaluation, evaluate_tracks
from tellapart.records.decision import Decision
from tellapart.records.episode import TrueEpisode
from tellapart.records.observation import Observation
from tellapart.settings.policy_file import identity

Recording = Mapping[str, Sequence[Observation]]
Labelled = Mapping[str, Sequence[TrueEpisode]]


def evaluate_policy(
    policy: Any,
    recording: Recording,
    truth: Labelled,
    *,
    rest: str | None = None,
    late_s: float = 0.0,
    seed: int = 0,
    intervals: bool = True,
    level: float = LEVEL,
) -> PolicyEvaluation:
    """Run a policy over recorded sequences and compare it with what is labelled.

    Sequences that the truth does not name are left out, and so are true episodes outside the recorded time. `rest` is the
    state that is true where nothing is labelled, without it the state outside of episodes or the fallback. `late_s` is how
    long after a true episode its state still counts as found. `intervals` False leaves them out, which is faster.

    Raises:
        DataError: `dataset_empty` where no sequence is both recorded and labelled.
        SpecError: `bad_policy` for a state or track in the truth that the policy does not have.
        SettingsError: `bad_setting` for a negative `late_s`, or a `rest` that is no state of the policy.
    """
    names = [name for name in recording if name in truth and len(recording[name])]
    decided = {name: decide(policy, recording[name], name) for name in names}
    return evaluate_decisions(
        policy, recording, decided, truth, rest=rest, late_s=late_s, seed=seed, intervals=intervals, level=level
    )


def evaluate_decisions(
    policy: Any,
    recording: Recording,
    decided: Mapping[str, Sequence[Decision]],
    truth: Labelled,
    *,
    rest: str | None = None,
    late_s: float = 0.0,
    seed: int = 0,
    intervals: bool = True,
    level: float = LEVEL,
) -> PolicyEvaluation:
    """`evaluate_policy` for decisions that are there already: those of each sequence, for each image, in order."""
    _check(policy, rest, late_s)
    names = [name for name in recording if name in decided and name in truth and len(recording[name])]
    if not names:
        raise DataError(Reason.DATASET_EMPTY, _nothing_in_common(recording, truth))
    by_track = labels_by_track(policy, {name: truth[name] for name in names})
    seen = {name: np.unique([one.at_s for one in recording[name]]) for name in names}
    ends = _ends(seen)
    outcomes: dict[str, tuple[Terms, list[SequenceOutcome]]] = {}
    for track, labels in by_track.items():
        terms = terms_of(policy.tracks[track], labels, rest=rest, late_s=late_s)
        outcomes[track] = terms, []
        for name in names:
            times = {one.id: one.at_s for one in recording[name]}
            runs = decided_runs((one for one in decided[name] if one.track == track), times, ends[name])
            outcomes[track][1].append(
                judge_sequence(runs, labels[name], terms, seen_s=seen[name], end_s=ends[name], name=name)
            )
    tracks = evaluate_tracks(outcomes, seed=seed, n_resamples=N_RESAMPLES if intervals else 0, level=level)
    return PolicyEvaluation(
        identity(policy),
        sum(ends[name] - float(seen[name][0]) for name in names) / SECONDS_PER_HOUR,
        sum(map(len, seen.values())),
        "sequence" if len(names) >= MIN_SEQUENCES else "episode",
        level,
        N_RESAMPLES if intervals else 0,
        seed,
        tracks,
        tuple(name for name in recording if name not in truth),
        tuple(name for name in truth if name not in recording),
        sum(e.end_s <= seen[name][0] or e.start_s >= ends[name] for name in names for e in truth[name]),
    )


def decide(policy: Any, observations: Sequence[Observation], sequence: str = "") -> list[Decision]:
    """All decisions over one recorded sequence, which must be sorted by time; the sequence is their subject."""
    return list(Engine(policy, identity(policy), sequence).run(observations))


def terms_of(track: Any, labels: Labelled, *, rest: str | None = None, late_s: float = 0.0) -> Terms:
    """How a track is judged: what is true between the labels, what stands for no answer, and what errors cost.

    `rest` counts for tracks that have such a state.
    """
    states = tuple(track.states)
    at_rest: str = rest if rest is not None and rest in states else track.outside or track.fallback
    named = {one.state for episodes in labels.values() for one in episodes}
    asking = track.fallback if track.fallback not in named and track.fallback != at_rest else None
    costs = cost_matrix(states, track.costs)
    if asking is not None and asking not in track.costs.get(at_rest, {}):
        costs[states.index(at_rest), states.index(asking)] = 0.0  # a question about nothing harms nobody
    at_end = track.window.episode is not None and track.window.episode.decides == "at_end"
    return Terms(states, at_rest, costs, asking, track.outside, at_end, late_s, at_rest in named)


def states_of(policy: Any) -> tuple[str, ...]:
    """The states of all tracks, each once."""
    return tuple(dict.fromkeys(state for track in policy.tracks.values() for state in track.states))


def _check(policy: Any, rest: str | None, late_s: float) -> None:
    if not late_s >= 0:
        raise SettingsError(
            Reason.BAD_SETTING, f"how late a state may come is a number of seconds from 0, got {late_s:g}"
        )
    states = states_of(policy)
    if rest is not None and rest not in states:
        raise SettingsError(
            Reason.BAD_SETTING, f"the state at rest, {rest!r}, is none of the policy's states: {_listed(states)}"
        )


def labels_by_track(policy: Any, truth: Labelled) -> dict[str, dict[str, list[TrueEpisode]]]:
    """The truth of each track by sequence; an episode that names no track belongs to the only one with its state.

    Tracks that the truth says nothing of are left out.

    Raises:
        SpecError: `bad_policy` for a state or track that the policy does not have, or a state that several tracks have.
    """
    found: dict[str, dict[str, list[TrueEpisode]]] = {}
    for sequence, episodes in truth.items():
        for one in episodes:
            found.setdefault(_track_of(policy, one), {}).setdefault(sequence, []).append(one)
    return {
        name: {sequence: sorted(found[name].get(sequence, [])) for sequence in truth}
        for name in policy.tracks
        if name in found
    }


def _track_of(policy: Any, one: TrueEpisode) -> str:
    having = [name for name, track in policy.tracks.items() if one.state in track.states]
    if one.track:
        having = [name for name in having if name == one.track]
    if len(having) == 1:
        return str(having[0])
    where = f"the truth at {one.start_s:g} s names"
    if one.track and one.track not in policy.tracks:
        told = (
            f"{where} the track {one.track!r}, which the policy does not have; its tracks are {_listed(policy.tracks)}"
        )
    elif having:
        told = f"{where} the state {one.state!r}, which the tracks {_listed(having)} have: name the track as well"
    else:
        known = _listed(states_of(policy))
        told = f"{where} the state {one.state!r}, which the policy does not have; its states are {known}"
    raise SpecError(Reason.BAD_POLICY, told)


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names))


def _ends(seen: Mapping[str, Any]) -> dict[str, float]:
    """A sequence ends when the next image would have come: after the median time between its own, or all, images."""
    steps = {name: np.diff(times) for name, times in seen.items()}
    every = np.concatenate([*steps.values(), []])
    usual = float(np.median(every)) if len(every) else 1.0
    return {
        name: float(times[-1]) + (float(np.median(steps[name])) if len(steps[name]) else usual)
        for name, times in seen.items()
    }


def _nothing_in_common(recording: Recording, truth: Labelled) -> str:
    return (
        "no sequence is both recorded and labelled: recorded are "
        f"{_listed(list(recording)[:5]) or 'none'}, labelled {_listed(list(truth)[:5]) or 'none'}"
    )
