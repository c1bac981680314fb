"""One track of a policy that is tried on made-up images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.decision.engine import Engine
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.settings.policy import Policy, Stable, Track

OTHER = "any other label"
MOST_IMAGES = 200
"""Longer windows are tried with so many images."""
_YET_ANOTHER = "yet another label"
_SURE = 0.99


@dataclass(frozen=True, slots=True)
class Shown:
    """One made-up image: confidences by label and the answer, () for none."""

    confidences: Mapping[str, float]
    predicted: tuple[str, ...]
    unknown: bool = False
    ood_score: float = 0.0
    trigger: str | None = None


class Trial:
    """A single track of a policy that is tried, without what keeps its states from flickering."""

    def __init__(self, policy: Policy, name: str) -> None:
        track = policy.tracks[name]
        self.name, self.track, self.inputs = name, track, tuple(policy.inputs)
        self.policy = policy.model_copy(update={"tracks": {name: track.model_copy(update={"stable": Stable()})}})
        self.groups = policy.groups
        self.labels = _labels(policy, track)

    @property
    def n_images(self) -> int:
        """Images that fill the window."""
        window = self.track.window
        wanted = max([1, *(_wanted(leaf) for rule in self.track.rules for leaf in rule.when.leaves())])
        return min(MOST_IMAGES, window.last if window.last is not None else max(5, wanted + 1))

    def answer(self, label: str, confidence: float = _SURE) -> Shown:
        """An image of which a model says so; a group is shown by its first label."""
        label = self.groups.get(label, (label,))[0]
        rest = next((one for one in self.labels if one != label), OTHER if label != OTHER else _YET_ANOTHER)
        confidences = {label: confidence, rest: max(0.0, 1 - confidence)}
        return Shown(confidences, (label if confidence >= 0.5 else rest,))

    def last(self, shown: Mapping[str, Sequence[Shown]], silent_s: float = 0.0) -> Decision | None:
        """The last decision on images of the inputs, and after some silence; of episodes the result."""
        engine = Engine(self.policy, self.policy.name, began_s=0.0)
        decisions: list[Decision] = []
        end_s = 0.0
        for at_s, instant in self._instants(shown):
            decisions += engine.step(instant)
            end_s = at_s
        if silent_s:
            decisions += engine.until(math.nextafter(end_s + silent_s, math.inf))
        elif not decisions or not decisions[-1].final:
            decisions += engine.close()
        finals = [one for one in decisions if one.final]
        return (finals or decisions)[-1] if decisions else None

    def between_s(self, n_images: int) -> float:
        """Seconds between two images, such that so many lie within the window."""
        window = self.track.window
        if window.item:
            return 0.0
        return 1.0 if window.seconds is None else window.seconds / (n_images + 1)

    def instant(self, number: int, at_s: float, shown: Shown) -> list[Observation]:
        """The same image for every input."""
        return [_observation(name, number, at_s, shown) for name in self.inputs]

    def _instants(self, shown: Mapping[str, Sequence[Shown]]) -> Iterator[tuple[float, list[Observation]]]:
        longest = max((len(images) for images in shown.values()), default=0)
        between_s = self.between_s(longest)
        found = [
            _observation(name, number, (number + longest - len(images)) * between_s, one)
            for name, images in shown.items()
            for number, one in enumerate(self._opened(images))
        ]
        for at_s in sorted({one.at_s for one in found}):
            yield at_s, [one for one in found if one.at_s == at_s]

    def _opened(self, images: Sequence[Shown]) -> Sequence[Shown]:
        """Episodes that a trigger opens get it with the first image."""
        episode = self.track.window.episode
        if episode is None or episode.opens.trigger is None or not images or images[0].trigger is not None:
            return images
        first = images[0]
        opening = Shown(first.confidences, first.predicted, first.unknown, first.ood_score, episode.opens.trigger)
        return [opening, *images[1:]]


def _observation(name: str, number: int, at_s: float, shown: Shown) -> Observation:
    return Observation(
        at_s=at_s,
        input=name,
        id=f"{name}-{number:05}",
        confidences=shown.confidences,
        predicted=shown.predicted,
        unknown=shown.unknown,
        ood_score=shown.ood_score,
        trigger=shown.trigger,
    )


def _labels(policy: Policy, track: Track) -> tuple[str, ...]:
    """Labels that the track names, groups as their first one, and those that inputs declare."""
    named: list[str] = []
    for rule in track.rules:
        for condition in (rule.when, rule.until):
            for leaf in condition.leaves() if condition is not None else ():
                label = getattr(leaf, leaf.kind)
                named += [label] if isinstance(label, str) and leaf.kind != "trigger" else []
    episode = track.window.episode
    if episode is not None:
        named += [one for one in (episode.opens.predicted, episode.closes.predicted) if one]
    named = [policy.groups.get(one, (one,))[0] for one in named]
    declared = [label for one in policy.inputs.values() for label in one.labels]
    return tuple(dict.fromkeys([*named, *declared]))


def _wanted(leaf: Any) -> int:
    """Images that a condition asks for."""
    at_least = leaf.at_least if leaf.kind in ("vote", "undecided") else None
    return max(getattr(leaf, "of", None) or 1, at_least or 1)
