"""Figures over the images of a window: averages, votes and the update by Bayes' rule.

All of them take observations oldest first and are exact about their edges: what no image supports is None, never 0. A label
comes as the `names` that count as it: itself, or the members of a group.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from tellapart.records.observation import Observation

_CERTAIN = 1e-6
"""Confidences are kept this far from 0 and 1: no single image is proof."""
Names = tuple[str, ...]


def confidence_in(one: Observation, names: Names) -> float:
    """Of an image: the sum over the names, 1 at most; a label that its model does not know has none."""
    if len(names) == 1:
        return one.confidences.get(names[0], 0.0)
    return min(1.0, math.fsum(one.confidences.get(name, 0.0) for name in names))


def answered(one: Observation, names: Names) -> bool:
    """Whether the model's own answer is one of the names."""
    if one.unknown:
        return False
    return names[0] in one.predicted if len(names) == 1 else not set(names).isdisjoint(one.predicted)


def answers(one: Observation, names: Names, confidence: float | None) -> bool:
    """Whether an image speaks for a label: by the model's own answer, or from a confidence on."""
    if confidence is None:
        return answered(one, names)
    return not one.unknown and rounded(confidence_in(one, names)) >= confidence


def abstains(one: Observation, confidence: float | None) -> bool:
    """Whether an image says nothing: unknown, or without an answer where answers count."""
    return one.unknown or (confidence is None and not one.predicted)


def rounded(figure: float) -> float:
    """To nine decimals: an average of three times 0.6 is 0.6, though its sum in binary is not."""
    return round(figure, 9)


def weighted_mean(observations: Sequence[Observation], names: Names, weights: Sequence[float]) -> float | None:
    """Average confidence; None where nothing has weight."""
    total = math.fsum(weights)
    if total <= 0:
        return None
    pairs = zip(observations, weights, strict=True)
    return math.fsum(confidence_in(one, names) * weight for one, weight in pairs) / total


def recency(observations: Sequence[Observation], half_life_s: float) -> list[float]:
    """0.5 to the power of the age in half lives, where the newest image has age 0: an average is the same at any later time."""
    newest_s = max((one.at_s for one in observations), default=0.0)
    return [0.5 ** ((newest_s - one.at_s) / half_life_s) for one in observations]


def view_weights(observations: Sequence[Observation], views: Mapping[str, float]) -> list[float]:
    """By the name of the view; 1 where it is not named, or the image has none."""
    return [views.get(one.view or "", 1.0) for one in observations]


def running_average(observations: Sequence[Observation], names: Names, alpha: float) -> float | None:
    """m = alpha · newest + (1 - alpha) · m, beginning with the oldest; None without images."""
    average: float | None = None
    for one in observations:
        value = confidence_in(one, names)
        average = value if average is None else alpha * value + (1 - alpha) * average
    return average


def posterior(
    observations: Sequence[Observation], names: Names, *, prior: float, trained_at: float, independence: float
) -> float | None:
    """Probability of a label after all images: prior odds times the likelihood ratio of each, tempered by `independence`.

    The ratio of an image is the odds of its confidence over those of `trained_at`, the share that the model assumes. None
    without images.
    """
    if not observations:
        return None
    assumed = _log_odds(trained_at)
    said = (min(max(confidence_in(one, names), _CERTAIN), 1 - _CERTAIN) for one in observations)
    news = math.fsum(_log_odds(p) - assumed for p in said)
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, _log_odds(prior) + independence * news))))


def voted(observations: Sequence[Observation], names: Names, label: str) -> list[str]:
    """What images answer, oldest first; an image has one vote for `label`, which the names count as."""
    if len(names) == 1:
        return [answer for one in observations if not one.unknown for answer in one.predicted]
    return [answer for one in observations for answer in _grouped(one, names, label)]


def leads(
    observations: Sequence[Observation], names: Names, label: str, votes: Sequence[str], *, latest_breaks_ties: bool
) -> bool:
    """Whether `label` has the most votes; of several with the most none has, or the one that was answered last."""
    mine = votes.count(label)
    if not mine or 2 * mine > len(votes):
        return mine > 0  # more than all others together
    counts = Counter(votes)
    leaders = {name for name, n in counts.items() if n == max(counts.values())}
    if len(leaders) == 1 or label not in leaders or not latest_breaks_ties:
        return leaders == {label}
    for one in reversed(observations):
        found = leaders.intersection(_grouped(one, names, label))
        if len(found) == 1:
            return label in found
    return False


def _grouped(one: Observation, names: Names, label: str) -> set[str]:
    """What an image has a vote for, each once."""
    return set() if one.unknown else {label if name in names else name for name in one.predicted}


def _log_odds(p: float) -> float:
    return math.log(p / (1 - p))
