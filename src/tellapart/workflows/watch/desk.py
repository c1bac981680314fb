"""Everything that decides on a stream, and the time by which it does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tellapart.records.decision import Decision
from tellapart.records.observation import Observation
from tellapart.streams.frame import Frame
from tellapart.workflows.watch.seat import Seat

HUSH_S = 2.0
"""A folder or video that delivered nothing for so long has nothing left to catch up with."""


@dataclass(slots=True)
class Moment:
    """An instant in the time of the images. `behind` are cameras that still catch up, with the time they have come to."""

    now_s: float
    behind: Mapping[str, float] = field(default_factory=dict)

    def of(self, cameras: Sequence[str]) -> float:
        """The time for whoever hears these cameras."""
        return min((self.behind[name] for name in cameras if name in self.behind), default=self.now_s)

    def latest(self, cameras: Sequence[str]) -> float:
        """The time that any of these cameras has come to."""
        return max((self.behind.get(name, self.now_s) for name in cameras), default=self.now_s)


class Backlogs:
    """Cameras that are files: what they deliver may have been taken long ago, and time must not overtake it."""

    def __init__(self, cameras: Iterable[str], started_s: float) -> None:
        """`started_s` and the `real_s` below are of a clock that does not jump."""
        self._heard_s = dict.fromkeys(cameras, started_s)
        self._reached_s = dict.fromkeys(self._heard_s, -math.inf)

    def note(self, frames: Iterable[Frame], real_s: float) -> None:
        """Frames arrived."""
        for frame in frames:
            if frame.camera in self._heard_s:
                self._heard_s[frame.camera] = real_s
                self._reached_s[frame.camera] = max(self._reached_s[frame.camera], frame.at_s)

    def moment(self, now_s: float, real_s: float) -> Moment:
        """Now, as it is for each camera."""
        behind = {name: self._reached_s[name] for name, heard_s in self._heard_s.items() if real_s - heard_s < HUSH_S}
        return Moment(now_s, behind)


class Desk:
    """Observations in, decisions out; knows no model and no camera."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.seats = tuple(seats)
        self._hearing: dict[str, list[Seat]] = {}
        for seat in seats:
            for look in seat.hears:
                self._hearing.setdefault(look, []).append(seat)
        self._moment = Moment(-math.inf)

    @property
    def n_late(self) -> int:
        """Images that came after their instant was decided; they were dropped."""
        return sum(seat.n_late for seat in self.seats)

    def hear(self, observations: Iterable[Observation]) -> list[Decision]:
        """Take what models said of one frame; what can be decided is."""
        concerned: dict[int, Seat] = {}
        for one in observations:
            for seat in self._hearing.get(one.input, ()):
                seat.push(one)
                concerned[id(seat)] = seat
        return [one for seat in concerned.values() for one in seat.ready(self._moment.of(seat.backlogs))]

    def tick(self, moment: Moment) -> list[Decision]:
        """All that arrived before this moment was heard: decide what waited for it, and what time alone brings."""
        self._moment = moment
        decisions: list[Decision] = []
        for seat in self.seats:
            now_s = moment.of(seat.backlogs)
            decisions += [*seat.ready(now_s), *seat.until(now_s)]
        return decisions

    def close(self) -> list[Decision]:
        """Nothing more comes."""
        return [one for seat in self.seats for one in seat.close()]
