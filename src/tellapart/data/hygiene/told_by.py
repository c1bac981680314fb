"""How well one label can be told from the rest by a few features alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.hygiene.protocol import Float32, Int64

Float = NDArray[np.float64]

_FOLDS = 5
_SEED = 0
# Keeps the solution small where features repeat one another, as bins of one quantity do.
_RIDGE = 1e-3
# 99 %: many labels and sources are looked at, and none should be named by chance.
_Z = 2.575829


@dataclass(frozen=True, slots=True)
class Told:
    """For each of k labels the balanced accuracy (k,) on images that were left out, its lower limit at 99 %, and bool (n, k)
    whether an image was taken for one with the label."""

    accuracy: Float
    low: Float
    hits: NDArray[np.bool_]


def told_by(features: Float32, labels: NDArray[np.uint8], groups: Int64) -> Told:
    """Linear one-versus-rest predictors, cross-validated so that no group is on both sides.

    `features` (n, d), `labels` 0/1 (n, k), `groups` (n,). Least squares with a little ridge, all labels at once; the cut
    lies halfway between the mean answers with and without the label, so that rare labels count as much as frequent ones
    (Fisher's discriminant).
    """
    # Centred, so that the ridge weighs how features vary and not where they lie.
    design = np.column_stack([features - features.mean(axis=0), np.ones(len(features), np.float32)])
    answers = labels.astype(np.float32)
    folds = _folds(groups)
    parts = [_moments(design[folds == fold], answers[folds == fold]) for fold in range(_FOLDS)]
    gram, cross = sum(part[0] for part in parts), sum(part[1] for part in parts)
    hits = np.zeros(labels.shape, bool)
    for fold, (own_gram, own_cross) in enumerate(parts):
        if (folds == fold).all():
            continue  # of one group: there are no others to learn from
        hits[folds == fold] = _answers(gram - own_gram, cross - own_cross, design[folds == fold])
    return _judged(hits, labels.astype(bool))


def _folds(groups: Int64) -> Int64:
    order = np.random.default_rng(_SEED).permutation(int(groups.max(initial=0)) + 1)
    return np.asarray(order[groups] % _FOLDS, dtype=np.int64)


def _moments(design: Float32, answers: Float32) -> tuple[Float, Float]:
    return (design.T @ design).astype(np.float64), (design.T @ answers).astype(np.float64)


def _answers(gram: Float, cross: Float, design: Float32) -> NDArray[np.bool_]:
    """The last row of both moments belongs to the constant: there stand the numbers of images."""
    weights = np.linalg.solve(gram + _ridge(gram), cross)
    n_with, total = cross[-1], gram[:, -1:]
    mean_with = cross / np.maximum(n_with, 1)
    mean_without = (total - cross) / np.maximum(total[-1] - n_with, 1)
    cuts = ((mean_with + mean_without) / 2 * weights).sum(axis=0)
    told: NDArray[np.bool_] = (design.astype(np.float64) @ weights > cuts) & (n_with > 0)
    return told


def _ridge(gram: Float) -> Float:
    """More of it the fewer images there are for a feature; none for the constant."""
    n, d = gram[-1, -1], len(gram) - 1
    variance = max((np.trace(gram) - n) / d, 1e-6)
    return np.diag([*np.full(d, variance * max(_RIDGE, d / n)), 0.0])


def _judged(hits: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Told:
    n_with, n_without = truth.sum(axis=0), (~truth).sum(axis=0)
    found, passed = (hits & truth).sum(axis=0), (~hits & ~truth).sum(axis=0)
    accuracy = (_share(found, n_with) + _share(passed, n_without)) / 2
    return Told(accuracy, (_low(found, n_with) + _low(passed, n_without)) / 2, hits)


def _share(k: Int64, n: Int64) -> Float:
    return np.asarray(k / np.maximum(n, 1), dtype=np.float64)


def _low(k: Int64, n: Int64) -> Float:
    """Lower end of Wilson's interval; 0 for nothing."""
    share, n = _share(k, n), np.maximum(n, 1)
    spread = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return np.asarray((share + _Z**2 / (2 * n) - spread) / (1 + _Z**2 / n), dtype=np.float64)
