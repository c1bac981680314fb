"""Images of one part or one visit: between an opening and a closing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tellapart.decision.figures import Names, answered
from tellapart.decision.windows import Images
from tellapart.records.observation import Observation


@dataclass(slots=True)
class Episodes:
    """`number` counts the episodes from 1, 0 before the first; `images` are those of the one under way, or of the last."""

    inputs: Sequence[str]
    opens: Any
    closes: Any
    groups: Mapping[str, Names] = field(default_factory=dict)
    number: int = 0
    opened_s: float | None = None
    last_s: float = 0.0
    n_images: int = 0
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
        return self.is_open and (self._answers(self.closes, one) or (self._begins_the_next() and self._calls(one)))

    def ends_with(self, one: Observation) -> bool:
        """Whether an image closes the episode as its last one."""
        if not self.is_open:
            return False
        return self.n_images >= self.closes.after_images or (self._calls(one) and not self._begins_the_next())

    def begins_with(self, one: Observation) -> bool:
        """Whether an image opens an episode: any does where nothing is named, but one that would close it."""
        return not self.is_open and not self._answers(self.closes, one) and self._opens(one)

    def open(self, at_s: float) -> None:
        """Begin an episode."""
        self.number, self.opened_s, self.last_s, self.n_images = self.number + 1, at_s, at_s, 0
        self.images = {name: [] for name in self.inputs}

    def add(self, one: Observation) -> None:
        """Take a further image of the episode under way."""
        self.images[one.input].append(one)
        self.n_images += 1
        if _of(self.opens, one) and (self.opens.predicted is None or self._answers(self.opens, one)):
            self.last_s = one.at_s  # a gap is time without the part, not without an image

    def close(self) -> None:
        """End it; its images stay until the next one opens."""
        self.opened_s = None

    def _opens(self, one: Observation) -> bool:
        opens = self.opens
        if opens.predicted is None and opens.trigger is None:
            return _of(opens, one)
        return self._answers(opens, one) or (opens.trigger is not None and _called(opens, one))

    def _answers(self, end: Any, one: Observation) -> bool:
        """Whether an image has the answer that an opening or closing names."""
        label = end.predicted
        return label is not None and _of(end, one) and answered(one, self.groups.get(label, (label,)))

    def _calls(self, one: Observation) -> bool:
        return self.closes.trigger is not None and _called(self.closes, one)

    def _begins_the_next(self) -> bool:
        """One trigger for both: each part begins where the one before ends."""
        return self.closes.trigger is not None and self.closes.trigger == self.opens.trigger


def _of(end: Any, one: Observation) -> bool:
    return end.input is None or end.input == one.input


def _called(end: Any, one: Observation) -> bool:
    return _of(end, one) and one.trigger == end.trigger
