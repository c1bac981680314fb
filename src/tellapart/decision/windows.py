"""Which images a rule looks at: the last few, those of some seconds, those of one part or visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tellapart.records.observation import Observation

Images = dict[str, list[Observation]]


@dataclass(slots=True)
class Recent:
    """The last `last` images of each input, or those younger than `seconds`: one that is exactly so old is out."""

    inputs: Sequence[str]
    last: int | None = None
    seconds: float | None = None
    images: Images = field(init=False)

    def __post_init__(self) -> None:
        self.images = {name: [] for name in self.inputs}

    def add(self, one: Observation) -> None:
        """Take a further image, not older than those before."""
        kept = self.images[one.input]
        kept.append(one)
        if self.last is not None:
            del kept[: -self.last]

    def at(self, now_s: float) -> Images:
        """The images of the window at an instant."""
        if self.seconds is not None:
            for kept in self.images.values():
                while kept and kept[0].at_s + self.seconds <= now_s:
                    del kept[0]
        return self.images

    def due(self) -> float | None:
        """When the next image grows too old."""
        if self.seconds is None:
            return None
        return min((kept[0].at_s + self.seconds for kept in self.images.values() if kept), default=None)


@dataclass(slots=True)
class Episodes:
    """Images between an opening and a closing; `number` counts the episodes from 1, 0 before the first."""

    inputs: Sequence[str]
    opens: Any
    closes: Any
    number: int = 0
    opened_s: float | None = None
    last_s: float = 0.0
    images: Images = field(init=False)

    def __post_init__(self) -> None:
        self.images = {name: [] for name in self.inputs}

    @property
    def is_open(self) -> bool:
        """Whether one is under way."""
        return self.opened_s is not None

    def due(self) -> float | None:
        """When the episode under way closes if nothing more comes; None where nothing but an image can close it."""
        if self.opened_s is None:
            return None
        ends = []
        if self.closes.gap_s is not None:
            ends.append(self.last_s + self.closes.gap_s)
        if self.closes.after_s is not None:
            ends.append(self.opened_s + self.closes.after_s)
        return min(ends, default=None)

    def ends_before(self, one: Observation) -> bool:
        """Whether an image closes the episode under way without being part of it."""
        return self.is_open and self.closes.predicted is not None and self.closes.predicted in one.predicted

    def ends_with(self, one: Observation) -> bool:
        """Whether an image closes the episode as its last one."""
        return self.is_open and self.closes.trigger is not None and one.trigger == self.closes.trigger

    def begins_with(self, one: Observation) -> bool:
        """Whether an image opens an episode: any does where nothing is named, but one that would close it."""
        if self.is_open or (self.closes.predicted is not None and self.closes.predicted in one.predicted):
            return False
        opens = self.opens
        if opens.predicted is None and opens.trigger is None:
            return True
        return (opens.predicted is not None and opens.predicted in one.predicted) or (
            opens.trigger is not None and one.trigger == opens.trigger
        )

    def open(self, at_s: float) -> None:
        """Begin an episode."""
        self.number, self.opened_s, self.last_s = self.number + 1, at_s, at_s
        self.images = {name: [] for name in self.inputs}

    def add(self, one: Observation) -> None:
        """Take a further image of the episode under way."""
        self.images[one.input].append(one)
        if self.opens.predicted is None or self.opens.predicted in one.predicted:
            self.last_s = one.at_s  # a gap is time without the part, not without an image

    def close(self) -> None:
        """End it; its images stay until the next one opens."""
        self.opened_s = None
