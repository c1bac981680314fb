"""How well clusters agree with labels that people gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over the `n` labelled images that lie in a cluster; `n_none` more are labelled and lie in none.

    `purity` (0 to 1) is the share that has the most frequent label of its cluster: 1 as well for clusters of one image
    each, so read it with the number of clusters. `chance` is the purity of one single cluster. `adjusted_rand` (Hubert and
    Arabie 1985; 0 by chance, 1 the same groups) and `mutual_information` (normalised by the mean entropy, 0 to 1) also
    fall when a label is spread over many clusters.
    """

    n: int
    n_none: int
    purity: float
    chance: float
    adjusted_rand: float
    mutual_information: float

    def to_json(self) -> dict[str, Any]:
        """All figures, rounded."""
        return {
            "labelled_in_clusters": self.n,
            "labelled_in_none": self.n_none,
            "purity": round(self.purity, 4),
            "purity_of_one_cluster": round(self.chance, 4),
            "adjusted_rand": round(self.adjusted_rand, 4),
            "normalised_mutual_information": round(self.mutual_information, 4),
        }


def agreement(of: NDArray[np.int64], labels: Sequence[str | None]) -> Agreement | None:
    """Compare clusters int64 (n,), -1 for none, with labels (None: unlabelled); None where fewer than two rows have both."""
    known = np.array([label is not None for label in labels], bool)
    rows = np.flatnonzero(known & (of >= 0))
    if len(rows) < 2:
        return None
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    names = {name: i for i, name in enumerate(dict.fromkeys(labels[row] for row in rows.tolist()))}
    truth = np.array([names[labels[row]] for row in rows.tolist()], np.int64)
    found = of[rows]
    table = np.zeros((int(found.max()) + 1, len(names)), np.int64)
    np.add.at(table, (found, truth), 1)
    return Agreement(
        n=len(rows),
        n_none=int(known.sum()) - len(rows),
        purity=float(table.max(axis=1).sum() / len(rows)),
        chance=float(table.sum(axis=0).max() / len(rows)),
        adjusted_rand=float(adjusted_rand_score(truth, found)),
        mutual_information=float(normalized_mutual_info_score(truth, found)),
    )
