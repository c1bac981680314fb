"""Figures over the images of a window: averages, votes and the update by Bayes' rule.

All of them take observations oldest first and are exact about their edges: what no image supports is None, never 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from tellapart.records.observation import Observation

_CERTAIN = 1e-6
"""Confidences are kept this far from 0 and 1: no single image is proof."""


def confidence_in(one: Observation, label: str) -> float:
    """Of an image; a label that its model does not know has none."""
    return one.confidences.get(label, 0.0)


def answers(one: Observation, label: str, confidence: float | None) -> bool:
    """Whether an image speaks for a label: by the model's own answer, or from a confidence on."""
    if one.unknown:
        return False
    return label in one.predicted if confidence is None else confidence_in(one, label) >= confidence


def abstains(one: Observation, confidence: float | None) -> bool:
    """Whether an image says nothing: unknown, or without an answer where answers count."""
    return one.unknown or (confidence is None and not one.predicted)


def weighted_mean(observations: Sequence[Observation], label: str, weights: Sequence[float]) -> float | None:
    """Average confidence; None where nothing has weight."""
    total = math.fsum(weights)
    if total <= 0:
        return None
    pairs = zip(observations, weights, strict=True)
    return math.fsum(confidence_in(one, label) * weight for one, weight in pairs) / total


def recency(observations: Sequence[Observation], now_s: float, half_life_s: float) -> list[float]:
    """0.5 to the power of the age in half lives."""
    return [0.5 ** (max(0.0, now_s - one.at_s) / half_life_s) for one in observations]


def view_weights(observations: Sequence[Observation], views: Mapping[str, float]) -> list[float]:
    """By the name of the view; 1 where it is not named, or the image has none."""
    return [views.get(one.view or "", 1.0) for one in observations]


def running_average(observations: Sequence[Observation], label: str, alpha: float) -> float | None:
    """m = alpha · newest + (1 - alpha) · m, beginning with the oldest; None without images."""
    average: float | None = None
    for one in observations:
        value = confidence_in(one, label)
        average = value if average is None else alpha * value + (1 - alpha) * average
    return average


def posterior(
    observations: Sequence[Observation], label: str, *, prior: float, trained_at: float, independence: float
) -> float | None:
    """Probability of a label after all images: prior odds times the likelihood ratio of each, tempered by `independence`.

    The ratio of an image is the odds of its confidence over those of `trained_at`, the share that the model assumes. None
    without images.
    """
    if not observations:
        return None
    assumed = _log_odds(trained_at)
    news = math.fsum(_log_odds(confidence_in(one, label)) - assumed for one in observations)
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, _log_odds(prior) + independence * news))))


def majority(observations: Sequence[Observation], *, latest_breaks_ties: bool) -> tuple[str | None, Counter[str]]:
    """The label that most images answer, None where two have the most; and the votes by label."""
    votes = Counter(label for one in observations if not one.unknown for label in one.predicted)
    most = max(votes.values(), default=0)
    leaders = {label for label, n in votes.items() if n == most}
    if len(leaders) == 1:
        return leaders.pop(), votes
    if latest_breaks_ties:
        for one in reversed(observations):
            found = [label for label in one.predicted if label in leaders and not one.unknown]
            if len(found) == 1:
                return found[0], votes
    return None, votes


def _log_odds(p: float) -> float:
    p = min(max(p, _CERTAIN), 1 - _CERTAIN)
    return math.log(p / (1 - p))
