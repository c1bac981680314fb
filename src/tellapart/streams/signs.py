"""Signs of a camera that delivers images and sees nothing: always the same picture, or black."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

BLACK_AFTER_S = 1.0
"""Black images are withheld at once, and the camera is black after so long: a flash of darkness is no state."""
_DARK_SHARE = 0.99
_MARGIN = 0.1


class Sign(NamedTuple):
    """What an image says of its camera, and whether it is withheld."""

    state: Literal["live", "frozen", "black"]
    withheld: bool


class Signs:
    """Looks at images one after the other. None for either limit: that sign is not looked for."""

    def __init__(self, frozen_after_s: float | None, black_below: float | None) -> None:
        self._frozen_after_s, self._black_below = frozen_after_s, black_below
        self._last: NDArray[np.uint8] | bytes | None = None
        self._last_small: NDArray[np.uint8] | None = None
        self._same_since_s = self._bright_s = 0.0
        self._started = False

    def judge(self, at_s: float, image: NDArray[np.uint8] | bytes, small: NDArray[np.uint8]) -> Sign:
        """`image` as it was captured at `at_s`, `small` its small copy uint8 (height, width, 3)."""
        same_s = self._same_for(at_s, image, small)
        if self._black_below is not None and is_black(small, self._black_below):
            lasts = at_s - self._bright_s >= BLACK_AFTER_S
            return Sign("black" if lasts else "live", True)
        self._bright_s = at_s
        if self._frozen_after_s is not None and same_s >= self._frozen_after_s:
            return Sign("frozen", True)
        return Sign("live", False)

    def _same_for(self, at_s: float, image: NDArray[np.uint8] | bytes, small: NDArray[np.uint8]) -> float:
        """Seconds since the picture was another one. The small copy answers first: whole pictures are rarely compared."""
        if not self._started:
            self._started, self._bright_s = True, at_s
        same = self._last_small is not None and np.array_equal(self._last_small, small) and _equal(self._last, image)
        if not same:
            self._same_since_s = at_s
            self._last, self._last_small = image, small
        return at_s - self._same_since_s


def is_black(small: NDArray[np.uint8], below: float) -> bool:
    """Whether 99 of 100 pixels are darker than `below` (0-255) in each colour.

    The top and bottom tenth are left aside: there cameras write the time, on a black picture as well.
    """
    margin = int(small.shape[0] * _MARGIN)
    inner = small[margin : small.shape[0] - margin]
    return float((inner.max(axis=2) < below).mean()) >= _DARK_SHARE


def _equal(before: NDArray[np.uint8] | bytes | None, now: NDArray[np.uint8] | bytes) -> bool:
    if isinstance(before, np.ndarray) and isinstance(now, np.ndarray):
        return np.array_equal(before, now)
    return isinstance(before, bytes) and before == now
