"""Whether a network still tells images apart: how far its vectors spread, and along how many directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, TrainingError

MIN_SPREAD = 0.01
"""Vectors that spread less all point one way: the mean cosine of two of them is above 1 - MIN_SPREAD²."""
MIN_RANK = 2.0
"""Vectors along one line have an effective rank of 1, and of 1.6 at most when they are brought to length one."""
PATIENCE = 2
"""Epochs in a row after which a collapse is believed: a network that has just begun may look like one."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How n vectors of length one lie.

    `deviation` is their standard deviation per column times the root of the number of columns: 0 when all are the same,
    1 when their mean is nought. `rank` is the exponential of the entropy of the singular values of what is left without
    the mean, each as a share of their sum (Roy and Vetterli 2007; of embeddings: Garrido et al. 2023): from 1, all along
    one direction, to the smaller of n - 1 and the number of columns.
    """

    deviation: float
    rank: float

    @property
    def collapsed(self) -> bool:
        """Nothing is told apart any more. What is no number counts as collapsed as well."""
        return not (self.deviation >= MIN_SPREAD and self.rank >= MIN_RANK)

    def __str__(self) -> str:
        return f"deviation {self.deviation:.3f}, effective rank {self.rank:.1f}"


def spread(vectors: NDArray[np.floating[Any]]) -> Spread:
    """The spread of vectors (n, d), n at least 2; each is brought to length one first. NaN where one has no length."""
    if not np.isfinite(vectors).all():
        return Spread(float("nan"), float("nan"))
    unit = unit_length(vectors)
    deviation = float(np.sqrt(unit.var(axis=0).sum()))
    sizes = np.linalg.svd(unit - unit.mean(axis=0), compute_uv=False)
    if not sizes.sum() > 0:
        return Spread(deviation, 1.0)
    shares = sizes / sizes.sum()
    shares = shares[shares > 0]
    return Spread(deviation, float(np.exp(-(shares * np.log(shares)).sum())))


def unit_length(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Rows (n, d) of length one; a row of zeros stays."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.asarray(exact / np.maximum(lengths, 1e-12))


def check_spread(history: Sequence[tuple[Spread, Spread]]) -> None:
    """Stop a training whose last epochs have collapsed; pairs of (embeddings, projections), one per epoch.

    Raises:
        TrainingError: `collapsed`.
    """
    last = history[-PATIENCE:]
    if len(last) < PATIENCE or not all(any(one.collapsed for one in pair) for pair in last):
        return
    embeddings, projections = last[-1]
    what, found = ("embeddings", embeddings) if embeddings.collapsed else ("projections", projections)
    raise TrainingError(
        Reason.COLLAPSED,
        f"the network gives nearly the same vector for every image since {PATIENCE} epochs ({what}: {found}), so that nothing "
        "is left to learn; begin anew with a lower learning rate (--set optimizer.lr=…), a larger batch or stronger "
        "augmentation, or more varied images",
    )
