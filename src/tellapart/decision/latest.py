"""Conditions on the latest image of an input. Without an image none of them holds; an unknown one tells nothing of labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tellapart.decision import figures
from tellapart.decision.bounds import told, within
from tellapart.decision.figures import Names
from tellapart.decision.verdict import Verdict, Why
from tellapart.decision.view import View
from tellapart.records.observation import Observation

_Told = tuple[bool, Callable[[], str]]
_Found = Callable[[Any, Names, Observation], _Told]


def of_latest(found: _Found) -> Callable[[Any, Names, View], Verdict]:
    """A judge of the latest image alone."""

    def judged(one: Any, names: Names, view: View) -> Verdict:
        images = view.of(one.input)
        if not images:
            return Verdict(False, lambda: Why("there is no image"))
        image = images[-1]
        holds, because = found(one, names, image)
        return Verdict(holds, lambda: Why(because(), [image]))

    return judged


def confidence(one: Any, names: Names, image: Observation) -> _Told:
    """How sure it is of a label."""
    value = figures.confidence_in(image, names)
    return within(one, value) and not image.unknown, lambda: _known(
        image, f"the confidence in {one.confidence!r} is {told(one, value)}"
    )


def margin(one: Any, _: Names, image: Observation) -> _Told:
    """How far the likeliest label is ahead."""
    first, second, *_rest = [*sorted(image.confidences.values(), reverse=True), 0.0, 0.0]
    return within(one, first - second) and not image.unknown, lambda: _known(
        image, f"the likeliest label is ahead by {told(one, first - second)}"
    )


def strangeness(one: Any, _: Names, image: Observation) -> _Told:
    """The OOD score."""
    return within(one, image.ood_score), lambda: f"the OOD score is {told(one, image.ood_score)}"


def predicted(_: Any, names: Names, image: Observation) -> _Told:
    """The model's answer."""
    return figures.answered(image, names), lambda: f"the answer is {_said(image)}"


def unknown(one: Any, _: Names, image: Observation) -> _Told:
    """Whether it is like nothing the model knows."""
    so = "" if image.unknown else "not "
    return image.unknown is one.unknown, lambda: f"the image is {so}unlike the training images"


def trigger(one: Any, _: Names, image: Observation) -> _Told:
    """What a machine said with it."""
    said = f"the trigger is {image.trigger!r}" if image.trigger is not None else "there is no trigger"
    return image.trigger == one.trigger, lambda: said


def _said(image: Observation) -> str:
    return "unknown" if image.unknown else " + ".join(map(repr, image.predicted)) or "not sure"


def _known(image: Observation, because: str) -> str:
    return f"{because}, but the image is unknown" if image.unknown else because
