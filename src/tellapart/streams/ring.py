"""The images of the last seconds, as they came: references, nothing is copied or encoded."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tellapart.streams.event import Seen
from tellapart.streams.frame import Frame
from tellapart.streams.journal import Behind

MAX_ANSWERS = 20_000
"""Answers without their images that are remembered: ten minutes of 16 cameras at two images a second."""


@dataclass(slots=True)
class Held:
    """A frame in memory; `kept` once it was given to be written."""

    frame: Frame
    seen: tuple[Seen, ...]
    kept: bool = False


class Ring:
    """Frames of the last `reach_s` seconds, of at most `max_bytes`; answers without their pixels for longer."""

    def __init__(self, reach_s: float, max_bytes: int) -> None:
        self._reach_s, self._max_bytes, self._bytes = reach_s, max_bytes, 0
        self._held: deque[Held] = deque()
        self._by_id: dict[str, tuple[Held, Seen]] = {}
        self._answers: OrderedDict[str, Behind] = OrderedDict()
        self.cameras: dict[str, None] = {}
        self._now_s = float("-inf")

    def add(self, frame: Frame, seen: Sequence[Seen]) -> Held:
        """Take a frame; the oldest make room for it."""
        held = Held(frame, tuple(seen))
        self.cameras[frame.camera] = None
        self._held.append(held)
        self._bytes += frame.n_bytes
        for one in held.seen:
            self._by_id[one.observation.id] = held, one
            self._answers[one.observation.id] = Behind(frame.camera, frame.number, one.roi, one.observation)
        while len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
        self.forget(frame.at_s)
        return held

    def forget(self, now_s: float) -> None:
        """Let go of what is too old, or too much."""
        self._now_s = max(self._now_s, now_s)
        while self._held and (self._bytes > self._max_bytes or self._held[0].frame.at_s < self._now_s - self._reach_s):
            self._drop(self._held.popleft())

    def between(self, cameras: Iterable[str], first_s: float, last_s: float) -> Iterator[Held]:
        """Frames of some cameras of a time, ends included."""
        of = set(cameras)
        return (one for one in self._held if one.frame.camera in of and first_s <= one.frame.at_s <= last_s)

    def of_ids(self, ids: Iterable[str]) -> Iterator[Held]:
        """Frames of observations."""
        return (self._by_id[one][0] for one in ids if one in self._by_id)

    def seen(self, ids: Iterable[str]) -> tuple[Seen, ...]:
        """Observations with their frames, in order of time."""
        found = [self._by_id[one][1] for one in ids if one in self._by_id]
        return tuple(sorted(found, key=lambda one: one.observation.order))

    def behind(self, ids: Iterable[str]) -> tuple[Behind, ...]:
        """Observations without frames, in order of time."""
        found = [self._answers[one] for one in ids if one in self._answers]
        return tuple(sorted(found, key=lambda one: one.observation.order))

    def _drop(self, held: Held) -> None:
        self._bytes -= held.frame.n_bytes
        for one in held.seen:
            known = self._by_id.get(one.observation.id)
            if known is not None and known[0] is held:
                del self._by_id[one.observation.id]
