"""What no count of episodes shows: changes without a reason, images in the wrong state, and what wrong seconds cost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tellapart.evaluation.episodes import EpisodeOutcome, Labelled, Run, RunOutcome, Terms
from tellapart.evaluation.scored import Bools, Floats


def flicker(outcomes: Sequence[RunOutcome], labelled: Labelled) -> list[float]:
    """Times of changes that the truth does not explain: those that neither find something, nor go to what is true for the
    first time since it is, nor back to it after something was found."""
    times: list[float] = []
    left_s: dict[str, float] = {}
    for before, one in pairwise(outcomes):
        left_s[before.run.state] = before.run.end_s
        if before.run.state == one.run.state or one.was == "found":
            continue
        stretch = labelled.stretches[labelled.stretch_at(one.run.begin_s)]
        again = left_s.get(one.run.state, float("-inf")) >= stretch.start_s and before.was != "found"
        if stretch.state != one.run.state or again:
            times.append(one.run.begin_s)
    return times


def images_right(
    outcomes: Sequence[RunOutcome],
    episodes: Sequence[EpisodeOutcome],
    labelled: Labelled,
    terms: Terms,
    seen_s: Floats,
) -> Bools:
    """(n,) whether the state in force was the true one; images of a part take what became of it where it is decided later."""
    if terms.at_end:
        return _right_of_parts(outcomes, episodes, terms, seen_s)
    codes = {state: code for code, state in enumerate(terms.states)}
    true = np.array([codes[one.state] for one in labelled.stretches])
    decided = np.array([-1, *(codes[one.run.state] for one in outcomes)])
    at = np.searchsorted([one.run.begin_s for one in outcomes], seen_s, side="right")
    where = np.maximum(np.searchsorted(labelled.starts, seen_s, side="right") - 1, 0)
    return np.asarray(true[where] == decided[at])


def _right_of_parts(
    outcomes: Sequence[RunOutcome],
    episodes: Sequence[EpisodeOutcome],
    terms: Terms,
    seen_s: Floats,
) -> Bools:
    """Images take the result of the part that they belong to; between parts they are right where nothing was made of them."""
    right = np.ones(len(seen_s), dtype=bool)
    for one in outcomes:
        times = one.run.evidence_s
        if one.run.final and times and one.run.state != terms.rest and one.actual == terms.rest:
            first = np.searchsorted(seen_s, min(times))
            right[first : np.searchsorted(seen_s, max(times), side="right")] = False
    for episode in episodes:
        right[slice(*np.searchsorted(seen_s, (episode.start_s, episode.end_s)))] = episode.how == "found"
    return right


def wrong_pieces(runs: Sequence[Run], labelled: Labelled, terms: Terms, start_s: float, end_s: float) -> Floats:
    """(n, 2) times and costs in seconds of what was decided from then on, cut where the truth or the decision changes."""
    codes = {state: code for code, state in enumerate(terms.states)}
    begins = np.array([run.begin_s for run in runs])
    cuts = np.unique(np.concatenate([begins, labelled.starts, [one.start_s for one in labelled.episodes], [end_s]]))
    cuts = cuts[(cuts >= start_s) & (cuts <= end_s)]
    at = np.searchsorted(begins, cuts[:-1], side="right") - 1
    where = np.maximum(np.searchsorted(labelled.starts, cuts[:-1], side="right") - 1, 0)
    decided = np.array([codes[run.state] for run in runs])
    true = np.array([codes[one.state] for one in labelled.stretches])
    costs = terms.costs[true[where], decided[at]] * np.diff(cuts)
    return np.stack([cuts[:-1], np.where(at < 0, 0.0, costs)], axis=1)
