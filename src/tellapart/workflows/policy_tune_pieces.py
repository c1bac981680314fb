"""What a policy is tuned and judged on: recorded sequences, or where there is a single one, stretches of it with gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tellapart.errors import DataError, Reason
from tellapart.evaluation.scored import Floats
from tellapart.records.episode import TrueEpisode
from tellapart.records.observation import Observation

MAX_FOLDS = 5
_MOST_PIECES = 10


@dataclass(frozen=True, slots=True)
class Piece:
    """Images that a policy sees as one sequence, and what was true; `end_s` is when the next image would have come."""

    name: str
    images: Sequence[Observation]
    truth: Sequence[TrueEpisode]
    end_s: float

    @property
    def seen_s(self) -> Floats:
        """The instants at which something was seen, rising."""
        return np.unique([one.at_s for one in self.images])


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is held out at a time: `fold` numbers the pieces from 0, `how` says it in words."""

    pieces: tuple[Piece, ...]
    fold: tuple[int, ...]
    how: str

    @property
    def n_folds(self) -> int:
        """How many there are."""
        return max(self.fold) + 1

    def without(self, fold: int) -> list[int]:
        """Numbers of the pieces that may be learnt from while a fold is held out."""
        return [number for number, one in enumerate(self.fold) if one != fold]


def pieces_of(
    recording: Mapping[str, Sequence[Observation]], labels: Mapping[str, Sequence[TrueEpisode]], *, gap_s: float
) -> Pieces:
    """Whole sequences, or a single one cut between its episodes, `gap_s` of it left out on either side of each cut.

    Raises:
        DataError: `too_few_episodes` where nothing can be held out.
    """
    whole = [_piece(name, recording[name], labels[name]) for name in recording if name in labels and recording[name]]
    n_sequences = len(whole)
    labelled, n_episodes = sum(bool(one.truth) for one in whole), sum(len(one.truth) for one in whole)
    gaps = ""
    if len(whole) == 1:
        whole = _cut(whole[0], gap_s)
        labelled = len(whole)
        gaps = f" with {gap_s:g} s left out on either side of a cut (--gap)" if n_episodes > 1 else ""
        told = f"{len(whole)} stretches of the single sequence with gaps of {2 * gap_s:g} s between them"
    else:
        told = f"{len(whole)} sequences"
    if labelled < 2:
        n_outside = sum(len(labels[name]) for name in recording if name in labels and recording[name]) - n_episodes
        raise DataError(
            Reason.TOO_FEW_EPISODES,
            "tuning needs labelled episodes to choose on and others to validate on: at least two sequences with episodes, or "
            f"one that can be cut between two of them{gaps}; got {n_episodes} episode{'s' * (n_episodes != 1)} in "
            f"{n_sequences} sequence{'s' * (n_sequences != 1)}"
            + f"; {n_outside} lie outside the recorded time"
            * bool(n_outside),
        )
    n_folds = min(labelled, MAX_FOLDS)
    parts = told if n_folds == len(whole) else f"{n_folds} parts of {told}"
    return Pieces(tuple(whole), _folds(whole, n_folds), f"{parts}, one at a time")


def _piece(name: str, images: Sequence[Observation], truth: Sequence[TrueEpisode]) -> Piece:
    times = np.unique([one.at_s for one in images])
    end_s = float(times[-1] + (np.median(np.diff(times)) if len(times) > 1 else 1.0))
    inside = [one for one in truth if one.end_s > times[0] and one.start_s < end_s]
    return Piece(name, images, inside, end_s)


def _folds(pieces: Sequence[Piece], n_folds: int) -> tuple[int, ...]:
    """Dealt out by the number of episodes, most first, there and back: every fold gets about as many."""
    order = sorted(range(len(pieces)), key=lambda i: (-len(pieces[i].truth), i))
    folds = [0] * len(pieces)
    for place, number in enumerate(order):
        turn, seat = divmod(place, n_folds)
        folds[number] = seat if turn % 2 == 0 else n_folds - 1 - seat
    return tuple(folds)


def _cut(whole: Piece, gap_s: float) -> list[Piece]:
    """Between episodes, into stretches with one episode at least; into fewer where the gaps leave nothing of so many."""
    for n in range(min(len(whole.truth), _MOST_PIECES), 1, -1):
        found = _cut_into(n, whole, gap_s)
        if len(found) > 1:
            return found
    return [whole]


def _cut_into(n: int, whole: Piece, gap_s: float) -> list[Piece]:
    """About the same number of episodes each."""
    firsts = [round(len(whole.truth) * i / n) for i in range(n + 1)]
    cuts = [(whole.truth[i - 1].end_s + whole.truth[i].start_s) / 2 for i in firsts[1:-1]]
    edges = [(-np.inf, -np.inf), *((cut - gap_s, cut + gap_s) for cut in cuts), (np.inf, np.inf)]
    found: list[Piece] = []
    for (_, begin_s), (end_s, _) in pairwise(edges):
        images = [one for one in whole.images if begin_s <= one.at_s < end_s]
        if images:
            truth = [one for one in whole.truth if one.end_s > begin_s and one.start_s < end_s]
            found.append(_piece(f"{whole.name} {len(found) + 1}".strip(), images, truth))
    return [one for one in found if one.truth]
