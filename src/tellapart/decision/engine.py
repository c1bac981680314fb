"""A policy at work: observations in, decisions out. No clock but that of the images, nothing random, nothing outside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any

from tellapart.decision.track import Found, TrackRun
from tellapart.errors import Reason, SpecError
from tellapart.records.decision import Decision
from tellapart.records.observation import Observation


class Engine:
    """The memory of a policy between images: its windows, bounded however long it runs.

    Whatever the order within an instant, the size of batches or the times at which `until` is called: the same observations
    give the same decisions with the same ids. What time alone changes (silence, images that grow old, the end of an episode
    or of a least duration) is decided for the instant at which it happens, not for the one at which somebody looked.
    """

    def __init__(self, policy: Any, identity: str, subject: str = "", *, began_s: float | None = None) -> None:
        """`identity` is the policy's name and hash, as decisions name it; `subject` what they are about; silence counts from
        `began_s` on, when the inputs were switched on (None: from the first image on)."""
        self._identity, self._subject, self._inputs = identity, subject, tuple(policy.inputs)
        self._tracks = {
            name: TrackRun(track, self._inputs, policy.groups, began_s) for name, track in policy.tracks.items()
        }
        self._now_s = self._decided_s = -math.inf

    def step(self, observations: Sequence[Observation]) -> list[Decision]:
        """Take all images of one instant; one decision for each track, and before them what time alone brought.

        Raises:
            SpecError: `bad_policy` for an input that the policy does not know, or images that go back in time.
        """
        ordered = sorted(observations, key=lambda one: one.order) if len(observations) > 1 else observations
        at_s = self._instant(ordered)
        decisions = self.until(at_s)
        self._now_s = self._decided_s = at_s
        for name, run in self._tracks.items():
            decisions += [self._decision(name, found) for found in run.step(at_s, ordered)]
        return decisions

    def until(self, at_s: float) -> list[Decision]:
        """What time alone brings before an instant; what it brings at that instant is decided with the images of it."""
        decisions: list[Decision] = []
        while (wake := self._next_wake()) is not None and wake[0] < at_s:
            self._now_s, name = wake
            decisions += [self._decision(name, found) for found in self._tracks[name].woken(self._now_s)]
        if decisions:
            self._decided_s = decisions[-1].at_s
        return decisions

    def close(self) -> list[Decision]:
        """The stream has ended: episodes under way end with their last image."""
        at_s = self._decided_s
        return [self._decision(name, found) for name, run in self._tracks.items() for found in run.close(at_s)]

    def run(self, observations: Iterable[Observation]) -> Iterator[Decision]:
        """A whole recording, sorted by time."""
        for _, instant in groupby(observations, key=lambda one: one.at_s):
            yield from self.step(list(instant))
        yield from self.close()

    def _next_wake(self) -> tuple[float, str] | None:
        found = None
        for name, run in self._tracks.items():
            wake = run.wake()
            if wake is not None and (found is None or (wake, name) < found):
                found = wake, name
        return found

    def _instant(self, ordered: Sequence[Observation]) -> float:
        at_s = ordered[0].at_s if ordered else math.nan
        one_instant = True
        for one in ordered:
            one_instant = one_instant and one.at_s == at_s
            if one.input not in self._inputs:
                inputs = ", ".join(map(repr, self._inputs))
                raise SpecError(
                    Reason.BAD_POLICY,
                    f"the policy {self._identity} has no input {one.input!r}, its inputs are {inputs}",
                )
        if not one_instant or not math.isfinite(at_s) or at_s < self._now_s:
            times = sorted({one.at_s for one in ordered})
            raise SpecError(
                Reason.BAD_POLICY,
                f"images are decided on one instant after the other, got times {times} after {self._now_s:g}; "
                "sort them by the time of capture",
            )
        return at_s

    def _decision(self, track: str, found: Found) -> Decision:
        ended = f"{found.episode}{found.final}"
        parts = [
            self._identity,
            self._subject,
            track,
            repr(found.at_s),
            found.state,
            found.rule,
            ended,
            *found.evidence,
        ]
        models = {one.model_id for one in found.images}
        models.discard("")
        return Decision(
            blake2b("\0".join(parts).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest(),
            found.at_s,
            track,
            found.state,
            found.since_s,
            found.changed,
            found.rule,
            found.because,
            found.evidence,
            self._identity,
            tuple(sorted(models)),
            found.episode,
            found.final,
            self._subject,
        )
