"""Dealing groups of samples out to parts so that every part has its share of every label (multi-label too).

Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011) lifted from samples to groups: labels with the fewest
groups first, large groups first, each group to the part that misses its labels most. Groups with equal contents are
dealt out together, which makes it near-linear: the least-squares optimum for m equal items has a closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of samples with their contents. `keys` (g,) are the group ids, `of` (n,) the group's place per sample,
    `counts` (g, k + 1) samples per label, and in the last column samples in all."""

    keys: Ints
    of: Ints
    counts: Ints

    @classmethod
    def of_samples(cls, label_matrix: NDArray[np.generic], groups: NDArray[np.generic]) -> Groups:
        """Gather samples (n, k) into groups (n,)."""
        keys, of = np.unique(np.asarray(groups, np.int64), return_inverse=True)
        of = of.reshape(-1).astype(np.int64)
        labels = np.asarray(label_matrix)
        counts = np.empty((len(keys), labels.shape[1] + 1), np.int64)
        for column in range(labels.shape[1]):
            counts[:, column] = np.bincount(of[labels[:, column] != 0], minlength=len(keys))
        counts[:, -1] = np.bincount(of, minlength=len(keys))
        return cls(keys.astype(np.int64), of, counts)


def scramble(keys: Ints, seed: int) -> NDArray[np.uint64]:
    """A number per key that looks random (splitmix64), the same for the same key and seed wherever the key stands."""
    with np.errstate(over="ignore"):
        value = keys.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0xD1342543DE82EF95) + _MIX
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))


def deal(groups: Groups, shares: Sequence[float], fixed: Ints, seed: int) -> Ints:
    """Part (g,) of every group: `fixed` ones (≥ 0) stay, the others fill up what the `shares` (sum 1) leave open."""
    parts = fixed.copy()
    weights = 1.0 / np.maximum(groups.counts.sum(axis=0), 1.0) ** 2
    missing = np.asarray(shares)[:, None] * groups.counts.sum(axis=0)
    for part in range(len(shares)):
        missing[part] -= groups.counts[fixed == part].sum(axis=0)
    free = np.flatnonzero(fixed < 0)
    if free.size:
        _deal_free(groups, free, (missing, weights, list(shares)), parts, seed)
    return parts


def _deal_free(
    groups: Groups,
    free: Ints,
    aim: tuple[NDArray[np.float64], NDArray[np.float64], list[float]],
    parts: Ints,
    seed: int,
) -> None:
    missing, weights, shares = aim
    counts = groups.counts[free]
    kind_of, first = _kinds(counts)
    ticket = scramble(groups.keys[free], seed)
    members = np.lexsort((ticket, kind_of))
    starts = np.concatenate([[0], np.cumsum(np.bincount(kind_of, minlength=len(first)))])
    # Columns first, parts second: one short list per label, changed in place.
    open_: list[list[float]] = missing.T.tolist()
    weight: list[float] = weights.tolist()
    for kind in _order(counts, first, ticket[members[starts[:-1]]]):
        mine = members[starts[kind] : starts[kind + 1]]
        content = counts[first[kind]]
        columns = np.flatnonzero(content).tolist()
        given = _fill([(open_[c], weight[c], int(content[c])) for c in columns], len(mine), shares)
        parts[free[mine]] = np.repeat(np.arange(len(given)), given)


def _kinds(counts: Ints) -> tuple[Ints, Ints]:
    """Groups with equal contents share a kind: (kind per group, first group of each kind)."""
    generator = np.random.Generator(np.random.PCG64(7))
    factors = generator.integers(1, 2**63, counts.shape[1], dtype=np.uint64) | np.uint64(1)
    with np.errstate(over="ignore"):
        signature = counts.astype(np.uint64) @ factors
    _, first, kind = np.unique(signature, return_index=True, return_inverse=True)
    return kind.reshape(-1).astype(np.int64), first.astype(np.int64)


def _order(counts: Ints, first: Ints, ticket: NDArray[np.uint64]) -> list[int]:
    """Kinds by: rarest label (in groups) first, unlabelled last; then the largest; then by chance."""
    has = counts[:, :-1] > 0
    n_groups = has.sum(axis=0)
    rarest = np.full(len(first), np.iinfo(np.int64).max)
    for column in range(has.shape[1]):
        with_label = has[first, column]
        rarest[with_label] = np.minimum(rarest[with_label], n_groups[column])
    order: list[int] = np.lexsort((ticket, -counts[first, -1], rarest)).tolist()
    return order


def _fill(columns: list[tuple[list[float], float, int]], n: int, shares: list[float]) -> list[int]:
    """How many of `n` equal groups each part gets; what is missing (in `columns`) is updated.

    Minimises the weighted squares of what stays missing, each divided by the part's share (chi-square), so that parts
    end up off by the same proportion. Part p wants b_p / a groups, where b_p is the weighted need and a the weight of
    one group; the wish is lowered in proportion to the shares until `n` are dealt; remainders go where they cost least.
    """
    curve = sum(weight * content * content for _, weight, content in columns)
    parts = [p for p, share in enumerate(shares) if share > 0]
    want = [sum(weight * content * need[p] for need, weight, content in columns) / curve for p in range(len(shares))]
    given = [0] * len(shares)
    if n > 1:
        level = _water_level([(want[p], shares[p]) for p in parts], n)
        for p in parts:
            given[p] = max(0, int(want[p] - level * shares[p]))
    for _ in range(n - sum(given)):
        best = min(parts, key=lambda p: (1 + 2 * (given[p] - want[p])) / shares[p])
        given[best] += 1
    for need, _, content in columns:
        for p in parts:
            need[p] -= content * given[p]
    return given


def _water_level(wants: list[tuple[float, float]], n: int) -> float:
    """The level at which the sum of max(0, want - level * share) over (want, share) is `n`."""
    high_first = sorted(wants, key=lambda pair: pair[0] / pair[1], reverse=True)
    total = share_sum = level = 0.0
    for i, (want, share) in enumerate(high_first, start=1):
        total += want
        share_sum += share
        level = (total - n) / share_sum
        if i == len(high_first) or level >= high_first[i][0] / high_first[i][1]:
            break
    return level
