"""Does a condition of a policy hold for the images of a window? Each is made into a function once, then called per image.

Conditions are read by their fields, not by their class: this room loads no pydantic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tellapart.decision import averages, latest, votes
from tellapart.decision.figures import Names
from tellapart.decision.verdict import Verdict, Why, joined
from tellapart.decision.view import View

Judge = Callable[[View], Verdict]
_LABELLED = frozenset(
    {"confidence", "predicted", "vote", "majority", "any", "every", "max", "mean", "running", "bayes"}
)


def judge(condition: Any, groups: Mapping[str, Names]) -> Judge:
    """What gives the verdict for a condition with those inside it; `groups` are labels that stand for several."""
    kind = condition.kind
    if kind in _COMBINED:
        return partial(_COMBINED[kind], [judge(part, groups) for part in condition.parts])
    label = getattr(condition, kind) if kind in _LABELLED else ""
    return partial(_JUDGES[kind], condition, groups.get(label, (label,)))


def _all_of(inner: Sequence[Judge], view: View) -> Verdict:
    parts = [part(view) for part in inner]
    against = [part for part in parts if not part.holds]
    return Verdict(not against, partial(joined, against or parts))


def _one_of(inner: Sequence[Judge], view: View) -> Verdict:
    parts = [part(view) for part in inner]
    speaking = [part for part in parts if part.holds]
    return Verdict(bool(speaking), partial(joined, speaking or parts))


def _none_of(inner: Sequence[Judge], view: View) -> Verdict:
    parts = [part(view) for part in inner]
    against = [part for part in parts if part.holds]
    return Verdict(not against, partial(joined, against or parts))


def _silent(one: Any, _: Names, view: View) -> Verdict:
    now_s, heard_s = view.now_s, view.heard(one.input)
    # A sum, as for the instant at which silence is looked for: a difference would round otherwise and miss it by a hair.
    return Verdict(
        now_s >= heard_s + one.silent_s,
        lambda: Why(f"no image for {now_s - heard_s:.1f} s ({one.silent_s:g} s count as silence)"),
    )


_COMBINED: Mapping[str, Callable[[Sequence[Judge], View], Verdict]] = {
    "all_of": _all_of,
    "one_of": _one_of,
    "none_of": _none_of,
}
_JUDGES: Mapping[str, Callable[[Any, Names, View], Verdict]] = {
    "vote": votes.vote,
    "undecided": votes.undecided,
    "majority": votes.majority,
    "any": votes.one_positive,
    "every": votes.every,
    "max": averages.of_figure("max", "the highest confidence", averages.highest),
    "mean": averages.of_figure("mean", "the average confidence", averages.mean),
    "running": averages.of_figure("running", "the running average", averages.running),
    "bayes": averages.of_figure("bayes", "the probability", averages.bayes),
    "silent_s": _silent,
    "predicted": latest.of_latest(latest.predicted),
    "unknown": latest.of_latest(latest.unknown),
    "trigger": latest.of_latest(latest.trigger),
    "margin": latest.of_latest(latest.margin),
    "ood": latest.of_latest(latest.strangeness),
    "confidence": latest.of_latest(latest.confidence),
}
