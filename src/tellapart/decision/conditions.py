"""Does a condition of a policy hold for the images of a window? One function for each kind of condition.

Conditions are read by their fields, not by their class: this room loads no pydantic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.decision import figures
from tellapart.decision.verdict import Verdict, joined
from tellapart.records.observation import Observation


@dataclass(frozen=True, slots=True)
class View:
    """What a rule sees at one instant: the images of the window by input, oldest first, the time, and when each input was
    last heard (`began_s` where it never was)."""

    images: Mapping[str, Sequence[Observation]]
    now_s: float
    heard_s: Mapping[str, float]
    began_s: float

    def of(self, name: str | None) -> Sequence[Observation]:
        """The images of an input; None means the only one."""
        return self.images.get(name or next(iter(self.images), ""), ())

    def silence(self, name: str | None) -> float:
        """Seconds since an input was heard."""
        return self.now_s - self.heard_s.get(name or next(iter(self.images), ""), self.began_s)


def judge(condition: Any, view: View) -> Verdict:
    """The verdict for one condition, with those inside it."""
    return _JUDGES[kind(condition)](condition, view)


def kind(condition: Any) -> str:
    """Which kind of condition it is: the field that only this kind has."""
    return next(name for name in _JUDGES if hasattr(condition, name))


def _all_of(one: Any, view: View) -> Verdict:
    parts = [judge(part, view) for part in one.all_of]
    against = [part for part in parts if not part]
    return Verdict(not against, *joined(against or parts, "and"))


def _one_of(one: Any, view: View) -> Verdict:
    parts = [judge(part, view) for part in one.one_of]
    speaking = [part for part in parts if part]
    return Verdict(bool(speaking), *joined(speaking or parts, "and"))


def _none_of(one: Any, view: View) -> Verdict:
    parts = [judge(part, view) for part in one.none_of]
    against = [part for part in parts if part]
    return Verdict(not against, *joined(against or parts, "and"))


def _silent(one: Any, view: View) -> Verdict:
    silence = view.silence(one.input)
    return Verdict(silence >= one.silent_s, f"no image for {silence:.1f} s ({one.silent_s:g} s count as silence)")


def _latest(found: Callable[[Any, Observation], tuple[bool, str]]) -> Callable[[Any, View], Verdict]:
    """A judge of the latest image alone; without an image nothing holds."""

    def judged(one: Any, view: View) -> Verdict:
        images = view.of(one.input)
        if not images:
            return Verdict(False, "there is no image")
        holds, because = found(one, images[-1])
        return Verdict(holds, because, (images[-1].id,))

    return judged


def _confidence(one: Any, image: Observation) -> tuple[bool, str]:
    value = figures.confidence_in(image, one.confidence)
    return _within(one, value) and not image.unknown, f"the confidence in {one.confidence!r} is {_told(one, value)}"


def _margin(one: Any, image: Observation) -> tuple[bool, str]:
    first, second, *_ = [*sorted(image.confidences.values(), reverse=True), 0.0, 0.0]
    return _within(one, first - second), f"the likeliest label is ahead by {_told(one, first - second)}"


def _strangeness(one: Any, image: Observation) -> tuple[bool, str]:
    return _within(one, image.ood_score), f"the OOD score is {_told(one, image.ood_score)}"


def _predicted(one: Any, image: Observation) -> tuple[bool, str]:
    said = " + ".join(map(repr, image.predicted)) or ("unknown" if image.unknown else "not sure")
    return one.predicted in image.predicted, f"the answer is {said}"


def _unknown(one: Any, image: Observation) -> tuple[bool, str]:
    return image.unknown is one.unknown, f"the image is {'' if image.unknown else 'not '}unlike the training images"


def _triggered(one: Any, image: Observation) -> tuple[bool, str]:
    return image.trigger == one.trigger, f"the trigger is {image.trigger!r}"


def _vote(one: Any, view: View) -> Verdict:
    images = view.of(one.input)
    voters = [i for i in images if one.abstain == "count" or not figures.abstains(i, one.confidence)]
    votes = [i for i in voters if figures.answers(i, one.vote, one.confidence)]
    needed = one.at_least if one.share is None else None
    enough = len(votes) >= needed if needed is not None else bool(voters) and len(votes) >= one.share * len(voters)
    wanted = f"{needed} needed" if needed is not None else f"{one.share:.0%} needed"
    because = f"{len(votes)} of {len(voters)} images vote for {one.vote!r}, {wanted}"
    return _of_enough(one, voters, Verdict(enough, because, _ids(votes or voters)))


def _majority(one: Any, view: View) -> Verdict:
    images = view.of(one.input)
    leader, votes = figures.majority(images, latest_breaks_ties=one.tie == "latest")
    told = ", ".join(f"{label!r} {n}" for label, n in sorted(votes.items(), key=lambda pair: (-pair[1], pair[0])))
    voters = [i for i in images if not i.abstains]
    voting = [i for i in voters if one.majority in i.predicted]
    verdict = Verdict(leader == one.majority, f"the votes are {told or 'none'}", _ids(voting or voters))
    return _of_enough(one, voters, verdict)


def _any(one: Any, view: View) -> Verdict:
    images = view.of(one.input)
    found = [i for i in images if figures.answers(i, one.any, one.confidence)]
    because = f"{len(found)} of {len(images)} images show {one.any!r}, one is enough"
    return _of_enough(one, images, Verdict(bool(found), because, _ids(found or images)))


def _every(one: Any, view: View) -> Verdict:
    images = view.of(one.input)
    found = [i for i in images if figures.answers(i, one.every, one.confidence)]
    because = f"{len(found)} of {len(images)} images show {one.every!r}, all must"
    holds = bool(images) and len(found) == len(images)
    return _of_enough(one, images, Verdict(holds, because, _ids(images)))


def _figure(name: str, told: str, value_of: Callable[[Any, Sequence[Observation], View], float | None]) -> _Judge:
    """A judge of a figure over the images that are not unknown."""

    def judged(one: Any, view: View) -> Verdict:
        images = [i for i in view.of(one.input) if not i.unknown]
        value = value_of(one, images, view)
        if value is None:
            return Verdict(False, "no image counts")
        because = f"{told} of {getattr(one, name)!r} over {len(images)} images is {_told(one, value)}"
        return _of_enough(one, images, Verdict(_within(one, value), because, _ids(images)))

    return judged


def _mean(one: Any, images: Sequence[Observation], view: View) -> float | None:
    weights = figures.view_weights(images, one.views)
    own = _image_weights(one, images, view)
    return figures.weighted_mean(images, one.mean, [a * b for a, b in zip(weights, own, strict=True)])


def _image_weights(one: Any, images: Sequence[Observation], view: View) -> Sequence[float]:
    if one.weights == "quality":
        return [1.0 if i.quality is None else i.quality for i in images]
    if one.weights == "confidence":
        return [max(i.confidences.values(), default=0.0) for i in images]
    if one.weights == "recency":
        return figures.recency(images, view.now_s, one.half_life_s)
    return [1.0] * len(images)


def _highest(one: Any, images: Sequence[Observation], _: View) -> float | None:
    return max((figures.confidence_in(i, one.max) for i in images), default=None)


def _running(one: Any, images: Sequence[Observation], _: View) -> float | None:
    return figures.running_average(images, one.running, one.alpha)


def _bayes(one: Any, images: Sequence[Observation], _: View) -> float | None:
    return figures.posterior(
        images, one.bayes, prior=one.prior, trained_at=one.trained_at, independence=one.independence
    )


def _of_enough(one: Any, images: Sequence[Observation], verdict: Verdict) -> Verdict:
    if one.of is None or len(images) >= one.of:
        return verdict
    return Verdict(False, f"{len(images)} images count so far, {one.of} needed", _ids(images))


def _within(one: Any, value: float) -> bool:
    return (one.at_least is None or value >= one.at_least) and (one.below is None or value < one.below)


def _told(one: Any, value: float) -> str:
    bounds = [] if one.at_least is None else [f"at least {one.at_least:g}"]
    bounds += [] if one.below is None else [f"below {one.below:g}"]
    return f"{value:.3f} ({' and '.join(bounds)} counts)"


def _ids(images: Sequence[Observation]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(i.id for i in images))


_Judge = Callable[[Any, View], Verdict]
# The order tells kinds apart: vote, any and every may have a `confidence` as well.
_JUDGES: Mapping[str, _Judge] = {
    "all_of": _all_of,
    "one_of": _one_of,
    "none_of": _none_of,
    "vote": _vote,
    "majority": _majority,
    "any": _any,
    "every": _every,
    "max": _figure("max", "the highest confidence", _highest),
    "mean": _figure("mean", "the average confidence", _mean),
    "running": _figure("running", "the running average", _running),
    "bayes": _figure("bayes", "the probability", _bayes),
    "silent_s": _silent,
    "predicted": _latest(_predicted),
    "unknown": _latest(_unknown),
    "trigger": _latest(_triggered),
    "margin": _latest(_margin),
    "ood": _latest(_strangeness),
    "confidence": _latest(_confidence),
}
