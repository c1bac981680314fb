"""A policy at work: observations in, decisions out. No clock but that of the images, nothing random, nothing outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any

from tellapart.decision.track import Found, TrackRun
from tellapart.errors import Reason, SpecError
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation


class Engine:
    """The memory of a policy between images.

    Whatever the order within an instant, the size of batches or the times at which `until` is called: the same observations
    give the same decisions with the same ids. What time alone changes (silence, images that grow old, the end of an episode
    or of a least duration) is decided for the instant at which it happens, not for the one at which somebody looked.
    """

    def __init__(self, policy: Any, identity: str, subject: str = "") -> None:
        """`identity` is the policy's name and hash, as decisions name it; `subject` what they are about."""
        self._identity, self._subject, self._inputs = identity, subject, tuple(policy.inputs)
        self._tracks = {name: TrackRun(track, self._inputs) for name, track in policy.tracks.items()}
        self._now_s = float("-inf")

    def step(self, observations: Sequence[Observation]) -> list[Decision]:
        """Take all images of one instant; one decision for each track, and before them what time alone brought.

        Raises:
            SpecError: `bad_policy` for an input that the policy does not know, or images that go back in time.
        """
        ordered = sorted(observations, key=lambda one: one.order)
        at_s = self._instant(ordered)
        decisions = self.until(at_s)
        self._now_s = at_s
        for name, run in self._tracks.items():
            decisions += [self._decision(name, found) for found in run.step(at_s, ordered)]
        return decisions

    def until(self, at_s: float) -> list[Decision]:
        """What time alone brings up to and with an instant."""
        decisions = []
        while (wake := self._next_wake()) is not None and wake[0] <= at_s:
            due, name = wake
            decisions += [self._decision(name, found) for found in self._tracks[name].woken(due)]
        self._now_s = max(self._now_s, at_s) if decisions else self._now_s
        return decisions

    def close(self) -> list[Decision]:
        """The stream has ended: episodes under way end with their last image."""
        return [self._decision(name, found) for name, run in self._tracks.items() for found in run.close(self._now_s)]

    def run(self, observations: Iterable[Observation]) -> Iterator[Decision]:
        """A whole recording, sorted by time."""
        for _, instant in groupby(observations, key=lambda one: one.at_s):
            yield from self.step(list(instant))
        yield from self.close()

    def _next_wake(self) -> tuple[float, str] | None:
        found = [(wake, name) for name, run in self._tracks.items() if (wake := run.wake()) is not None]
        return min(found, default=None)

    def _instant(self, ordered: Sequence[Observation]) -> float:
        unknown = sorted({one.input for one in ordered} - set(self._inputs))
        if unknown:
            known = ", ".join(map(repr, self._inputs))
            raise SpecError(
                Reason.BAD_POLICY, f"the policy {self._identity} has no input {unknown[0]!r}, its inputs are {known}"
            )
        times = {one.at_s for one in ordered}
        if len(times) != 1 or min(times) < self._now_s:
            raise SpecError(
                Reason.BAD_POLICY,
                f"images are decided on one instant after the other, got times {sorted(times)} after {self._now_s:g}; "
                "sort them by the time of capture",
            )
        return times.pop()

    def _decision(self, track: str, found: Found) -> Decision:
        text = "\0".join(
            [self._identity, self._subject, track, repr(found.at_s), found.state, found.rule, *found.evidence]
        )
        models = tuple(dict.fromkeys(one.model_id for one in found.images if one.model_id))
        return Decision(
            id=sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16],
            at_s=found.at_s,
            track=track,
            state=found.state,
            since_s=found.since_s,
            changed=found.changed,
            rule=found.rule,
            because=found.because,
            evidence=found.evidence,
            policy=self._identity,
            models=models,
            episode=found.episode,
            final=found.final,
            subject=self._subject,
        )
