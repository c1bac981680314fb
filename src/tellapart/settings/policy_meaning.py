"""What a policy says that cannot be meant: names that nothing declares, and figures that contradict one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from tellapart.settings.policy import AllOf, Bounded, Leaf, Mean, NoneOf, OneOf, Policy, Rule, Track, Vote

FLAT = "state"
# Where labels stand in conditions.
_LABELS = ("confidence", "predicted", "vote", "majority", "any", "every", "max", "mean", "running", "bayes")


def contradictions(policy: Policy) -> Iterator[str]:
    """One sentence for each, with its place."""
    for name, track in policy.tracks.items():
        before = "" if name == FLAT and len(policy.tracks) == 1 else f"tracks.{name}."
        for fault in (*_states(track), *_window(track), *_rules(track, policy)):
            yield f"{before}{fault}"


def leaves(condition: Any) -> Iterator[Leaf]:
    """The conditions on images within one."""
    if isinstance(condition, AllOf | OneOf | NoneOf):
        inner = next(iter(condition.model_dump(include=set(type(condition).model_fields)).keys()))
        for one in getattr(condition, inner):
            yield from leaves(one)
    elif isinstance(condition, Leaf):
        yield condition


def label_of(leaf: Leaf) -> str | None:
    """The label that a condition is about; None where it is about none."""
    found = [getattr(leaf, name) for name in _LABELS if isinstance(getattr(leaf, name, None), str)]
    return found[-1] if found else None


def _states(track: Track) -> Iterator[str]:
    used: list[tuple[str, str]] = [("fallback", track.fallback)]
    used += [("outside", track.outside)] if track.outside is not None else []
    used += [(f"rules[{i}].state", rule.state) for i, rule in enumerate(track.rules)]
    for name in ("enter", "hold_s", "cool_down_s"):
        used += [(f"stable.{name}", state) for state in getattr(track.stable, name)]
    used += [("costs", state) for state in track.costs]
    used += [(f"costs.{actual}", state) for actual, row in track.costs.items() for state in row]
    for place, state in used:
        if state not in track.states:
            yield f"{place} names the state {state!r}, which is not among the states{_near(state, track.states)}"
    if track.outside is not None and track.window.episode is None:
        yield "outside is the state between episodes, and the window has no episode"


def _window(track: Track) -> Iterator[str]:
    window = track.window
    named = [name for name in type(window).model_fields if getattr(window, name) is not None]
    if len(named) != 1:
        yield f"window names one of last, seconds, episode and item, got {' and '.join(named) or 'none'}"
    if window.episode is not None and not window.episode.closes.model_dump(exclude_none=True):
        yield "window.episode.closes must name gap_s, predicted, trigger or after_s: nothing would end an episode"


def _rules(track: Track, policy: Policy) -> Iterator[str]:
    names = [rule.name for rule in track.rules if rule.name]
    for name in sorted({one for one in names if names.count(one) > 1}):
        yield f"two rules are called {name!r}: give each a name of its own"
    for number, rule in enumerate(track.rules):
        for place, leaf in _placed(rule):
            for fault in (*_bounds(leaf), *_input(leaf, policy)):
                yield f"rules[{number}].{place} {fault}"


def _placed(rule: Rule) -> Iterator[tuple[str, Leaf]]:
    for place, condition in (("if", rule.when), ("until", rule.until)):
        if condition is not None:
            yield from ((place, leaf) for leaf in leaves(condition))


def _bounds(leaf: Leaf) -> Iterator[str]:
    if isinstance(leaf, Bounded):
        if leaf.at_least is None and leaf.below is None:
            yield "needs at_least or below: it would always hold"
        elif leaf.at_least is not None and leaf.below is not None and leaf.at_least >= leaf.below:
            yield f"can never hold: at least {leaf.at_least:g} and below {leaf.below:g}"
    if isinstance(leaf, Mean) and (leaf.weights == "recency") != (leaf.half_life_s is not None):
        yield "takes half_life_s with weights: recency, and only with these"
    if isinstance(leaf, Vote) and (leaf.at_least is None) == (leaf.share is None):
        yield "needs at_least (so many votes) or share (of the votes), one of them"


def _input(leaf: Leaf, policy: Policy) -> Iterator[str]:
    if leaf.input is not None and leaf.input not in policy.inputs:
        yield f"names the input {leaf.input!r}, which is not among the inputs{_near(leaf.input, policy.inputs)}"
        return
    if leaf.input is None and len(policy.inputs) > 1:
        yield f"must name its input: there are {', '.join(policy.inputs)}"
        return
    known = policy.inputs[leaf.input or next(iter(policy.inputs))].labels
    label = label_of(leaf)
    if known and label is not None and label not in known:
        yield f"names the label {label!r}, which its input does not have{_near(label, known)}"


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f": {', '.join(known)}"
