"""How many images are labelled right by those most like them: what pre-training gains, seen while it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.training.selfsup.monitor import unit_length

NEIGHBOURS = 20
TEMPERATURE = 0.07
"""Both as in Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR 2018."""


def neighbour_accuracy(
    embeddings: NDArray[np.floating[Any]], classes: NDArray[np.int64], groups: NDArray[np.int64]
) -> float | None:
    """Share of n images whose nearest ones in other groups vote for their class; None without two classes.

    `embeddings` float (n, d), `classes` int64 (n,) from 0, `groups` int64 (n,): what belongs together does not vote for
    its own. Cosine similarity over `TEMPERATURE`, exponentiated, is the weight of each of the `NEIGHBOURS` votes.
    """
    if len(np.unique(classes)) < 2 or len(np.unique(groups)) < 2:
        return None
    unit = unit_length(embeddings)
    similarity = unit @ unit.T
    similarity[groups[:, None] == groups[None, :]] = -np.inf
    k = min(NEIGHBOURS, len(unit) - 1)
    nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    weights = np.exp(np.take_along_axis(similarity, nearest, axis=1) / TEMPERATURE)
    votes = np.zeros((len(unit), int(classes.max()) + 1))
    np.add.at(votes, (np.arange(len(unit))[:, None], classes[nearest]), weights)
    return float((votes.argmax(axis=1) == classes).mean())
