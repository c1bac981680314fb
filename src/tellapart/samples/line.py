"""What to film: sequences of a bottling line on which parts pass a camera one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

from tellapart.errors import Reason, SettingsError

EMPTY, GOOD, DEFECTIVE = "empty", "good", "defective"


class LineVideoOptions(TypedDict, total=False):
    """The keywords of `line_frames` and `write_line`; meanings and defaults are those of `LineVideo`."""

    n_sequences: int
    seconds: float
    fps: float
    parts_per_minute: float
    defective: float
    kinds: bool
    seed: int
    height_px: int


@dataclass(frozen=True, slots=True)
class LineVideo:
    """Sequences of `seconds` at `fps` pictures a second, on which `parts_per_minute` bottles pass (1–60).

    `defective` is the share of parts with a fault. Labels are `empty`, `good` and `defective`; with `kinds` the fault's own
    name stands instead of `defective`. `height_px` is the height of a picture; the width is four thirds of it.
    """

    n_sequences: int = 12
    seconds: float = 30.0
    fps: float = 5.0
    parts_per_minute: float = 20.0
    defective: float = 0.3
    kinds: bool = False
    seed: int = 0
    height_px: int = 240

    def __post_init__(self) -> None:
        faults = [
            f"{name} is a whole number of at least {least}, got {value!r}"
            for name, value, least in (
                ("n_sequences", self.n_sequences, 1), ("seed", self.seed, 0), ("height_px", self.height_px, 32),
            )
            if not isinstance(value, int) or value < least
        ]  # fmt: skip
        faults += [
            f"{name} is a number from {least:g} to {most:g}, got {value!r}"
            for name, value, least, most in (
                ("seconds", self.seconds, 1, 86400), ("fps", self.fps, 0.1, 240),
                ("parts_per_minute", self.parts_per_minute, 1, 60), ("defective", self.defective, 0, 1),
            )
            if not (math.isfinite(value) and least <= value <= most)
        ]  # fmt: skip
        if faults:
            raise SettingsError(Reason.BAD_SETTING, "the line cannot be filmed: " + "; ".join(faults))

    @property
    def n_frames(self) -> int:
        """Pictures of one sequence."""
        return max(1, int(self.seconds * self.fps + 1e-9))

    @property
    def n_test(self) -> int:
        """Sequences at the end that are kept for testing: a third of them."""
        return self.n_sequences // 3 if self.n_sequences > 2 else self.n_sequences - 1

    def label(self, kind: str) -> str:
        """What an attentive person writes down for a part of this kind."""
        return kind if self.kinds or kind in (EMPTY, GOOD) else DEFECTIVE
