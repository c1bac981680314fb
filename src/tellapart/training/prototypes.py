"""Classes as the mean of their images: the nearest one answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.records import Task

Doubles = NDArray[np.float64]


def euclidean(z: Doubles, labels: NDArray[np.uint8], task: Task) -> tuple[Doubles, Doubles]:
    """Weight (d, k) and bias (k,) of minus the squared distance to each class's mean, less what all classes share.

    `z` (n, d), `labels` 0/1 (n, k). Of several labels each has two means, with and without it, and the score is the
    difference of their distances. Classes without an image get zeros.
    """
    means, sizes = _means(z, labels, task)
    weight, bias = 2 * means, -np.sum(means**2, axis=1)
    return _by_label(weight, bias, sizes, task)


def cosine(z: Doubles, labels: NDArray[np.uint8], task: Task) -> tuple[Doubles, Doubles]:
    """Weight (d, k) and bias (k,) of the projection on each class's mean direction.

    Images are scaled to length 1 before they are averaged and the averages again, as in SimpleShot (Wang et al. 2019,
    arXiv 1911.04623; `z` is centred). Which class is nearest by the cosine does not depend on the length of the image's
    own vector, so the head that answers stays linear: the length only makes its answer surer. Arguments as `euclidean`.
    """
    means, sizes = _means(_unit(z), labels, task)
    weight = _unit(means)
    return _by_label(weight, np.zeros(len(weight)), sizes, task)


def _means(z: Doubles, labels: NDArray[np.uint8], task: Task) -> tuple[Doubles, Doubles]:
    """Mean (m, d) and number of images (m,) of each class; of several labels with each label, then without each."""
    members = labels.astype(np.float64).T
    if task is Task.MULTILABEL:
        members = np.concatenate([members, 1 - members])
    sizes = members.sum(axis=1)
    return members @ z / np.maximum(sizes, 1)[:, None], sizes


def _by_label(weight: Doubles, bias: Doubles, sizes: Doubles, task: Task) -> tuple[Doubles, Doubles]:
    weight, bias = weight * (sizes > 0)[:, None], bias * (sizes > 0)
    if task is Task.MULTILABEL:
        k = len(weight) // 2
        weight, bias = weight[:k] - weight[k:], bias[:k] - bias[k:]
    return weight.T, bias


def _unit(rows: Doubles) -> Doubles:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
