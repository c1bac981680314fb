"""Learning a projection on a data set's own vectors, and what it is worth on images and labels it did not learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.groups import combine_groups
from tellapart.data.labels import infer_schema
from tellapart.data.near_duplicates import same_object_groups
from tellapart.errors import Reason, SettingsError, TrainingError
from tellapart.heads.components import principal_components
from tellapart.heads.projection import KINDS, Projection
from tellapart.training.supcon import fit_supcon
from tellapart.workflows.progress import Progress, silent
from tellapart.workflows.projecting import LearnedProjection
from tellapart.workflows.projection_judging import Fit, Lesson, judged
from tellapart.workflows.vectorising import Vectorised

MOST_LEARNED_FROM = 10_000
"""Images that a projection is learned from at most: more change it hardly, and each costs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be learned: "pca:128", "pca-whitened:128" or "supcon:64"."""

    kind: str
    dim: int

    @classmethod
    def parse(cls, text: str) -> Plan:
        """Raises:
        SettingsError: `bad_setting`.
        """
        kind, _, number = text.partition(":")
        if kind not in KINDS or not (number.isascii() and number.isdigit() and int(number)):
            examples = ", ".join(f"{one}:64" for one in KINDS)
            message = f"a projection to learn is written KIND:NUMBERS, such as {examples}; got {text!r}"
            raise SettingsError(Reason.BAD_SETTING, message)
        return cls(kind, int(number))


def chosen_to_learn(labelled: NDArray[np.bool_], plan: Plan, seed: int) -> NDArray[np.bool_]:
    """bool (n,): the images of a data set that a projection is learned from, at most `MOST_LEARNED_FROM`.

    Raises:
        TrainingError: `unlabelled` when it needs labels and there are none.
    """
    may = labelled if plan.kind == "supcon" else np.ones(len(labelled), bool)
    if not may.any():
        message = "supcon learns from labels, and none of the images has one; learn pca, which needs none"
        raise TrainingError(Reason.UNLABELLED, message)
    rows = np.flatnonzero(may)
    chosen = np.zeros(len(labelled), bool)
    chosen[np.random.default_rng(seed).permutation(rows)[:MOST_LEARNED_FROM]] = True
    return chosen


def learn_projection(
    images: Vectorised, plan: Plan, *, seed: int = 0, progress: Progress = silent
) -> LearnedProjection:
    """Learn from the rows that have thumbnails: all of them but the data's own test split, which judges.

    Without a test split it is judged on a fifth of the groups by another that did not see them, then learned from all. With
    six labels or more, it is judged too on a third of the labels by one that did not see these.

    Raises:
        SettingsError: `bad_setting` when the images are too few for so many numbers.
        TrainingError: as `fit_supcon`; `too_few_images` when all belong to the test split.
    """
    lesson = _lesson(images)
    fit = _fitter(plan, seed, progress)
    teaching = ~lesson.test
    if not teaching.any():
        message = "all images belong to the test split, which judges and does not teach; add others to learn from"
        raise TrainingError(Reason.TOO_FEW_IMAGES, message)
    found, told = fit(lesson, teaching)
    facts: dict[str, Any] = {
        "kind": plan.kind,
        "dim": plan.dim,
        "from_dim": images.vectors.space.dim,
        "learned_from": int(teaching.sum()),
        "sha256": found.sha256,
        **told,
        "judged": judged(lesson, found, fit, seed),
    }
    return LearnedProjection(found, images.vectors.space, facts)


def _fitter(plan: Plan, seed: int, progress: Progress) -> Fit:
    def told(done: int, total: int) -> None:
        progress("learning a projection", done, total)

    def fit(lesson: Lesson, rows: NDArray[np.bool_]) -> tuple[Projection, Mapping[str, float]]:
        told(0, 0)
        if plan.kind == "supcon":
            assert lesson.labels is not None
            return fit_supcon(lesson.vectors[rows], lesson.labels[rows], plan.dim, seed=seed, told=told), {}
        found = principal_components(lesson.vectors[rows], plan.dim, seed=seed)
        return found.projection(whiten=plan.kind == "pca-whitened"), {"explained": round(found.explained, 4)}

    return fit


def _lesson(images: Vectorised) -> Lesson:
    rows, table = images.thumbnail_rows, images.vectors.table[images.thumbnail_rows]
    ids = table["id"].to_list()
    looks = same_object_groups(images.thumbnails, ids=ids).groups
    keys = [f"{uri}\0{row}" for row, uri in enumerate(table["uri"].to_list())]
    groups = combine_groups(ids, table["group"].to_list(), looks, keys=keys)
    told = [None if labels is None else tuple(labels) for labels in table["labels"].to_list()]
    labels, names = _matrix(told)
    labelled = np.array([labels is not None for labels in told], bool)
    test = (table["split"] == "test").fill_null(False).to_numpy()
    return Lesson(images.vectors.vectors[rows], labels, names, groups, labelled, test)


def _matrix(told: list[tuple[str, ...] | None]) -> tuple[NDArray[np.uint8] | None, tuple[str, ...]]:
    """Labels 0/1 (n, k), without any for the unlabelled; None where nothing is labelled."""
    schema = infer_schema(told)
    if schema is None:
        return None, ()
    column = {name: i for i, name in enumerate(schema.names)}
    matrix = np.zeros((len(told), len(column)), np.uint8)
    for row, labels in enumerate(told):
        matrix[row, [column[name] for name in labels or ()]] = 1
    return matrix, schema.names
