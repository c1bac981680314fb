"""Images that stand for many others: what to label while a head knows nothing yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tellapart.data.suggest.clusters import Clusters
from tellapart.data.suggest.pool import Bools, Floats, Ints, Pool

_NEIGHBOURS = 20
_MOST_CLUSTERS = 500
# k-means and the search for dense places look at no more images than these; further ones change no cluster's centre.
_MOST_ROWS, _MOST_MEMBERS = 20_000, 1_000


def most_typical(pool: Pool, n: int, seed: int) -> Ints:
    """Up to `n` rows int64 of images in dense places of clusters that hold fewest labels yet, no two alike.

    As many clusters as there are labelled images and images wanted, the largest first (TypiClust: Hacohen, Dekel &
    Weinshall, ICML 2022). Needs no label at all.
    """
    sampled = _sampled(pool, seed)
    points, open_ = pool.points[sampled], np.isin(sampled, pool.rows)
    wanted = min(int(pool.labelled.sum()) + n, _MOST_CLUSTERS)
    clusters = Clusters.find(points, wanted, seed)
    n_labelled = np.bincount(clusters.of[pool.labelled[sampled]], minlength=clusters.n_clusters)
    size = np.bincount(clusters.of, minlength=clusters.n_clusters)
    order = np.lexsort((-size, n_labelled)).tolist()
    queues = [_Queue.of(points, clusters.members(cluster), open_) for cluster in order]
    return _in_turns(pool, [sampled[queue.places] for queue in queues], n)


@dataclass(frozen=True, slots=True)
class _Queue:
    """Places of one cluster that may be chosen, the most typical first."""

    places: Ints

    @classmethod
    def of(cls, points: Floats, members: Ints, open_: Bools) -> _Queue:
        members = members[:_MOST_MEMBERS]
        near = _mean_distance(points[members])
        ranked = members[np.argsort(near, kind="stable")]
        return cls(ranked[open_[ranked]])


def _mean_distance(points: Floats) -> Floats:
    """Mean distance of each point to its nearest 20 others, 0 for a single one: small where images are dense."""
    k = min(_NEIGHBOURS, len(points) - 1)
    if k < 1:
        return np.zeros(len(points), np.float32)
    squares = np.maximum(2 - 2 * (points @ points.T), 0)  # of unit vectors
    np.fill_diagonal(squares, np.inf)
    nearest = np.partition(squares, k - 1, axis=1)[:, :k]
    return np.asarray(np.sqrt(nearest).mean(axis=1), np.float32)


def _in_turns(pool: Pool, queues: list[Ints], n: int) -> Ints:
    """The first of every queue, then the second of every queue …, until there are `n`."""
    longest = max((len(queue) for queue in queues), default=0)
    turns = (queue[turn] for turn in range(longest) for queue in queues if turn < len(queue))
    return pool.distinct(turns, n)


def _sampled(pool: Pool, seed: int) -> Ints:
    """All rows, or the labelled ones and a random share of the others."""
    if len(pool.labelled) <= _MOST_ROWS:
        return np.arange(len(pool.labelled))
    labelled, rows = np.flatnonzero(pool.labelled)[:_MOST_ROWS], pool.rows
    chosen = np.random.default_rng(seed).permutation(rows)[:_MOST_ROWS]
    return np.sort(np.concatenate([labelled, chosen]))
