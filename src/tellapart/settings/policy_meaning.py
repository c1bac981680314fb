"""What a policy says that cannot be meant: names that nothing declares, and figures that contradict one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from tellapart.settings.policy import Closing, Leaf, Opening, Policy, Rule, Track
from tellapart.settings.policy_conditions import Bounded, Mean, Undecided, Vote

FLAT = "state"
# Where labels stand in conditions.
_LABELS = ("confidence", "predicted", "vote", "majority", "any", "every", "max", "mean", "running", "bayes")


def contradictions(policy: Policy) -> Iterator[str]:
    """One sentence for each, with its place."""
    for name, track in policy.tracks.items():
        before = "" if name == FLAT and len(policy.tracks) == 1 else f"tracks.{name}."
        for fault in (*_states(track), *_window(track), *_episode(track, policy), *_rules(track, policy)):
            yield f"{before}{fault}"
    yield from _groups(policy)


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


def _episode(track: Track, policy: Policy) -> Iterator[str]:
    episode = track.window.episode
    if episode is None:
        return
    opens, closes = episode.opens, episode.closes
    named = closes.model_fields_set - {"input"}
    if all(getattr(closes, name) is None for name in named):
        yield (
            "window.episode.closes must name gap_s, predicted, trigger, after_s or after_images: "
            "nothing would end an episode"
        )
    if opens.predicted is not None and opens.predicted == closes.predicted and opens.input == closes.input:
        yield f"window.episode opens and closes with the answer {opens.predicted!r}: it could never open"
    for place, end in (("opens", opens), ("closes", closes)):
        yield from (f"window.episode.{place} {fault}" for fault in _end(end, policy))


def _end(end: Opening | Closing, policy: Policy) -> Iterator[str]:
    if end.input is not None and end.input not in policy.inputs:
        yield f"names the input {end.input!r}, which is not among the inputs{_near(end.input, policy.inputs)}"
    elif end.predicted is not None:
        yield from _label(end.predicted, [end.input] if end.input else list(policy.inputs), policy)


def _groups(policy: Policy) -> Iterator[str]:
    labels = [one.labels for one in policy.inputs.values()]
    known = [*dict.fromkeys(one for of in labels for one in of)]
    for name, members in policy.groups.items():
        if name in known or name in members:
            yield f"groups.{name} has the name of a label: give it one of its own"
        for one in members if all(labels) else ():
            if one not in known:
                yield f"groups.{name} names the label {one!r}, which no input has{_near(one, known)}"
        for one in members:
            if one in policy.groups and one != name:
                yield f"groups.{name} names the group {one!r}: a group is made of labels"


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
            yield from ((place, leaf) for leaf in condition.leaves())


def _bounds(leaf: Leaf) -> Iterator[str]:
    if isinstance(leaf, Bounded):
        if leaf.at_least is None and leaf.below is None:
            yield "needs at_least or below: it would always hold"
        elif leaf.at_least is not None and leaf.below is not None and leaf.at_least >= leaf.below:
            yield f"can never hold: at least {leaf.at_least:g} and below {leaf.below:g}"
    if isinstance(leaf, Mean) and ("recency" in leaf.weights) != (leaf.half_life_s is not None):
        yield "takes half_life_s with weights: recency, and only with these"
    if isinstance(leaf, Vote) and (leaf.at_least is None) == (leaf.share is None):
        yield "needs at_least (so many votes) or share (of the votes), one of them"
    if isinstance(leaf, Undecided) and (leaf.at_least is None) == (leaf.share is None):
        yield "needs at_least (so many images) or share (of the images), one of them"


def _input(leaf: Leaf, policy: Policy) -> Iterator[str]:
    if leaf.input is not None and leaf.input not in policy.inputs:
        yield f"names the input {leaf.input!r}, which is not among the inputs{_near(leaf.input, policy.inputs)}"
        return
    if leaf.input is None and len(policy.inputs) > 1:
        yield f"must name its input: there are {', '.join(policy.inputs)}"
        return
    label = label_of(leaf)
    yield from _label(label, (leaf.input or next(iter(policy.inputs)),), policy) if label is not None else ()


def _label(label: str, inputs: Iterable[str], policy: Policy) -> Iterator[str]:
    """Whether none of the inputs can answer it; inputs that declare no labels may answer anything."""
    labels = [policy.inputs[name].labels for name in inputs]
    known = [*dict.fromkeys(one for of in labels for one in of), *policy.groups]
    if all(labels) and label not in known:
        yield f"names the label {label!r}, which its input does not have{_near(label, known)}"


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f": {', '.join(known)}"
