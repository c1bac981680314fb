"""What to call a cluster: by the labels in it, or by the labels nearest to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEIGHBOURS = 10
_MOST = 0.5

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Name:
    """What a cluster is called; `label` is the most frequent one (None: no label is known), `share` of its labelled images
    (of the labelled neighbours where it has none: then `near` is True).
    """

    text: str
    label: str | None = None
    share: float | None = None
    near: bool = False


def name_clusters(of: Ints, points: Floats, labels: Sequence[str | None]) -> tuple[Name, ...]:
    """Names of clusters 0 … k-1 of points float32 (n, d), by the labels of the rows (None: unlabelled).

    The label of at least half of the labelled images in it: "mostly crack (82 %)", "all crack". Of several that share it:
    "mixed: crack 40 %, dent 35 %". Without any labelled image the label that most of the ten labelled images nearest to
    its centre have: "cluster 3 near crack". Where nothing is labelled at all: "cluster 3". Numbers shown begin with 1.
    """
    known = np.array([label is not None for label in labels], bool)
    n_clusters = int(of.max(initial=-1)) + 1
    return tuple(_name(cluster, of, points, labels, known) for cluster in range(n_clusters))


def _name(cluster: int, of: Ints, points: Floats, labels: Sequence[str | None], known: NDArray[np.bool_]) -> Name:
    inside = np.flatnonzero((of == cluster) & known)
    if len(inside):
        return _inside(_ranked(labels, inside))
    labelled = np.flatnonzero(known)
    if not len(labelled):
        return Name(f"cluster {cluster + 1}")
    centre = points[of == cluster].mean(axis=0)
    distances = np.linalg.norm(points[labelled] - centre, axis=1)
    nearest = labelled[np.argsort(distances, kind="stable")[:_NEIGHBOURS]]
    label, share = _ranked(labels, nearest)[0]
    return Name(f"cluster {cluster + 1} near {label}", label, share, near=True)


def _ranked(labels: Sequence[str | None], rows: Ints) -> list[tuple[str, float]]:
    """Labels of the rows with their shares, the most frequent first; of equals that of the first row."""
    counts = Counter(label for row in rows.tolist() if (label := labels[row]) is not None)
    return [(label, n / len(rows)) for label, n in counts.most_common()]


def _inside(ranked: Sequence[tuple[str, float]]) -> Name:
    label, share = ranked[0]
    if len(ranked) == 1:
        return Name(f"all {label}", label, share)
    if share >= _MOST:
        return Name(f"mostly {label} ({_percent(share)})", label, share)
    told = ", ".join(f"{name} {_percent(part)}" for name, part in ranked[:2])
    return Name(f"mixed: {told}", label, share)


def _percent(share: float) -> str:
    """Whole percent; never 100 % where something else is in it."""
    return f"{min(99, round(100 * share))} %"
