"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random

_WELL_AFTER_S = 5.0
_SPREAD = 0.25
_FAILURES_AFTER_IMAGES = 2


class Backoff:
    """Twice as long after each failure, from `first_s` to `longest_s`, a quarter more or less by chance: cameras that were
    lost together do not come back together. The chance is that of `seed` (the camera's name): the same in every run."""

    def __init__(self, first_s: float, longest_s: float, seed: str) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._chance = random.Random(seed)
        self._n_failures = 0
        self._well_since_s: float | None = None

    def failed(self) -> float:
        """Seconds to wait now, at least 0.75 `first_s` and at most `longest_s`."""
        wait_s = self._first_s * 2.0 ** min(self._n_failures, 60)
        self._n_failures += 1
        self._well_since_s = None
        return min(self._longest_s, wait_s * self._chance.uniform(1 - _SPREAD, 1 + _SPREAD))

    def well(self, now_s: float) -> None:
        """An image came, so nothing has to be spared any more: the next wait is at most four times the first. After five
        seconds of images the next failure counts as the first."""
        self._n_failures = min(self._n_failures, _FAILURES_AFTER_IMAGES)
        if self._well_since_s is None:
            self._well_since_s = now_s
        elif now_s - self._well_since_s >= _WELL_AFTER_S:
            self._n_failures = 0
