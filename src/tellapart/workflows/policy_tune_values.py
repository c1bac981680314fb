"""The values that a tuning tries for a number: few, round, and where the recorded images say something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.records.observation import Observation

Doubles = NDArray[np.float64]
_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100)
_FACTORS = (0.25, 0.4, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.0, 4.0)
_EVEN = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
# Alarms are rare: what decides lies in the upper tail of the images, where even steps are too wide.
_QUANTILES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995)


class Seen:
    """Figures of recorded images by input: what there is to choose thresholds from. Their labels play no part."""

    def __init__(
        self, sequences: Iterable[Sequence[Observation]], inputs: Sequence[str], groups: Mapping[str, Sequence[str]]
    ) -> None:
        """`inputs` are the policy's; a condition that names none looks at the first. `groups` stand for several labels."""
        self._first, self._groups = inputs[0], groups
        self._images: dict[str, list[Observation]] = defaultdict(list)
        steps: list[float] = []
        for sequence in sequences:
            last: dict[str, float] = {}
            for one in sequence:
                self._images[one.input].append(one)
                if one.input in last:
                    steps.append(one.at_s - last[one.input])
                last[one.input] = one.at_s
        self._interval_s = float(np.median(steps)) if steps else 1.0

    def interval_s(self) -> float:
        """Median time between two images of an input."""
        return self._interval_s

    def images_in(self, window: Mapping[str, Any]) -> int:
        """How many images of an input a window may come to hold, as far as the recording tells."""
        if window.get("last") is not None:
            return max(3 * int(window["last"]), 15)
        if window.get("seconds") is not None and self._interval_s > 0:
            return int(np.clip(4 * window["seconds"] / self._interval_s, 1, _COUNTS[-1]))
        return 15

    def confidences(self, name: str | None, label: str) -> Doubles:
        """The confidences in a label of the images that are not unknown."""
        names = self._groups.get(label, (label,))
        known = [one.confidences for one in self._of(name) if not one.unknown]
        return np.array([min(sum(one.get(member, 0.0) for member in names), 1.0) for one in known])

    def margins(self, name: str | None) -> Doubles:
        """How far the likeliest label is ahead of the next."""
        ranked = (sorted(one.confidences.values(), reverse=True) for one in self._of(name))
        return np.array([[*values, 0.0, 0.0][0] - [*values, 0.0, 0.0][1] for values in ranked])

    def oddities(self, name: str | None) -> Doubles:
        """The OOD scores."""
        return np.array([one.ood_score for one in self._of(name)])

    def _of(self, name: str | None) -> Sequence[Observation]:
        return self._images[self._first if name is None else name]


def figures(observed: Doubles) -> list[float]:
    """Thresholds from observed figures: quantiles, and even steps between the lowest and the highest; () for none."""
    if not len(observed):
        return []
    low, high = float(observed.min()), float(observed.max())
    picked = [*_EVEN, *np.quantile(observed, _QUANTILES).tolist()]
    return sorted({near for one in picked if low < (near := rounded(one)) <= high})


def posteriors() -> list[float]:
    """Thresholds of a probability that evidence drives towards 0 and 1."""
    return [0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999]


def counts(given: int, most: int) -> list[int]:
    """Whole numbers from 1, closer where they are small, and the neighbours of the given one."""
    return sorted({n for n in (*_COUNTS, given - 1, given, given + 1) if 1 <= n <= max(most, given)})


def times(given: float, least: float) -> list[float]:
    """From a quarter to four times the given one; none below the time between two images, which would tell no more."""
    return sorted({given, *(rounded(given * factor) for factor in _FACTORS if given * factor >= least)})


def shares() -> list[float]:
    """Tenths."""
    return [round(0.1 * n, 1) for n in range(1, 11)]


def rounded(value: float) -> float:
    """Two digits that tell it from 0 and, within 0–1, from 1: 0.73, 0.0041, 0.9962."""
    distance = min(abs(value), 1 - value) if 0 < value < 1 else abs(value)
    if distance < 1e-6:
        return round(value, 6)
    digits = 1 - int(np.floor(np.log10(distance)))
    return round(value, digits)
