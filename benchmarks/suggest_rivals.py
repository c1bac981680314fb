"""Other ways of choosing what to label next, for comparison; none of them is in the product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tellapart.data.suggest.pool import Pool
from tellapart.data.suggest.typical import most_typical
from tellapart.workflows.suggest_answers import Answers
from tellapart.workflows.suggest_choice import FEW_PER_LABEL
from tellapart.workflows.suggest_known import Known

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Way = Callable[[Pool, Answers, int, int], Ints]


def after_typical(way: Way) -> Callable[[Known, int, int], Ints]:
    """All begin as the product does: with typical images, until there are four per label."""

    def choosing(known: Known, n: int, seed: int) -> Ints:
        pool = Pool.of(known.images.embeddings, known.things, known.labelled)
        schema, answers = known.schema, known.answers
        if schema is None or answers is None or known.n_labelled_things < FEW_PER_LABEL * len(schema.labels):
            return most_typical(pool, n, seed)
        return way(pool, answers, n, seed)

    return choosing


def no_two_alike(known: Known, n: int, seed: int) -> Ints:
    """At random, but never a near-duplicate: what is saved by that alone."""
    pool = Pool.of(known.images.embeddings[:, :1], known.things, known.labelled)
    return pool.distinct(np.random.default_rng(seed).permutation(pool.rows).tolist(), n)


def typical(pool: Pool, answers: Answers, n: int, seed: int) -> Ints:  # noqa: ARG001 (all ways look alike)
    """Typical images to the end (TypiClust, Hacohen et al. 2022)."""
    return most_typical(pool, n, seed)


def margin(pool: Pool, answers: Answers, n: int, seed: int) -> Ints:  # noqa: ARG001
    """The smallest differences of the two likeliest labels."""
    return ranked(pool, answers.margins, n)


def entropy(pool: Pool, answers: Answers, n: int, seed: int) -> Ints:  # noqa: ARG001
    """The flattest answers."""
    p = np.maximum(answers.probabilities, 1e-9)
    return ranked(pool, (p * np.log(p)).sum(axis=1), n)


def badge(pool: Pool, answers: Answers, n: int, seed: int) -> Ints:
    """k-means++ on the gradients of the last layer (BADGE, Ash et al. 2020)."""
    rng, rows = np.random.default_rng(seed), pool.rows
    errors = answers.probabilities[rows].copy()
    errors[np.arange(len(rows)), errors.argmax(axis=1)] -= 1
    points, squares = pool.points[rows], (errors**2).sum(axis=1)  # points have length 1
    far, open_, chosen = squares.astype(np.float64), np.ones(len(rows), bool), list[int]()
    while len(chosen) < n and open_.any():
        weights = np.where(open_, far, 0)
        place = (
            int(rng.choice(len(rows), p=weights / weights.sum())) if chosen and weights.sum() else int(weights.argmax())
        )
        chosen.append(place)
        open_ &= pool.things[rows] != pool.things[rows[place]]
        apart = squares + squares[place] - 2 * (errors @ errors[place]) * (points @ points[place])
        far = np.minimum(far, np.maximum(apart, 0)) if len(chosen) > 1 else np.maximum(apart, 0)
    return rows[np.array(chosen, np.int64)]


def balanced(pool: Pool, answers: Answers, n: int, seed: int) -> Ints:  # noqa: ARG001
    """Two fifths for the labels that have fewest images so far, the likeliest first; the rest by margin."""
    columns, counts = np.unique(answers.targets, return_counts=True)
    have = dict(zip(columns.tolist(), counts.astype(float).tolist(), strict=True))
    chosen, open_ = list[int](), set(pool.rows.tolist())
    while len(chosen) < 2 * n // 5 and open_:
        rarest = min(have, key=lambda column: have[column])
        rows = np.array(sorted(open_), np.int64)
        row = int(rows[answers.probabilities[rows, rarest].argmax()])
        chosen.append(row)
        open_ -= set(np.flatnonzero(pool.things == pool.things[row]).tolist())
        have = {column: value + float(answers.probabilities[row, column]) for column, value in have.items()}
    order = np.argsort(answers.margins, kind="stable")
    rest = order[np.isin(order, sorted(open_))]
    return pool.distinct([*chosen, *rest.tolist()], n)


def ranked(pool: Pool, values: Floats, n: int) -> Ints:
    """The rows of the smallest values, no two alike."""
    rows = pool.rows
    return pool.distinct(rows[np.argsort(values[rows], kind="stable")], n)


RIVALS = {
    "random, no two alike": no_two_alike,
    "margin alone": after_typical(margin),
    "entropy alone": after_typical(entropy),
    "BADGE": after_typical(badge),
    "rare labels first": after_typical(balanced),
    "typical alone": after_typical(typical),
}
