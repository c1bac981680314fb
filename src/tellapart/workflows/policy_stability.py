"""When a stable state comes and goes, by running a policy beside itself without what keeps its states from flickering."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tellapart.decision.engine import Engine
from tellapart.settings.policy import Policy
from tellapart.workflows.policy_edges import Edge
from tellapart.workflows.policy_trial import OTHER, Shown, Trial

MOST_STEPS = 2_000
"""Images after which a case is given up."""
MOST_IMAGES = 100
"""Larger windows are not tried: each of their images takes its time."""
LONGEST_S = 1e9
"""Nor are longer times, of thirty years: no clock of images counts so far."""
_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class _Step:
    """An image: when it came, what the rules find, what is in force and since when."""

    at_s: float
    found: str
    state: str
    since_s: float


class _Pair:
    """A policy, and the same without stability, shown the same images."""

    def __init__(self, policy: Policy, trial: Trial) -> None:
        whole = policy.model_copy(update={"tracks": {trial.name: trial.track}})
        self._plain, self._stable, self._trial = Engine(trial.policy, ""), Engine(whole, ""), trial
        self._n = 0
        # Windows of so many images do not mind how long the time between these is.
        slow_s = _longest_s(trial) / _STEPS if trial.track.window.seconds is None else 0.0
        self._between_s = max(trial.between_s(trial.n_images), slow_s)

    def show(self, image: Shown, until: Callable[[_Step], bool]) -> _Step | None:
        """The same image again and again, up to the step for which `until` holds; None where it never does."""
        for _ in range(MOST_STEPS):
            at_s = self._n * self._between_s
            instant = self._trial.instant(self._n, at_s, image)
            self._n += 1
            found, decided = self._plain.step(instant)[-1], self._stable.step(instant)[-1]
            step = _Step(at_s, found.state, decided.state, decided.since_s)
            if until(step):
                return step
        return None


def stability(policy: Policy) -> Iterator[Edge]:
    """For every state that is entered late, held or cools down: when it is found and when it is in force.

    Only for tracks whose windows go on, and for states that one and the same image again and again leads to.
    """
    for name, track in policy.tracks.items():
        trial = Trial(policy, name)
        goes_on = track.window.episode is None and not track.window.item
        if not goes_on or trial.n_images > MOST_IMAGES or _longest_s(trial) > LONGEST_S:
            continue
        leading = dict(_leading(trial))
        for state, image in leading.items():
            other = next((one for one in leading if one != state), None)
            if other is not None:
                yield from _entering(_Pair(policy, trial), trial, (state, image), (other, leading[other]))
                yield from _leaving(_Pair(policy, trial), trial, (state, image), (other, leading[other]))


def _longest_s(trial: Trial) -> float:
    stable = trial.track.stable
    return max([*stable.hold_s.values(), *stable.cool_down_s.values()], default=0.0)


def _leading(trial: Trial) -> Iterator[tuple[str, Shown]]:
    """An image for each state that it leads to when it is seen again and again."""
    found: set[str] = set()
    unknown, unsure = Shown({}, (), unknown=True, ood_score=2.0), Shown({}, ())
    for image in (*(trial.answer(label) for label in (*trial.labels, OTHER)), unknown, unsure):
        decision = trial.last(dict.fromkeys(trial.inputs, [image] * trial.n_images))
        if decision is not None and decision.state not in found:
            found.add(decision.state)
            yield decision.state, image


def _entering(pair: _Pair, trial: Trial, to: tuple[str, Shown], away: tuple[str, Shown]) -> Iterator[Edge]:
    """The state in force when another was found once less than needed, and when it was found often enough."""
    state, image = to
    needed = trial.track.stable.enter.get(state, 1)
    if not 1 < needed <= MOST_STEPS or pair.show(away[1], lambda one: one.found == one.state == away[0]) is None:
        return
    for times in range(1, needed + 1):
        step = pair.show(image, lambda one: one.found == state)
        if step is None:
            return
        if times >= needed - 1:
            shown = f"after {away[0]}, found {times} of {needed} times in a row"
            yield Edge(trial.name, f"enter {state} {needed}", shown, step.state, "", "")


def _leaving(pair: _Pair, trial: Trial, to: tuple[str, Shown], away: tuple[str, Shown]) -> Iterator[Edge]:
    """How long a state lasts although another is found, and how long it is not entered again although it is found."""
    (state, image), (other, against), stable = to, away, trial.track.stable
    if state not in stable.hold_s and state not in stable.cool_down_s:
        return
    pair.show(against, lambda one: one.state == other)
    came = pair.show(image, lambda one: one.state == state)
    found = pair.show(against, lambda one: one.found == other)
    left = pair.show(against, lambda one: one.state == other) if came and found else None
    if came is None or found is None or left is None:
        return
    if state in stable.hold_s:
        shown = f"{other} found {found.at_s - came.since_s:g} s after {state} came, in force {left.since_s - came.since_s:g} s"
        yield Edge(trial.name, f"hold_s {state} {stable.hold_s[state]:g}", shown, other, "", "")
    again = pair.show(image, lambda one: one.found == state)
    back = pair.show(image, lambda one: one.state == state)
    if state in stable.cool_down_s and again is not None and back is not None:
        shown = f"{state} found {again.at_s - left.since_s:g} s after it was left, in force {back.since_s - left.since_s:g} s"
        yield Edge(trial.name, f"cool_down_s {state} {stable.cool_down_s[state]:g}", shown, state, "", "")
