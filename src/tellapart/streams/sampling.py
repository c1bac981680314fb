"""Which images of a camera are looked at."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.records.roi import Roi

Small = NDArray[np.uint8]
"""A small copy of an image, uint8 (height, width, 3)."""


class Sampler(Protocol):
    """First asked whether an image of this time may be one, then whether this image is.

    `looks` is whether it wants to see pixels; without, and where an image cannot be decoded, `small` is None.
    """

    looks: bool

    def due(self, at_s: float) -> bool:
        """Whether the image captured at `at_s` might be taken: its pixels are needed. Asked for every image."""
        ...

    def takes(self, at_s: float, small: Small | None) -> bool:
        """Whether it is taken, from a small copy of it. Asked for images that were due."""
        ...


class EveryImage:
    """All of them."""

    looks = False

    def due(self, at_s: float) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def takes(self, at_s: float, small: Small | None) -> bool:  # noqa: ARG002
        """Always."""
        return True


class AtRate:
    """`fps` images a second of capture time: those nearest to the points of a grid, so that nothing drifts.

    2 a second of a camera's 25 are every 12th and 13th in turn. Of a camera slower than the grid all are taken.
    """

    looks = False

    def __init__(self, fps: float) -> None:
        self._period_s = 1.0 / fps
        self._due_s: float | None = None
        self._last_s: float | None = None
        self._between_s = 0.0

    def due(self, at_s: float) -> bool:
        """Whether no later image will be nearer to the next point of the grid."""
        if self._last_s is not None and at_s > self._last_s:
            gap_s = min(at_s - self._last_s, self._period_s)
            self._between_s = gap_s if not self._between_s else 0.8 * self._between_s + 0.2 * gap_s
        self._last_s = at_s
        return self._is_near(at_s)

    def takes(self, at_s: float, small: Small | None) -> bool:  # noqa: ARG002
        """Take it, and set the next point of the grid."""
        if not self._is_near(at_s):
            return False
        due_s = at_s if self._due_s is None else self._due_s
        behind = max(0, math.floor((at_s - due_s) / self._period_s))
        self._due_s = due_s + (1 + behind) * self._period_s
        return True

    def _is_near(self, at_s: float) -> bool:
        return self._due_s is None or at_s + self._between_s / 2 >= self._due_s


class WhereItMoves:
    """Images in which more than `share` of a region's pixels differ from the image that was taken last.

    A pixel differs by more than 12 of 255 grey levels. Against the image taken last, and not the one before, because what
    creeps differs from that as well. At most `fps` a second, and one after `still_s` in any case.
    """

    looks = True

    def __init__(self, share: float, fps: float, still_s: float, regions: tuple[Roi, ...]) -> None:
        self._share, self._still_s = share, still_s
        self._rate = AtRate(fps)
        self._regions = regions
        self._taken: NDArray[np.float32] | None = None
        self._taken_s = -math.inf

    def due(self, at_s: float) -> bool:
        """Whether it is time to look."""
        return self._rate.due(at_s)

    def takes(self, at_s: float, small: Small | None) -> bool:
        """Whether enough differs, or it was still for long."""
        if not self._rate.takes(at_s, small):
            return False
        if small is None:
            return True
        grey = _calm(small)
        if at_s - self._taken_s < self._still_s and not self._moves(grey):
            return False
        self._taken, self._taken_s = grey, at_s
        return True

    def _moves(self, grey: NDArray[np.float32]) -> bool:
        if self._taken is None or self._taken.shape != grey.shape:
            return True
        differs = np.abs(grey - self._taken) > _DIFFERS
        masks = [covered(roi, *grey.shape) for roi in self._regions] or [np.ones(grey.shape, bool)]
        return any(float(differs[mask].mean()) > self._share for mask in masks if mask.any())


class AtTrigger:
    """The first image after each `fire`."""

    looks = False

    def __init__(self) -> None:
        self._fired = False

    def fire(self) -> None:
        """The piece is in place."""
        self._fired = True

    def due(self, at_s: float) -> bool:  # noqa: ARG002
        """Whether the trigger fired."""
        return self._fired

    def takes(self, at_s: float, small: Small | None) -> bool:  # noqa: ARG002
        """Whether it fired; it has to fire again for the next."""
        fired, self._fired = self._fired, False
        return fired


def sampler_of(sample: Any, *, files: bool, regions: tuple[Roi, ...]) -> Sampler:
    """What `sample` (fields of `settings.stream.Sample`, or None) says; without, 2 a second, and every one of `files`."""
    if sample is None:
        return EveryImage() if files else AtRate(2.0)
    if sample.motion is not None:
        return WhereItMoves(sample.motion.share, sample.motion.fps, sample.motion.still_s, regions)
    if sample.trigger is not None:
        return AtTrigger()
    return EveryImage() if sample.every else AtRate(sample.fps)


_DIFFERS = 12.0


def _calm(small: Small) -> NDArray[np.float32]:
    """Grey in blocks of two by two: the noise of single pixels is no movement."""
    height, width = (side - side % 2 if side > 1 else 1 for side in small.shape[:2])
    grey = small[:height, :width].mean(axis=2, dtype=np.float32)
    rows, columns = min(2, height), min(2, width)
    blocks = grey.reshape(height // rows, rows, width // columns, columns)
    calm: NDArray[np.float32] = blocks.mean(axis=(1, 3))
    return calm


def covered(roi: Roi, height: int, width: int) -> NDArray[np.bool_]:
    """Which of (height, width) pixels have their middle in the region."""
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    if not roi.is_polygon:
        x0, y0, x1, y1 = roi.box
        return np.asarray((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))
    inside = np.zeros((height, width), bool)
    for (ax, ay), (bx, by) in zip(roi.points, roi.points[1:] + roi.points[:1], strict=True):
        if ay != by:  # a ray to the right leaves the polygon each time it crosses an edge
            inside ^= ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return inside
