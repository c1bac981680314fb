"""A decision in sentences: what, since when, what before, by which rule, by which models, from which images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tellapart.workflows.why_images import Behind
from tellapart.workflows.why_policy import RuleText

_FALLBACK, _OUTSIDE = "fallback", "outside"
_NO_RULE = "no rule holds; "


def sentences(decision: Mapping[str, Any], images: Sequence[Behind], rule: RuleText | None) -> tuple[str, ...]:
    """One thought each."""
    told = [f"{clock(one.at_s)}  {one.where}: {one.answer}{_figures(one)}" for one in images]
    return (*heading(decision, images, rule), *told, *_left(images))


def heading(decision: Mapping[str, Any], images: Sequence[Behind], rule: RuleText | None) -> tuple[str, ...]:
    """Those that are about the decision, not about one of its images."""
    told = [_state(decision, rule), _rule(decision), _models(decision, images)]
    if rule is not None and rule.text:
        told.append(f"The rule is written: {rule.text}")
    elif rule is None:
        told.append(f"The text of the policy {decision['policy']} is not there any more.")
    return tuple(told)


def _state(decision: Mapping[str, Any], rule: RuleText | None) -> str:
    subject = decision["subject"] or "the policy"
    what = subject if decision["track"] == "state" else f"{subject} ({decision['track']})"
    state = f"{decision['state']!r}" + (f" ({rule.meaning})" if rule and rule.meaning else "")
    was = decision.get("was")
    if decision.get("final"):
        before = f"; before, it was {was['state']!r}" if was else ""
        return f"Episode {decision['episode']} of {what} ended as {state} at {_when(decision['at'])}{before}."
    if was is None:
        return f"{what} is {state} since {_when(decision['since'])}: the first state after the start."
    lasted = _duration(float(decision["since"]) - float(was["since"]))
    return f"{what} is {state} since {_when(decision['since'])}; before, it was {was['state']!r} for {lasted}."


def _rule(decision: Mapping[str, Any]) -> str:
    policy, rule, because = decision["policy"], decision["rule"], decision["because"]
    if rule == _FALLBACK:
        return f"No rule of the policy {policy} holds, and its fallback does: {because.removeprefix(_NO_RULE)}."
    if rule == _OUTSIDE:
        return f"By the policy {policy} this is the state between episodes: {because}."
    named = f"Rule{rule[4:]}" if re.match(r"rule \d+ \(", rule) else f"The rule {rule!r}"
    return f"{named} of the policy {policy} holds: {because}."


def _models(decision: Mapping[str, Any], images: Sequence[Behind]) -> str:
    models = list(decision["models"])
    n = len(decision["evidence"])
    if not n:
        return "It rests on no image: time alone brought it."
    by = f" by the model{'s' * (len(models) > 1)} {', '.join(models)}" if models else ""
    if not images:
        return f"It rests on {n} image{'s' * (n > 1)}{by}; nothing more is known of {'them' if n > 1 else 'it'}."
    first, last = images[0].at_s, images[-1].at_s
    span = f" from {clock(first)} to {clock(last)}" if last > first else f" of {clock(first)}"
    known = f", of which {len(images)} {'is' if len(images) == 1 else 'are'} known," if len(images) < n else ""
    return f"It rests on {n} image{'s' * (n > 1)}{known}{span}{by}."


def _figures(one: Behind) -> str:
    pairs = sorted(one.confidences.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    said = ", ".join(f"{name} {p:.1%}" for name, p in pairs)
    strange = f", OOD score {one.told['oodScore']:.2f}" if one.told.get("unknown") else ""
    return f" ({said}{strange})" + (f"  {one.file}" if one.file else "")


def _left(images: Sequence[Behind]) -> list[str]:
    deleted, missing = ([one for one in images if one.fate == fate] for fate in ("deleted", "not kept"))
    told = []
    if deleted:
        told.append(f"{_of(deleted, images)} deleted: kept no longer than `record` in the stream file says.")
    if missing:
        told.append(f"{_of(missing, images)} not kept.")
    return told


def _of(some: Sequence[Any], all_of: Sequence[Any]) -> str:
    if len(some) == len(all_of):
        return "The image was" if len(some) == 1 else "The images were"
    return f"{len(some)} of {len(all_of)} images {'was' if len(some) == 1 else 'were'}"


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at_s: float) -> str:
    """Time of day (UTC) to the millisecond."""
    moment = datetime.fromtimestamp(at_s, UTC)
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts: Iterable[tuple[int, str]] = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"
