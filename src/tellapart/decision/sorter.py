"""Images of several inputs, each arriving when it likes, brought back into the order in which they were taken."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import count

from tellapart.records.observation import Observation

_NEVER = -math.inf


class Sorter:
    """Holds images back until nothing older can come, so that `Engine` sees instant after instant.

    Each input delivers its own images in the order of their time (those of one instant together); how far one input lags
    behind another does not matter within `patience_s`. Then decisions are those of the sorted recording, whatever arrived
    with whatever. With a single input nothing waits.

    `now_s` is a time of the clock of the images: when arrivals were last collected, not when a model was done with them.
    """

    def __init__(self, inputs: Sequence[str], patience_s: float) -> None:
        """`inputs` are all that a decision hears; `patience_s` is how much later than another one an image may come."""
        self._heard_s = dict.fromkeys(inputs, _NEVER)
        self._patience_s = patience_s
        self._waiting: list[tuple[tuple[float, str, str], int, Observation]] = []
        self._arrival = count()
        self._released_s = self._safe_s = _NEVER
        self.n_late = 0
        """Images that came after their instant was decided; they were dropped."""

    def __len__(self) -> int:
        """Images that wait: never more than come in `patience_s`."""
        return len(self._waiting)

    def push(self, observations: Iterable[Observation]) -> None:
        """Take what arrived, in any order."""
        for one in observations:
            if one.at_s <= self._released_s or one.at_s < self._safe_s:
                self.n_late += 1
                continue
            heappush(self._waiting, (one.order, next(self._arrival), one))
            self._heard_s[one.input] = max(one.at_s, self._heard_s.get(one.input, _NEVER))

    def ready(self, now_s: float) -> list[list[Observation]]:
        """Instants for `Engine.step`, oldest first: those that every input has reached, and those older than the patience."""
        known_s = self._known_s()
        found: list[list[Observation]] = []
        while self._waiting:
            at_s = self._waiting[0][2].at_s
            # A sum, as whoever is late to the very instant computes it: a difference would round otherwise.
            if at_s > known_s and at_s + self._patience_s >= now_s:
                break
            found.append(self._instant(at_s))
        return found

    def safe_s(self, now_s: float) -> float:
        """The time up to which `Engine.until` may be called after `ready`: no image from before it is waited for."""
        # Rounded down: who arrives exactly when the patience ends is in time.
        patient_s = now_s - self._patience_s - math.ulp(now_s)
        self._safe_s = max(self._safe_s, self._known_s(), patient_s)
        return self._safe_s

    def rest(self) -> list[list[Observation]]:
        """All instants that wait still: nothing more will come."""
        return self.ready(math.inf)

    def _known_s(self) -> float:
        """The time that every input has reached."""
        return min(self._heard_s.values(), default=_NEVER)

    def _instant(self, at_s: float) -> list[Observation]:
        """All waiting images of the oldest instant."""
        images = []
        while self._waiting and self._waiting[0][2].at_s == at_s:
            images.append(heappop(self._waiting)[2])
        self._released_s = at_s
        return images
