"""One track of a policy at work: images in, states out, one instant after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.decision.episodes import Episodes
from tellapart.decision.figures import Names
from tellapart.decision.rules import Rules
from tellapart.decision.stability import Stability
from tellapart.decision.verdict import Verdict, Why
from tellapart.decision.view import View
from tellapart.decision.windows import Images, Recent
from tellapart.records.observation import Observation

OUTSIDE = "outside"
_NEVER = float("-inf")


@dataclass(slots=True)
class Found:
    """What the rules found at an instant, and what is in force after it."""

    at_s: float
    state: str
    since_s: float
    changed: bool
    rule: str
    because: str
    evidence: tuple[str, ...]
    images: Sequence[Observation]
    episode: int | None = None
    final: bool = False


class TrackRun:
    """The memory of one track. Time is that of the images; `step` and `wake` must not go back in it."""

    def __init__(
        self, track: Any, inputs: Sequence[str], groups: Mapping[str, Names], began_s: float | None = None
    ) -> None:
        """`began_s` is when the inputs were switched on; None: with the first image."""
        window = track.window
        self._track, self._inputs, self._is_item = track, inputs, bool(window.item)
        self._rules, self._stability = Rules(track.rules, groups), Stability(track.stable)
        self._silent = self._rules.silences()
        # Then the next instant need not be looked for with every image.
        self._needs_images = not self._silent and window.seconds is None and window.episode is None
        self._recent = Recent(inputs, window.last, window.seconds)
        self._episodes = (
            Episodes(inputs, window.episode.opens, window.episode.closes, groups) if window.episode else None
        )
        self._heard_s: dict[str, float] = {}
        self._began_s = began_s
        self._told: Found | None = None
        self._looked_s = _NEVER

    def step(self, at_s: float, observations: Sequence[Observation]) -> list[Found]:
        """Take the images of one instant, in the order of `Observation.order`."""
        began = [] if self._episodes is None else self._ended_by(at_s, self._episodes)
        self._began_s = at_s if self._began_s is None else self._began_s
        self._looked_s = at_s
        for one in observations:
            self._heard_s[one.input] = at_s
        if self._episodes is not None:
            return began + self._through_episodes(self._episodes, at_s, observations)
        if self._is_item:
            self._recent, self._rules.lasting = Recent(self._inputs), None
        for one in observations:
            self._recent.add(one)
        return [self._judged(at_s, self._recent.at(at_s))]

    def wake(self) -> float | None:
        """The next instant at which time alone may change something; None where only an image can."""
        if self._needs_images and self._stability.rival is None:
            return None
        dues = (self._stability.due(), self._due(), *self._silences())
        return min((due for due in dues if due is not None and due > self._looked_s), default=None)

    def woken(self, at_s: float) -> list[Found]:
        """Look again at an instant that `wake` named: what changed, and episodes that ended."""
        self._looked_s = at_s
        if self._episodes is None:
            found = self._judged(at_s, self._recent.at(at_s), counts=False)
        else:
            ended = self._ended_by(at_s, self._episodes)
            if ended or not self._changes_alone(self._episodes):
                return ended
            found = self._between(at_s, self._episodes, counts=False)
        return [found] if found.changed else []

    def close(self, at_s: float) -> list[Found]:
        """The stream has ended: so does the episode under way."""
        if self._episodes is not None and self._episodes.is_open:
            return [self._closed(self._episodes, at_s)]
        return []

    def _due(self) -> float | None:
        return self._recent.due() if self._episodes is None else self._episodes.due()

    def _silences(self) -> list[float]:
        if self._began_s is None or not self._silent:
            return []
        only = self._inputs[0]
        return [self._heard_s.get(name or only, self._began_s) + seconds for name, seconds in self._silent]

    def _ended_by(self, at_s: float, all_of: Episodes) -> list[Found]:
        """The episode that time has ended by an instant."""
        due = all_of.due()
        return [self._closed(all_of, at_s)] if due is not None and due <= at_s else []

    def _changes_alone(self, all_of: Episodes) -> bool:
        """Whether time alone may bring another state: a rule of an episode that decides as it runs, or a state that waits.

        A result stands between episodes until an image comes, however silent it is.
        """
        return self._runs() if all_of.is_open else self._stability.rival is not None

    def _runs(self) -> bool:
        return bool(self._track.window.episode.decides == "running")

    def _through_episodes(self, all_of: Episodes, at_s: float, observations: Sequence[Observation]) -> list[Found]:
        closed: list[Found] = []
        for one in observations:
            if all_of.ends_before(one):
                closed.append(self._closed(all_of, at_s))
            if all_of.begins_with(one):
                all_of.open(at_s)
                self._rules.lasting = None
            if all_of.is_open:
                all_of.add(one)
            if all_of.ends_with(one):
                closed.append(self._closed(all_of, at_s))
        if (all_of.is_open and self._runs()) or not (all_of.is_open or closed):
            return [*closed, self._between(at_s, all_of)]
        return closed

    def _between(self, at_s: float, all_of: Episodes, *, counts: bool = True) -> Found:
        """The state while an episode runs, or outside of all."""
        if all_of.is_open:
            return self._judged(at_s, all_of.images, counts=counts, episode=all_of.number)
        state = self._track.outside or self._track.fallback
        changed = self._stability.settle(state, at_s, counts=counts)
        return self._settled(at_s, state, changed, OUTSIDE, Verdict(True, _no_episode), {}, None, False)

    def _closed(self, all_of: Episodes, at_s: float) -> Found:
        found = self._judged(at_s, all_of.images, episode=all_of.number, final=True)
        all_of.close()
        return found

    def _judged(
        self, at_s: float, images: Images, *, counts: bool = True, episode: int | None = None, final: bool = False
    ) -> Found:
        view = View(images, at_s, self._heard_s, at_s if self._began_s is None else self._began_s)
        number, verdict = self._rules.found(view)
        state = self._rules.state(number, self._track.fallback)
        # What an episode comes to is its result, whatever came out of the one before.
        changed = self._stability.settle(state, at_s, counts=counts, at_once=final)
        self._rules.settled(number, self._stability.state)
        return self._settled(at_s, state, changed, self._rules.name(number), verdict, images, episode, final)

    def _settled(
        self,
        at_s: float,
        state: str,
        changed: bool,
        rule: str,
        verdict: Verdict,
        images: Images,
        episode: int | None,
        final: bool,
    ) -> Found:
        (because, used), current = verdict.why(), self._stability.state or state
        if state != current and self._told is not None:
            rule, because = self._told.rule, f"{self._told.because}; {self._stability.why_not(at_s)}"
        used = used or [one for of in images.values() for one in of]
        evidence = tuple(dict.fromkeys([one.id for one in used]))
        found = Found(at_s, current, self._stability.since_s, changed, rule, because, evidence, used, episode, final)
        if state == current:
            self._told = found
        return found


def _no_episode() -> Why:
    return Why("no episode is open")
