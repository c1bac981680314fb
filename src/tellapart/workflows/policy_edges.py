"""What a policy decides at its edges, by running it on made-up images: at each threshold and count, on ties, on nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.settings.policy import Policy
from tellapart.workflows.policy_trial import OTHER, Shown, Trial

STEP = 0.001
"""How far from a threshold "just below" and "just above" are."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One case: what was shown to the track, and the state it came to ("" where it decides nothing)."""

    track: str
    about: str
    shown: str
    state: str
    rule: str
    because: str


def edges(policy: Policy) -> list[Edge]:
    """The cases of every track: those that every policy has, and those of its own thresholds and counts."""
    found: list[Edge] = []
    for name in policy.tracks:
        trial = Trial(policy, name)
        found += _everywhere(trial)
        for number, rule in enumerate(trial.track.rules):
            for place, condition in (("", rule.when), (" until", rule.until)):
                for leaf in condition.leaves() if condition is not None else ():
                    about = f"rule {number + 1} ({rule.name or rule.state}){place}: {_told(leaf)}"
                    found += _of_leaf(trial, about, leaf)
    return list(dict.fromkeys(found))


def _everywhere(trial: Trial) -> Iterator[Edge]:
    n = trial.n_images
    unknown, unsure = Shown({}, (), unknown=True, ood_score=2.0), Shown({}, ())
    yield _edge(trial, "always", "no image at all", {})
    for said, one in (("unknown", unknown), ("without an answer", unsure)):
        yield _edge(trial, "always", f"the first image, {said}", _all(trial, [one]))
        if n > 1:
            yield _edge(trial, "always", f"{n} images, all {said}", _all(trial, [one] * n))
    for label in (*trial.labels, OTHER):
        answer = trial.answer(label)
        yield _edge(trial, "always", f"the first image: {label}", _all(trial, [answer]))
        if n > 1:
            yield _edge(trial, "always", f"{n} images, all {label}", _all(trial, [answer] * n))
    if n > 1:
        for left, right in _pairs(trial):
            tied = [trial.answer(label) for label in (left, right)] * (n // 2)
            yield _edge(trial, "always", f"{len(tied)} images, votes tied: {left}, {right}", _all(trial, tied))


def _pairs(trial: Trial) -> Iterator[tuple[str, str]]:
    labels = trial.labels if len(trial.labels) > 1 else (*trial.labels, OTHER)
    for number, one in enumerate(labels[:4]):
        for other in labels[:4]:
            if other != one and labels.index(other) > number:
                yield one, other


def _of_leaf(trial: Trial, about: str, leaf: Any) -> list[Edge]:
    """The cases just below, at and just above what a condition asks for."""
    make = _MAKERS.get(leaf.kind)
    if leaf.kind == "silent_s":
        return _of_silence(trial, about, leaf)
    cases = list(make(trial, leaf)) if make is not None else []
    name = leaf.input or trial.inputs[0]
    best: list[Edge] = []
    for context in _contexts(trial, name):
        found = [_edge(trial, about, shown, {name: images, **context}) for shown, images in cases]
        if not best or len({one.state for one in found}) > 1:
            best = found
        if len({one.state for one in found}) > 1:
            break
    return best


def _contexts(trial: Trial, name: str) -> Iterator[dict[str, list[Shown]]]:
    """What the other inputs show meanwhile: nothing, or all the same sure answer."""
    others = [one for one in trial.inputs if one != name]
    yield {}
    for label in trial.labels if others else ():
        yield {one: [trial.answer(label)] * trial.n_images for one in others}


def _of_silence(trial: Trial, about: str, leaf: Any) -> list[Edge]:
    found = []
    labels = [*trial.labels, OTHER]
    for label in labels[:1]:
        shown = _all(trial, [trial.answer(label)] * trial.n_images)
        for told, silent_s in (("just less", leaf.silent_s - STEP), ("", leaf.silent_s)):
            said = f"{told} than {leaf.silent_s:g} s" if told else f"{leaf.silent_s:g} s"
            found.append(_edge(trial, about, f"{label}, then no image for {said}", shown, silent_s))
    return found


def _bounded(figure: Callable[[Trial, Any, float], Shown | None], name: str) -> Callable[..., Any]:
    """Cases around the bounds of a figure: all images of the window alike."""

    def cases(trial: Trial, leaf: Any) -> Iterator[tuple[str, list[Shown]]]:
        for bound in (leaf.at_least, leaf.below):
            for told, value in _around(bound) if bound is not None else ():
                image = figure(trial, leaf, value)
                if image is not None:
                    n = 1 if leaf.kind in ("confidence", "margin", "ood") else trial.n_images
                    yield f"{name} {told}", [image] * n

    return cases


def _around(bound: float) -> list[tuple[str, float]]:
    return [(f"{value:g}", value) for value in (bound - STEP, bound, bound + STEP)]


def _of_confidence(trial: Trial, leaf: Any, value: float) -> Shown | None:
    return trial.answer(getattr(leaf, leaf.kind), value) if 0 <= value <= 1 else None


def _of_margin(trial: Trial, _: Any, value: float) -> Shown | None:
    label = trial.labels[0] if trial.labels else OTHER
    return trial.answer(label, (1 + value) / 2) if 0 <= value <= 1 else None


def _of_score(trial: Trial, _: Any, value: float) -> Shown | None:
    label = trial.answer(trial.labels[0] if trial.labels else OTHER)
    unknown = value >= 1
    return Shown({} if unknown else label.confidences, () if unknown else label.predicted, unknown, max(0.0, value))


def _of_probability(trial: Trial, leaf: Any, value: float) -> Shown | None:
    """The confidence which, said by all images, leads to a probability."""
    if not 0 < value < 1:
        return None
    news = (_log_odds(value) - _log_odds(leaf.prior)) / (leaf.independence * trial.n_images)
    return trial.answer(leaf.bayes, 1 / (1 + math.exp(-(news + _log_odds(leaf.trained_at)))))


def _votes(trial: Trial, leaf: Any) -> Iterator[tuple[str, list[Shown]]]:
    n = trial.n_images
    needed = leaf.at_least if leaf.share is None else next((k for k in range(n + 1) if k / n >= leaf.share), n)
    label = getattr(leaf, leaf.kind) if leaf.kind == "vote" else ""
    vote = trial.answer(label) if label else Shown({}, ())
    against = trial.answer(next((one for one in trial.labels if one != label), OTHER))
    for k in (needed - 1, needed, needed + 1):
        if 0 <= k <= n:
            told = f"for {label}" if label else "without an answer"
            yield f"{k} of {n} images {told}", [against] * (n - k) + [vote] * k
    if label and leaf.confidence is not None:
        for told, value in _around(leaf.confidence):
            if value <= 1:
                yield f"{n} images, {label} {told}", [trial.answer(label, value)] * n


def _one_more(trial: Trial, leaf: Any) -> Iterator[tuple[str, list[Shown]]]:
    """none, one, all but one, all of the images."""
    n, label = trial.n_images, getattr(leaf, leaf.kind)
    against = trial.answer(next((one for one in trial.labels if one != label), OTHER))
    for k in dict.fromkeys((0, 1, n // 2, n // 2 + 1, n - 1, n)):
        if k <= n:
            yield f"{k} of {n} images show {label}", [against] * (n - k) + [trial.answer(label)] * k
    if getattr(leaf, "confidence", None) is not None:
        for told, value in _around(leaf.confidence):
            if value <= 1:
                yield f"{n} images, {label} {told}", [trial.answer(label, value)] * n


_MAKERS: Mapping[str, Callable[..., Any]] = {
    "confidence": _bounded(_of_confidence, "confidence"),
    "max": _bounded(_of_confidence, "all confidences"),
    "mean": _bounded(_of_confidence, "all confidences"),
    "running": _bounded(_of_confidence, "all confidences"),
    "bayes": _bounded(_of_probability, "probability"),
    "margin": _bounded(_of_margin, "margin"),
    "ood": _bounded(_of_score, "OOD score"),
    "vote": _votes,
    "undecided": _votes,
    "majority": _one_more,
    "any": _one_more,
    "every": _one_more,
}


def _all(trial: Trial, images: Sequence[Shown]) -> dict[str, Sequence[Shown]]:
    """The same for every input."""
    return dict.fromkeys(trial.inputs, images)


def _edge(trial: Trial, about: str, shown: str, images: Mapping[str, Sequence[Shown]], silent_s: float = 0.0) -> Edge:
    decision = trial.last(images, silent_s)
    if decision is None:
        return Edge(trial.name, about, shown, "", "", "nothing is decided")
    return Edge(trial.name, about, shown, decision.state, decision.rule, decision.because)


def _told(leaf: Any) -> str:
    written = leaf.model_dump(exclude_defaults=True, mode="json")
    given = {leaf.kind: written[leaf.kind], **written}  # what it is first
    return ", ".join(
        f"{name} {str(value).lower() if isinstance(value, bool) else value}" for name, value in given.items()
    )


def _log_odds(p: float) -> float:
    return math.log(p / (1 - p))
