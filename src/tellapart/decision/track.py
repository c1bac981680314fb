"""One track of a policy at work: images in, states out, one instant after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tellapart.decision.conditions import View, judge, kind
from tellapart.decision.stability import Stability
from tellapart.decision.verdict import Verdict
from tellapart.decision.windows import Episodes, Images, Recent
from tellapart.records.observation import Observation

FALLBACK = "fallback"
OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Found:
    """What the rules found at an instant, and what is in force after it."""

    at_s: float
    state: str
    since_s: float
    changed: bool
    rule: str
    because: str
    evidence: tuple[str, ...]
    images: tuple[Observation, ...]
    episode: int | None = None
    final: bool = False


@dataclass(slots=True)
class TrackRun:
    """The memory of one track. Time is that of the images; `step` and `wake` must not go back in it."""

    track: Any
    inputs: Sequence[str]
    stability: Stability = field(init=False)
    recent: Recent | None = field(init=False)
    episodes: Episodes | None = field(init=False)
    heard_s: dict[str, float] = field(default_factory=dict)
    began_s: float | None = None
    in_force: int | None = None  # the rule by which the state in force was entered
    told: Found | None = None
    woken_s: float = float("-inf")

    def __post_init__(self) -> None:
        window = self.track.window
        self.stability = Stability(self.track.stable)
        self.recent = None if window.episode else Recent(self.inputs, window.last, window.seconds)
        self.episodes = Episodes(self.inputs, window.episode.opens, window.episode.closes) if window.episode else None

    def step(self, at_s: float, observations: Sequence[Observation]) -> Iterator[Found]:
        """Take the images of one instant, in the order of `Observation.order`."""
        self.began_s = at_s if self.began_s is None else self.began_s
        for one in observations:
            self.heard_s[one.input] = at_s
        if self.episodes is not None:
            yield from self._through_episodes(self.episodes, at_s, observations)
            return
        window = self.recent or Recent(self.inputs, 1)
        if self.track.window.item:
            window = self.recent = Recent(self.inputs)
        for one in observations:
            window.add(one)
        yield self._judged(at_s, window.at(at_s))

    def wake(self) -> float | None:
        """The next instant at which time alone may change something; None where only an image can."""
        if self.began_s is None:
            return None
        times = [self.stability.due(), *self._silences()]
        times.append(self.episodes.due() if self.episodes is not None else None)
        times.append(self.recent.due() if self.recent is not None else None)
        return min((t for t in times if t is not None and t > self.woken_s), default=None)

    def woken(self, at_s: float) -> Iterator[Found]:
        """Look again at an instant that `wake` named."""
        self.woken_s = at_s
        if self.episodes is None:
            found = self._judged(at_s, (self.recent or Recent(self.inputs, 1)).at(at_s), counts=False)
            if found.changed:
                yield found
            return
        due = self.episodes.due()
        if due is not None and due <= at_s:
            yield self._closed(self.episodes, at_s)

    def close(self, at_s: float) -> Iterator[Found]:
        """The stream has ended: so does the episode under way."""
        if self.episodes is not None and self.episodes.is_open:
            yield self._closed(self.episodes, at_s)

    def _through_episodes(self, all_of: Episodes, at_s: float, observations: Sequence[Observation]) -> Iterator[Found]:
        closed = False
        for one in observations:
            if all_of.ends_before(one):
                yield self._closed(all_of, at_s)
                closed = True
            if all_of.begins_with(one):
                all_of.open(at_s)
            if all_of.is_open:
                all_of.add(one)
            if all_of.ends_with(one):
                yield self._closed(all_of, at_s)
                closed = True
        if all_of.is_open and self.track.window.episode.decides == "running":
            yield self._judged(at_s, all_of.images, episode=all_of.number)
        elif not all_of.is_open and not closed:
            yield self._settled(at_s, self.track.outside or self.track.fallback, OUTSIDE, "no episode is open", (), {})

    def _closed(self, all_of: Episodes, at_s: float) -> Found:
        found = self._judged(at_s, all_of.images, episode=all_of.number, final=True)
        all_of.close()
        return found

    def _judged(
        self, at_s: float, images: Images, *, counts: bool = True, episode: int | None = None, final: bool = False
    ) -> Found:
        view = View(images, at_s, self.heard_s, at_s if self.began_s is None else self.began_s)
        number, verdict = self._rule(view)
        rule = self.track.rules[number] if number is not None else None
        state = self.track.fallback if rule is None else rule.state
        name = FALLBACK if rule is None else rule.name or f"rule {(number or 0) + 1} ({rule.state})"
        evidence = verdict.evidence or tuple(dict.fromkeys(i.id for of in images.values() for i in of))
        found = self._settled(at_s, state, name, verdict.because, evidence, images, counts, episode, final)
        if found.changed:
            self.in_force = number
        return found

    def _rule(self, view: View) -> tuple[int | None, Verdict]:
        """The number of the first rule that holds, or of the one in force that has not come to its `until`."""
        against = []
        for number, rule in enumerate(self.track.rules):
            verdict = judge(rule.when, view)
            if verdict:
                return number, verdict
            if rule.until is not None and number == self.in_force and rule.state == self.stability.state:
                until = judge(rule.until, view)
                if not until:
                    return number, Verdict(True, f"it lasts until otherwise: {until.because}", until.evidence)
            against.append(verdict)
        because = "no rule holds" if against else "there are no rules"
        return None, Verdict(False, "; ".join([because, *(v.because for v in against)][:4]))

    def _settled(
        self,
        at_s: float,
        state: str,
        rule: str,
        because: str,
        evidence: tuple[str, ...],
        images: Images,
        counts: bool = True,
        episode: int | None = None,
        final: bool = False,
    ) -> Found:
        # What an episode comes to is its result, whatever came out of the one before.
        changed = self._enter(state, at_s) if final else self.stability.settle(state, at_s, counts=counts)
        if not changed and state != self.stability.state and self.told is not None:
            rule, because = self.told.rule, f"{self.told.because}; {self.stability.why_not(at_s)}"
        of_evidence = set(evidence)
        used = tuple(i for of in images.values() for i in of if i.id in of_evidence)
        current = self.stability.state or state
        found = Found(at_s, current, self.stability.since_s, changed, rule, because, evidence, used, episode, final)
        if state == current:
            self.told = found
        return found

    def _enter(self, state: str, at_s: float) -> bool:
        changed = state != self.stability.state
        if changed:
            self.stability.state, self.stability.since_s = state, at_s
        return changed

    def _silences(self) -> Iterable[float]:
        for leaf in leaves(rule.when for rule in self.track.rules):
            if kind(leaf) == "silent_s":
                name = leaf.input or self.inputs[0]
                yield self.heard_s.get(name, self.began_s or 0.0) + leaf.silent_s


def leaves(conditions: Iterable[Any]) -> Iterator[Any]:
    """All conditions on images, with those inside others."""
    for one in conditions:
        inner = next((getattr(one, name) for name in ("all_of", "one_of", "none_of") if hasattr(one, name)), None)
        if inner is None:
            yield one
        else:
            yield from leaves(inner)
