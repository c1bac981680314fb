"""What is counted of a camera, over all processes that captured it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

_FPS_OVER_S = 10.0


class Tally:
    """Counts since the start. A process counts from zero; what it had counted when it ended is kept."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self._n_dropped_here = self._n_received = self.n_delivered = 0
        self._delivered_s: deque[float] = deque()
        self._first_s: float | None = None

    def report(self, counts: Mapping[str, int]) -> bool:
        """What the process has counted by now; whether it sampled an image since it told last."""
        before, self._now = self._now, dict(counts)
        return self._now.get("sampled", 0) > before.get("sampled", 0)

    def received(self) -> int:
        """An image arrived; how many were sampled before this process was started."""
        self._n_received += 1
        return self._before.get("sampled", 0)

    def dropped(self) -> None:
        """An image waited here until another took its place."""
        self._n_dropped_here += 1

    def delivered(self, now_s: float) -> None:
        """An image was handed out."""
        self.n_delivered += 1
        self._first_s = now_s if self._first_s is None else self._first_s
        self._delivered_s.append(now_s)

    def process_ended(self, *, lost: bool) -> None:
        """Keep its counts; images that it had taken and not sent are dropped ones."""
        left = (
            self._now.get("sampled", 0) - self._now.get("withheld", 0) - self._now.get("dropped", 0) - self._n_received
        )
        for name, count in self._now.items():
            self._before[name] = self._before.get(name, 0) + count
        self._before["dropped"] = self._before.get("dropped", 0) + max(0, left)
        self._before["reconnects"] = self._before.get("reconnects", 0) + lost
        self._now, self._n_received = {}, 0

    def count(self, name: str) -> int:
        """captured, sampled, dropped, withheld, refused or reconnects."""
        here = self._n_dropped_here if name == "dropped" else 0
        return self._before.get(name, 0) + self._now.get(name, 0) + here

    def fps(self, now_s: float) -> float:
        """Images handed out per second of the last ten; of the time since the first while that is shorter."""
        while self._delivered_s and self._delivered_s[0] < now_s - _FPS_OVER_S:
            self._delivered_s.popleft()
        if self._first_s is None or not self._delivered_s:
            return 0.0
        return len(self._delivered_s) / max(1.0, min(_FPS_OVER_S, now_s - self._first_s))
