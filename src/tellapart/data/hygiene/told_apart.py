"""How well a model tells two classes apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ToldApart:
    """Of pairs with one image of each class, the share that a model gets right, 0–1 (0.5 by guessing); standard error."""

    share: float
    error: float


def told_apart(labels: NDArray[np.uint8], answers: Floats, a: int, b: int) -> ToldApart | None:
    """Of columns a and b, over images with exactly one of them; None with fewer than two images of either.

    The area under the ROC curve (Mann and Whitney 1947), its error by Hanley and McNeil (1982).
    """
    only = labels[:, a] != labels[:, b]
    is_a = labels[only, a].astype(bool)
    n_a, n_b = int(is_a.sum()), int((~is_a).sum())
    if min(n_a, n_b) < 2:
        return None
    area = _area(answers[only, a] - answers[only, b], is_a)
    both, one = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (n_a - 1) * (both - area**2) + (n_b - 1) * (one - area**2)
    # The formula may fall to 0, where a single pair the other way round would still change the area.
    return ToldApart(area, float(np.sqrt(max(spread, 0.25) / (n_a * n_b))))


def _area(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Share of pairs whose positive has the higher score; ties count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))
