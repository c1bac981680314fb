"""The head of a network that was trained together with it: made honest on images that the network did not learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.splits import group_folds
from tellapart.errors import Reason, TrainingError
from tellapart.heads.aims import Aim
from tellapart.heads.calibration import Calibration, fit_calibration
from tellapart.heads.linear import LinearHead
from tellapart.heads.ood import OodDetector
from tellapart.heads.thresholds import Thresholds, fit_thresholds
from tellapart.records import LabelSchema, Task
from tellapart.training.linear_probe import check_enough, targets_of

Floats = NDArray[np.float32]
_VALIDATION_PARTS = 5
# From so many images to learn from a tenth is enough to validate with.
_PLENTY = 2_000
# From so many validating images the threshold that one in a hundred exceeds can be read off.
_MANY = 100


@dataclass(frozen=True, slots=True)
class Roles:
    """What each of n images does, bool (n,): `learns` moves weights, `validates` chooses the epoch, calibrates and chooses
    thresholds, `judges` does nothing else; without images for that, the validating ones judge and `of_their_own` is False.
    """

    learns: NDArray[np.bool_]
    validates: NDArray[np.bool_]
    judges: NDArray[np.bool_]
    of_their_own: bool = True

    @property
    def known(self) -> NDArray[np.bool_]:
        """Those that the model was made from."""
        return self.learns | self.validates


def assign_roles(
    splits: NDArray[np.str_], labels: NDArray[np.uint8], groups: NDArray[np.int64], schema: LabelSchema, seed: int
) -> Roles:
    """Roles by split, str (n,): train learns, val validates, test judges; a fifth of the groups stands in for a missing val,
    but for those that are all there is of a label.

    Without test, val judges and validation comes out of train as well.

    Raises:
        TrainingError: `too_few_classes`, `too_few_images` to learn from, or to validate with.
    """
    train, val, test = (splits == name for name in ("train", "val", "test"))
    if test.any() and val.any():
        roles = Roles(train, val, test)
    else:
        learns, validates = _parted(train, labels, groups, seed)
        judges = test if test.any() else val
        own = bool(judges.any())
        roles = Roles(learns, validates, judges if own else validates, own)
    check_enough(labels[roles.learns], groups[roles.learns], schema)
    if not roles.validates.any():
        raise TrainingError(Reason.TOO_FEW_IMAGES, _NOTHING_TO_VALIDATE)
    return roles


def _parted(
    train: NDArray[np.bool_], labels: NDArray[np.uint8], groups: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    rows = np.flatnonzero(train)
    wanted = _VALIDATION_PARTS if len(rows) < _PLENTY else 2 * _VALIDATION_PARTS
    n_parts = min(wanted, len(np.unique(groups[rows])))
    validates = np.zeros(len(train), bool)
    if n_parts >= 2:
        folds = np.full(len(train), -1)
        folds[rows] = group_folds(labels[rows], groups[rows], n_parts, seed)
        parts = (_spared(folds == part, train, labels, groups) for part in range(n_parts))
        validates = next((part for part in parts if part.any()), validates)
    return train & ~validates, validates


def _spared(
    validates: NDArray[np.bool_], train: NDArray[np.bool_], labels: NDArray[np.uint8], groups: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Without the groups of labels that nothing else shows: what only validating images show could not be learned."""
    unseen = labels[train].any(axis=0) & ~labels[train & ~validates].any(axis=0)
    return validates & ~np.isin(groups, groups[train & labels[:, unseen].any(axis=1)])


@dataclass(frozen=True, slots=True)
class TunedHead:
    """A network's last layer, calibrated, with thresholds and the distance of the unknown.

    `probabilities` float32 (m, k) are its calibrated answers for the m validating images.
    """

    head: LinearHead
    thresholds: Thresholds
    ood: OodDetector
    probabilities: Floats


def finish_head(
    weight: Floats,
    bias: Floats,
    embeddings: Floats,
    labels: NDArray[np.uint8],
    groups: NDArray[np.int64],
    roles: Roles,
    schema: LabelSchema,
    aim: Aim,
) -> TunedHead:
    """From the last layer (d, k) and (k,), and embeddings (n, d) of all images by the network that was trained.

    Calibration, thresholds and the distance from which an image is unknown are fitted on the validating images: of those
    that moved the weights a network is far too sure. The epoch was chosen on them too, which flatters them a little.
    """
    head = _linear(weight, bias, schema.task)
    rows = np.flatnonzero(roles.validates)
    logits, targets = head.logits(embeddings[rows]), targets_of(labels[rows], schema.task)
    calibration = fit_calibration(logits, targets, task=schema.task)
    probabilities = calibration.apply(logits)
    return TunedHead(
        head=head.calibrated(calibration),
        thresholds=fit_thresholds(probabilities, targets, schema=schema, aim=aim, groups=groups[rows]),
        ood=_detector(embeddings[roles.known], labels[roles.known], groups[roles.known], roles.validates[roles.known]),
        probabilities=probabilities,
    )


def _detector(
    embeddings: Floats, labels: NDArray[np.uint8], groups: NDArray[np.int64], validates: NDArray[np.bool_]
) -> OodDetector:
    """Its threshold comes from the validating images; of the others, which the network knows, they could look too strange.

    Where they are few, their largest distance says little, and the threshold is at least that of folds of all images.
    """
    folds = np.full(len(embeddings), -1)
    folds[validates] = _folds(labels[validates], groups[validates])
    detector = OodDetector.fit(embeddings, folds=folds)
    if validates.sum() >= _MANY:
        return detector
    other = OodDetector.fit(embeddings, folds=_folds(labels, groups))
    return min(detector, other, key=lambda one: float(one.score(embeddings).max()))


def _folds(labels: NDArray[np.uint8], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fold of each image, int64 (n,); where all are of one group the images count for themselves."""
    n_groups = len(np.unique(groups))
    return group_folds(
        labels, groups if n_groups > 1 else np.arange(len(groups)), min(_VALIDATION_PARTS, max(2, n_groups))
    )


def _linear(weight: Floats, bias: Floats, task: Task) -> LinearHead:
    """A binary head has two columns of opposite sign, a network two of any: their difference says the same."""
    if task is Task.BINARY:
        half, middle = (weight[:, 1] - weight[:, 0]) / 2, (bias[1] - bias[0]) / 2
        weight, bias = np.stack([-half, half], axis=1), np.array([-middle, middle])
    identity = Calibration.identity(task, len(bias))
    return LinearHead(task, weight.astype(np.float32), bias.astype(np.float32), identity)


_NOTHING_TO_VALIDATE = (
    "not one image is left to validate with: every class has its images to learn from in a single group; "
    "add images of other parts (or of other days), or name a split 'val'; the method 'few-shot' does with fewer"
)
