"""What a policy can never come to: rules that others always go before, conditions that cannot hold, states that nothing gives.

Only what can be told for certain is told: conditions on the same figure, duplicates, counts that a window cannot reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tellapart.settings.policy import Policy, Rule, Track

_LOW, _HIGH = -float("inf"), float("inf")
_SHARES = ("confidence", "margin", "max", "mean", "running", "bayes")  # figures of 0-1
_COUNTS = ("vote", "undecided", "majority", "any", "every", "max", "mean", "running", "bayes")


def unreachable(policy: Policy) -> Iterator[str]:
    """One sentence for each rule and state that can never come about."""
    several = len(policy.tracks) > 1
    for name, track in policy.tracks.items():
        for fault in _of_track(track, len(policy.inputs)):
            yield f"tracks.{name}: {fault}" if several else fault


def implies(one: Any, other: Any) -> bool:
    """Whether `other` holds whenever `one` does, as far as that can be told from the two."""
    if one == other:
        return True
    if one.kind == "one_of":
        return all(implies(part, other) for part in one.parts)
    if other.kind == "all_of":
        return all(implies(one, part) for part in other.parts)
    if one.kind == "all_of" and any(implies(part, other) for part in one.parts):
        return True
    if other.kind == "one_of":
        return any(implies(one, part) for part in other.parts)
    if one.kind == other.kind == "none_of":
        return all(any(implies(inner, outer) for outer in one.parts) for inner in other.parts)
    if {one.kind, other.kind} & {"all_of", "none_of"}:
        return False
    return _leaf_implies(one, other)


def never(condition: Any, window: Any) -> str:
    """Why a condition cannot hold with a window; "" where it can, or where that cannot be told."""
    if condition.kind == "all_of":
        found = next((why for part in condition.parts if (why := never(part, window))), "")
        return found or _against_each_other(condition.parts)
    if condition.kind == "one_of":
        reasons = [never(part, window) for part in condition.parts]
        return reasons[0] if all(reasons) else ""
    if condition.kind == "none_of":
        return "one of its parts always holds" if any(_always(part, window) for part in condition.parts) else ""
    return _leaf_never(condition, window)


def _of_track(track: Track, n_inputs: int) -> Iterator[str]:
    reached = []
    for number, rule in enumerate(track.rules):
        why = never(rule.when, track.window) or _gone_before(number, track)
        if why:
            yield f"{_called(number, rule)} can never hold: {why}"
        else:
            reached.append(rule)
        yield from (f"{_called(number, rule)} {why}" for why in _until(rule, track))
    given = {rule.state for rule in reached} | {track.fallback, track.outside or track.fallback}
    for state in track.states:
        if state not in given:
            yield f"the state {state!r} can never come about: no rule that can hold gives it"
        elif _only_silent(state, reached, track) and n_inputs == 1:
            times = track.stable.enter[state]
            yield f"the state {state!r} must be found with {times} images in a row, and is found only while none come"


def _gone_before(number: int, track: Track) -> str:
    later = track.rules[number].when
    for place, earlier in enumerate(track.rules[:number]):
        if _always(earlier.when, track.window):
            return f"{_called(place, earlier)} always holds"
        if implies(later, earlier.when):
            return f"{_called(place, earlier)} holds whenever it does, and goes before it"
    return ""


def _until(rule: Rule, track: Track) -> Iterator[str]:
    if rule.until is None:
        return
    if track.window.item or (track.window.episode is not None and track.window.episode.decides == "at_end"):
        yield "has an until that never matters: what it decides on is decided once"
    elif implies(rule.until, rule.when):
        yield "never ends: its if holds whenever its until does"
    elif why := never(rule.until, track.window):
        yield f"never ends: its until cannot hold, {why}"


def _always(condition: Any, window: Any) -> bool:
    if condition.kind == "none_of":
        return all(never(part, window) for part in condition.parts)
    if condition.kind == "all_of":
        return all(_always(part, window) for part in condition.parts)
    if condition.kind != "one_of":
        return False
    opposites = [inner for part in condition.parts if part.kind == "none_of" for inner in [part.parts]]
    return any(_always(part, window) for part in condition.parts) or any(
        all(any(implies(one, part) for part in condition.parts) for one in inner) for inner in opposites
    )


def _leaf_implies(one: Any, other: Any) -> bool:
    if one.input != other.input:
        return False
    if one.kind != other.kind:
        return _one_image_implies(one, other)
    if one.kind == "silent_s":
        return bool(one.silent_s >= other.silent_s)
    bounds = {"at_least", "below", "share", "of", *(() if one.kind == "confidence" else ("confidence",))}
    if one.model_dump(exclude=bounds) != other.model_dump(exclude=bounds):
        return False
    if one.kind in _COUNTS and (one.of or 1) < (other.of or 1):
        return False
    if one.kind in ("vote", "any", "every") and (one.confidence is None) != (other.confidence is None):
        return False
    if one.kind in ("vote", "any", "every") and one.confidence is not None and one.confidence < other.confidence:
        return False
    if one.kind in ("vote", "undecided"):
        return _as_many(one, other)
    if not hasattr(one, "below"):
        return True
    (low, high), (other_low, other_high) = _range(one), _range(other)
    return low >= other_low and high <= other_high


def _as_many(one: Any, other: Any) -> bool:
    if (one.share is None) != (other.share is None):
        return False
    return bool(one.at_least >= other.at_least if one.share is None else one.share >= other.share)


def _one_image_implies(one: Any, other: Any) -> bool:
    """The latest image is one of the window: what it shows, one image of the window shows."""
    if (getattr(other, "of", None) or 1) > 1:
        return False
    if one.kind == "predicted" and other.kind == "any":
        return bool(other.any == one.predicted and other.confidence is None)
    if one.kind == "confidence" and other.kind == "max":
        return bool(other.max == one.confidence and other.below is None and _range(one)[0] >= other.at_least)
    if one.kind == "confidence" and other.kind == "any" and other.confidence is not None:
        return bool(other.any == one.confidence and _range(one)[0] >= other.confidence)
    if one.kind == "every" and other.kind in ("predicted", "any"):
        return bool(getattr(other, other.kind) == one.every and one.confidence is None) and (
            getattr(other, "confidence", None) is None
        )
    return one.kind in ("confidence", "margin", "predicted") and other.kind == "unknown" and not other.unknown


def _leaf_never(one: Any, window: Any) -> str:
    low, high = _range(one) if hasattr(one, "below") else (_LOW, _HIGH)
    if one.kind in _SHARES and (low > 1 or high <= 0):
        return f"{one.kind} lies between 0 and 1"
    if one.kind == "ood" and high <= 0:
        return "an OOD score is not below 0"
    most = window.last
    asked = max(getattr(one, "of", None) or 0, (one.at_least or 0) if one.kind in ("vote", "undecided") else 0)
    if most is not None and asked > most:
        return f"{asked} images are asked for, and the window has the last {most}"
    if one.kind == "silent_s" and window.item:
        return "all images of an item come at once"
    return ""


def _against_each_other(parts: Sequence[Any]) -> str:
    for number, one in enumerate(parts):
        for other in parts[number + 1 :]:
            if _contradict(one, other) or _contradict(other, one):
                return "two of its parts cannot hold together"
    return ""


def _contradict(one: Any, other: Any) -> bool:
    if other.kind == "none_of":
        return any(implies(one, part) for part in other.parts)
    if {one.kind, other.kind} & {"all_of", "one_of", "none_of"} or one.input != other.input:
        return False
    if other.kind == "unknown" and other.unknown:
        return one.kind in ("confidence", "margin", "predicted") or (one.kind == "unknown" and not one.unknown)
    bounds = {"at_least", "below"}
    if one.kind != other.kind or not hasattr(one, "below"):
        return False
    if one.model_dump(exclude=bounds) != other.model_dump(exclude=bounds):
        return False
    return _range(one)[0] >= _range(other)[1]


def _only_silent(state: str, rules: Sequence[Rule], track: Track) -> bool:
    if track.stable.enter.get(state, 1) < 2 or state in (track.fallback, track.outside):
        return False
    if track.window.episode is not None:
        return False  # results of episodes are entered at once
    return all(_silent(rule.when) for rule in rules if rule.state == state)


def _silent(condition: Any) -> bool:
    if condition.kind == "all_of":
        return any(_silent(part) for part in condition.parts)
    return bool(condition.kind == "silent_s")


def _range(one: Any) -> tuple[float, float]:
    return (_LOW if one.at_least is None else one.at_least), (_HIGH if one.below is None else one.below)


def _called(number: int, rule: Rule) -> str:
    return f"rule {number + 1} ({rule.name or rule.state})"
