"""From scores of good images to the threshold of a stated false-alarm rate, and what of it can be promised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.objectives import Floats
from tellapart.heads.promises import CONFIDENCE, Groups, Ranking, fewest_for, for_recall


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """The threshold on scores of good images that a model has not seen.

    `allowed` is the share of good images that may be called anomalous, `reached` whether at `threshold` no more are with
    90 % confidence. `promised` is the share that can be promised with it, `n_groups` the independent images behind that,
    `n_needed` how many it takes at least.
    """

    allowed: float
    threshold: float
    reached: bool
    promised: float
    n_groups: int
    n_needed: int

    def to_json(self) -> dict[str, Any]:
        """For the model's card."""
        return {
            "allowed": self.allowed,
            "reached": self.reached,
            "promised": round(self.promised, 4),
            "confidence": CONFIDENCE,
            "groups": self.n_groups,
            "groups_needed": self.n_needed,
        }

    def line(self) -> str:
        """A sentence for people."""
        allowed, sure = f"{100 * self.allowed:g} %", f"{100 * CONFIDENCE:.0f} % confidence"
        if self.reached:
            return (
                f"alarms      at most {allowed} of good images, with {sure}: by {self.n_groups:,} good groups held out"
            )
        few = self.n_groups < self.n_needed
        why = (
            f"it takes {self.n_needed:,} good groups to promise that, there are {self.n_groups:,}"
            if few
            else f"the {self.n_groups:,} good groups held out do not bear it out"
        )
        return (
            f"warning     the threshold is set for {allowed} false alarms, but {why}; with {sure} it can promise at most "
            f"{100 * self.promised:.2g} %"
        )


def check_allowed(allowed: float) -> None:
    """Raise `SettingsError` (`bad_setting`) for a share outside (0, 0.5]."""
    if not 0 < allowed <= 0.5:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the share of false alarms lies above 0 and is at most 0.5, got {allowed:g}: no model that finds anything can "
            "promise none at all; 0.01 is one in a hundred good images",
        )


def choose_threshold(scores: Floats, groups: Groups, allowed: float) -> FalseAlarms:
    """The lowest threshold whose false alarms are promised; where none is, the one that is expected to have so many.

    `scores` (n,) of good images by models that have not seen them, a score of the threshold or more is an alarm; `groups`
    int64 (n,): relatives count as one image. Where no promise can be made, further images are expected to alarm no oftener
    than allowed: by an order statistic, with too few groups for one by the spread of the scores.
    """
    check_allowed(allowed)
    ranking = Ranking.of(-scores.astype(np.float64), np.ones(len(scores), bool), groups, groups)
    place, reached, *_ = for_recall(ranking, 1 - allowed)
    threshold = _above(scores, -ranking.threshold(place)) if reached else _expected(scores, groups, allowed)
    n_groups = ranking.n_actual_groups
    promised = _upper_bound(_alarms(scores, groups, threshold), n_groups)
    return FalseAlarms(allowed, threshold, reached, promised, n_groups, fewest_for(1 - allowed))


def _expected(scores: Floats, groups: Groups, allowed: float) -> float:
    """The threshold that a further image exceeds with this chance, whatever the distribution, where groups suffice for that."""
    shares = _shares(groups)
    n_groups = float(shares.sum())
    # What may alarm of those held out: the next one counts as if it did (Vovk et al. 2005, conformal prediction).
    budget = (n_groups + 1) * allowed - 1
    if budget >= 0:
        order = np.argsort(-scores, kind="stable")
        beyond = int(np.searchsorted(np.cumsum(shares[order]), budget + 1e-9, side="right"))
        return _above(scores[order[beyond:]], float(scores[order[beyond]]))
    from statistics import NormalDist

    logs = np.log(np.maximum(scores.astype(np.float64), 1e-12))
    mean = float(np.average(logs, weights=shares))
    spread = float(np.sqrt(np.average((logs - mean) ** 2, weights=shares)))
    # Mean and spread of few are uncertain themselves: the normal quantile is widened as for a t distribution.
    far = NormalDist().inv_cdf(1 - allowed) * np.sqrt(1 + 1 / n_groups) * (1 + 2 / n_groups)
    return _above(scores, max(float(np.exp(mean + far * spread)), float(scores.max())))


def _above(passing: Floats, threshold: float) -> float:
    """A threshold itself is an alarm: it lies a hair above the highest score that is to pass."""
    return float(threshold if threshold > passing.max() else max(threshold * (1 + 1e-5), 1e-9))


def _alarms(scores: Floats, groups: Groups, threshold: float) -> float:
    """Alarms, in groups: one of which a third of the images alarm counts as a third."""
    return float(_shares(groups)[scores >= threshold].sum())


def _shares(groups: Groups) -> NDArray[np.float64]:
    """Weights (n,) that let each group count as one image."""
    _, inverse, members = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1 / members[inverse], np.float64)


def _upper_bound(alarms: float, n_groups: int) -> float:
    """The largest rate that so few alarms leave possible (Clopper & Pearson 1934)."""
    # Loaded here: only training comes this way.
    from scipy.special import betaincinv

    passed = n_groups - alarms
    return float(betaincinv(alarms + 1, passed, CONFIDENCE)) if passed > 0 else 1.0


def tail_of(scores: NDArray[np.floating[Any]], threshold: float, allowed: float) -> float:
    """How far a score must rise for e times fewer good images to reach it, near the threshold; above 0.

    An exponential tail through the median of the good images and the threshold, which `allowed` of them reach.
    """
    median = float(np.median(scores))
    return max((threshold - median) / float(np.log(0.5 / min(allowed, 0.49))), 1e-3 * threshold)
