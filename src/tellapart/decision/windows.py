"""Which images a rule looks at: the last few, or those of some seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tellapart.records.observation import Observation

Images = dict[str, list[Observation]]
MOST_IMAGES = 10_000
"""Images of one input that a window of seconds keeps; where there are more, the oldest are forgotten."""


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
        if len(kept) > (self.last or MOST_IMAGES):
            del kept[0]

    def at(self, now_s: float) -> Images:
        """The images of the window at an instant."""
        if self.seconds is not None:
            for kept in self.images.values():
                old = next((n for n, one in enumerate(kept) if one.at_s + self.seconds > now_s), len(kept))
                del kept[:old]
        return self.images

    def due(self) -> float | None:
        """When the next image grows too old."""
        if self.seconds is None:
            return None
        return min((kept[0].at_s + self.seconds for kept in self.images.values() if kept), default=None)
