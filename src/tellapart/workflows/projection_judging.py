"""What a learned projection is worth: on images, and on labels, that did not teach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.errors import SettingsError, TrainingError
from tellapart.evaluation.retrieval import difference, retrieval
from tellapart.heads.projection import Projection

_MOST_JUDGES, _LEAST_JUDGES = 4_000, 20
_FOLDS = 5
# Labels are held back where a third of them are two at least, and enough are left to learn from.
_LEAST_LABELS = 6


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a projection is learned from and judged on: n vectors, labels 0/1 (n, k) or None, groups (n,).

    bool (n,): `labelled` rows can be judged, those of the `test` split do not teach.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.uint8] | None
    names: tuple[str, ...]
    groups: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    test: NDArray[np.bool_]


Fit = Callable[[Lesson, NDArray[np.bool_]], tuple[Projection, Mapping[str, float]]]
"""Learns from some rows, and says what it found beside the projection."""


def judged(lesson: Lesson, whole: Projection, fit: Fit, seed: int) -> dict[str, Any]:
    """Figures on images, and on labels, that did not teach; empty where nothing is labelled."""
    if lesson.labels is None:
        return {}
    found: dict[str, Any] = {}
    projection: Projection | None = whole
    taught, how = ~lesson.test, "the test split"
    if not (lesson.test & lesson.labelled).any():
        taught, how = _most_folds(lesson, seed), "a fifth held back"
        projection = _attempt(fit, lesson, taught)
    found["unseen_images"] = _figures(lesson, ~taught, taught, projection, seed, how=how)
    names = _held_back_labels(lesson, seed)
    if names:
        strange = np.asarray(lesson.labels[:, [lesson.names.index(name) for name in names]].any(axis=1), bool)
        taught = ~strange & ~lesson.test
        projection = _attempt(fit, lesson, taught)
        found["unseen_labels"] = _figures(lesson, strange, taught, projection, seed, how=", ".join(names))
    return {name: figures for name, figures in found.items() if figures is not None}


def _most_folds(lesson: Lesson, seed: int) -> NDArray[np.bool_]:
    """bool (n,): all that may teach but a fifth of the labelled groups."""
    assert lesson.labels is not None
    rows = np.flatnonzero(lesson.labelled)
    held_back = rows[group_folds(lesson.labels[rows], lesson.groups[rows], _FOLDS, seed) == 0]
    return ~(np.isin(lesson.groups, lesson.groups[held_back]) | lesson.test)


def _attempt(fit: Fit, lesson: Lesson, rows: NDArray[np.bool_]) -> Projection | None:
    """A projection only to be judged; None where the rest is too little to learn it from."""
    try:
        return fit(lesson, rows)[0]
    except (SettingsError, TrainingError):
        return None


def _held_back_labels(lesson: Lesson, seed: int) -> tuple[str, ...]:
    if len(lesson.names) < _LEAST_LABELS:
        return ()
    order = np.random.default_rng(seed).permutation(len(lesson.names))
    return tuple(sorted(lesson.names[i] for i in order[: len(order) // 3]))


def _figures(
    lesson: Lesson,
    rows: NDArray[np.bool_],
    taught: NDArray[np.bool_],
    projection: Projection | None,
    seed: int,
    *,
    how: str,
) -> Mapping[str, Any] | None:
    """Recall at 1 and mean average precision at R before and after, with the change and half its 95 % interval.

    An image without label would count as a miss, and one of a group of which another taught is not unseen: neither judges.
    """
    assert lesson.labels is not None
    unseen = rows & lesson.labelled & ~np.isin(lesson.groups, lesson.groups[taught])
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(unseen))[:_MOST_JUDGES]
    if projection is None or len(chosen) < _LEAST_JUDGES:
        return None
    labels, groups = lesson.labels[chosen], lesson.groups[chosen]
    before = retrieval(lesson.vectors[chosen], labels, groups)
    after = retrieval(projection.apply(lesson.vectors[chosen]), labels, groups)
    if not len(before.hits):
        return None
    figures: dict[str, Any] = {"how": how, "queries": len(before.hits)}
    for name, one, other in (
        ("recall_at_1", before.hits, after.hits),
        ("map_at_r", before.precision, after.precision),
    ):
        change, margin = difference(one, other, before.groups)
        values = {"before": one.mean(), "after": other.mean(), "change": change, "margin": margin}
        figures[name] = {key: round(float(value), 4) for key, value in values.items()}
    return figures
