"""Two policies on the same recorded, labelled sequences, compared in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.paired_rates import paired_rate
from tellapart.evaluation.plain import to_plain
from tellapart.evaluation.policy_evaluation import PolicyEvaluation, TrackEvaluation

_MORE_IS_BETTER = {
    "recall": True,
    "false_alarms_per_hour": False,
    "flicker_per_hour": False,
    "cost": False,
    "agreement": True,
}


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """A figure of one track: `difference` is the other policy's less the first one's, with its paired interval.

    `better` is "first" or "other", None where the difference may be chance.
    """

    track: str
    figure: str
    first: float
    other: float
    difference: Estimate
    better: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        value: dict[str, Any] = to_plain(self)
        return value


def compare_policies(first: PolicyEvaluation, other: PolicyEvaluation) -> tuple[PolicyDifference, ...]:
    """Figures that share what they are counted over: the same true episodes, hours and images. Precision is none of them,
    and where two policies have other tracks or other states at rest, nothing is compared."""
    theirs = {one.track: one for one in other.tracks}
    return tuple(
        found
        for track in first.tracks
        if track.track in theirs
        for figure in _MORE_IS_BETTER
        if (found := _difference(track, theirs[track.track], figure, first.level)) is not None
    )


def _difference(first: TrackEvaluation, other: TrackEvaluation, figure: str, level: float) -> PolicyDifference | None:
    (before, of), (after, theirs) = first.by_unit[figure], other.by_unit[figure]
    if not np.array_equal(of, theirs) or not of.any():
        return None
    difference = paired_rate(before, after, of, level=level)
    total = float(of.sum())
    better = None
    if difference.low is not None and difference.high is not None and (difference.low > 0 or difference.high < 0):
        better = "other" if (difference.low > 0) is _MORE_IS_BETTER[figure] else "first"
    return PolicyDifference(
        first.track, figure, float(before.sum()) / total, float(after.sum()) / total, difference, better
    )
