"""Conditions on a figure over the images of a window; unknown images do not count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tellapart.decision import figures
from tellapart.decision.bounds import told, within
from tellapart.decision.figures import Names
from tellapart.decision.verdict import Verdict, Why
from tellapart.decision.view import View
from tellapart.decision.votes import of_enough
from tellapart.records.observation import Observation

_Value = Callable[[Any, Names, Sequence[Observation]], float | None]


def of_figure(name: str, called: str, value_of: _Value) -> Callable[[Any, Names, View], Verdict]:
    """A judge of a figure; where no image counts it does not hold."""

    def judged(one: Any, names: Names, view: View) -> Verdict:
        seen = view.of(one.input)
        images = [i for i in seen if not i.unknown]
        value = value_of(one, names, images)
        if value is None:
            unknown = bool(seen) and not images
            return Verdict(False, lambda: Why("all images are unknown" if unknown else "no image counts"))

        def because() -> Why:
            over = f"{len(images)} image{'s' * (len(images) != 1)}"
            return Why(f"{called} of {getattr(one, name)!r} over {over} is {told(one, value)}", images)

        return of_enough(one, images, Verdict(within(one, value), because))

    return judged


def highest(_: Any, names: Names, images: Sequence[Observation]) -> float | None:
    """The highest confidence."""
    return max((figures.confidence_in(i, names) for i in images), default=None)


def mean(one: Any, names: Names, images: Sequence[Observation]) -> float | None:
    """The weighted average; several weights are multiplied."""
    weights = figures.view_weights(images, one.views)
    for named in one.weights:
        weights = [a * b for a, b in zip(weights, _weights(named, one, images), strict=True)]
    return figures.weighted_mean(images, names, weights)


def running(one: Any, names: Names, images: Sequence[Observation]) -> float | None:
    """The exponential running average."""
    return figures.running_average(images, names, one.alpha)


def bayes(one: Any, names: Names, images: Sequence[Observation]) -> float | None:
    """The probability after all images."""
    return figures.posterior(images, names, prior=one.prior, trained_at=one.trained_at, independence=one.independence)


def _weights(named: str, one: Any, images: Sequence[Observation]) -> Sequence[float]:
    if named == "quality":
        return [1.0 if i.quality is None else i.quality for i in images]
    if named == "confidence":
        return [max(i.confidences.values(), default=0.0) for i in images]
    if named == "recency":
        return figures.recency(images, one.half_life_s)
    return [1.0] * len(images)
