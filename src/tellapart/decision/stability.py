"""What keeps a state from flickering: several times in a row, a least duration, and a time in which it is not entered again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Stability:
    """The state in force. `rules` finds a state at each instant, `settle` says which one holds.

    A state is entered when it was found `enter` times in a row, when the one in force has lasted its `hold_s`, and when its
    own `cool_down_s` since it was left is over. The first state of all is entered at once. Finding the state in force ends a
    row of others; so does another find among them.
    """

    rules: Any
    state: str | None = None
    since_s: float = 0.0
    rival: str | None = None
    times: int = 0
    left_s: dict[str, float] = field(default_factory=dict)

    def settle(self, found: str, now_s: float, *, counts: bool = True, at_once: bool = False) -> bool:
        """Whether the state in force changes to what was found at this instant; what time alone brought does not count
        among the times in a row, and the result of an episode is entered `at_once`."""
        if found == self.state:
            self.rival, self.times = None, 0
            return False
        self.times = (self.times if found == self.rival else 0) + counts
        self.rival = found
        if self.state is not None and not at_once and not self._may_enter(found, now_s):
            return False
        self.rival, self.times = None, 0
        if self.state is not None:
            self.left_s[self.state] = now_s
        self.state, self.since_s = found, now_s
        return True

    def why_not(self, now_s: float) -> str:
        """What keeps the state that was found from being entered, in words; "" where nothing does."""
        if self.rival is None or self.state is None:
            return ""
        if not self._often_enough(self.rival):
            return f"{self.rival!r} was found {self.times} of {self.rules.enter[self.rival]} times in a row"
        if now_s < self.since_s + self.rules.hold_s.get(self.state, 0.0):
            return f"{self.state!r} holds for {self.rules.hold_s[self.state]:g} s at least"
        return f"{self.rival!r} cools down for {self.rules.cool_down_s[self.rival]:g} s"

    def due(self) -> float | None:
        """When time alone may let the state that was found come into force."""
        if self.rival is None or self.state is None or not self._often_enough(self.rival):
            return None
        cooled = self.left_s.get(self.rival, float("-inf")) + self.rules.cool_down_s.get(self.rival, 0.0)
        return float(max(self.since_s + self.rules.hold_s.get(self.state, 0.0), cooled))

    def _may_enter(self, found: str, now_s: float) -> bool:
        rules, state = self.rules, self.state or ""
        # Sums as in `due`: a difference would round otherwise, and the instant of `due` be missed by a hair.
        held = now_s >= self.since_s + rules.hold_s.get(state, 0.0)
        cooled = now_s >= self.left_s.get(found, float("-inf")) + rules.cool_down_s.get(found, 0.0)
        return bool(self._often_enough(found) and held and cooled)

    def _often_enough(self, found: str) -> bool:
        """Where once is enough, time alone may bring a state: an image grew old, a camera fell silent."""
        needed = self.rules.enter.get(found, 1)
        return bool(needed == 1 or self.times >= needed)
