"""Calibration: logits become probabilities that mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.objectives import Doubles, Floats
from tellapart.records import Task

# Inverse temperatures outside this range come from too little data, not from a network.
_SHARPEST, _FLATTEST = 20.0, 0.05
_LARGEST_OFFSET = 10.0
# An offset of a class is believed as if this many samples had already said it is 0: few examples move it little.
_OFFSET_PRIOR = 30.0
# A label gets its own temperature and offset from this many examples of both kinds; below, the labels share one.
_ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """`probabilities = softmax or sigmoid (logits / temperature + offset)`; both float32 (k,).

    For softmax all temperatures are equal (Guo et al., ICML 2017) and each class has an offset (bias-corrected
    temperature scaling, Alexandari et al., ICML 2020): a head fitted with class weights believes rare classes as
    frequent as others, and no temperature mends that. So the likeliest class can change, in favour of frequent ones.
    For multilabel each label has its own slope and offset (Platt 1999) where it has examples enough.
    """

    task: Task
    temperature: Floats
    offset: Floats

    @classmethod
    def identity(cls, task: Task, n_classes: int) -> Calibration:
        """Temperature 1, offset 0: the plain softmax or sigmoid."""
        return cls(task, np.ones(n_classes, np.float32), np.zeros(n_classes, np.float32))

    def apply(self, logits: Floats) -> Floats:
        """Probabilities float32 (n, k); rows sum to 1 except for multi-label tasks."""
        z = logits / self.temperature + self.offset
        if self.task is Task.MULTILABEL:
            return np.asarray(sigmoid(z), np.float32)
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        return np.asarray(z / z.sum(axis=1, keepdims=True), np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`temperature` and `offset`, float32 (k,)."""
        return {"temperature": self.temperature, "offset": self.offset}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, task: Task) -> Calibration:
        """Inverse of `arrays`; a missing name raises KeyError."""
        return cls(task, *(np.asarray(arrays[name], np.float32) for name in ("temperature", "offset")))


def sigmoid(z: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + exp(-z)) without overflow."""
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1, small) / (1 + small))


def fit_calibration(logits: Floats, targets: NDArray[np.integer[Any]], *, task: Task) -> Calibration:
    """Fit on logits of samples the head has not seen (`Selection.logits`), float (n, k).

    `targets` int (n,) columns, or 0/1 (n, k) for multilabel. A weak prior at the identity keeps ten samples from claiming
    certainty and a class of five from an offset; by its construction the fitted log loss never exceeds the identity's.
    """
    n, k = logits.shape
    if len(targets) != n or not np.isfinite(logits).all():
        raise SettingsError(
            Reason.BAD_SETTING, f"calibration needs finite logits (n, k) and n targets, got {n} and {len(targets)}"
        )
    if n == 0:
        return Calibration.identity(task, k)
    if task is Task.MULTILABEL:
        return _fit_labels(np.asarray(logits, np.float64), np.asarray(targets, np.float64))
    slope, offset = _fit_softmax(np.asarray(logits, np.float64), targets)
    return Calibration(task, np.full(k, 1 / slope, np.float32), offset.astype(np.float32))


def _fit_softmax(logits: Doubles, targets: NDArray[np.integer[Any]]) -> tuple[float, Doubles]:
    """Inverse temperature and offsets (k,): Newton with halving on a convex function."""
    start = np.zeros(logits.shape[1] + 1)
    start[0] = 1
    now, (value, p) = start, _softmax_loss(logits, targets, start)
    for _ in range(50):
        step = _softmax_step(logits, targets, p, now - start)
        for _ in range(40):
            trial = np.clip(now + step, -_LARGEST_OFFSET, _LARGEST_OFFSET)
            trial[0] = np.clip(now[0] + step[0], _FLATTEST, _SHARPEST)
            new, trial_p = _softmax_loss(logits, targets, trial)
            if new <= value:
                break
            step = step / 2
        if not new < value - 1e-10 * value:
            break
        now, value, p = trial, new, trial_p
    return float(now[0]), now[1:]


def _softmax_loss(logits: Doubles, targets: NDArray[np.integer[Any]], at: Doubles) -> tuple[float, Doubles]:
    """Penalised log loss and probabilities (n, k) at (slope, offsets)."""
    z = at[0] * logits + at[1:]
    z -= z.max(axis=1, keepdims=True)
    own = z[np.arange(len(z)), targets]
    p = np.exp(z)
    total = p.sum(axis=1)
    penalty = (at[0] - 1) ** 2 + _OFFSET_PRIOR * float(at[1:] @ at[1:])
    return float((np.log(total) - own).sum()) + 0.5 * penalty, p / total[:, None]


def _softmax_step(logits: Doubles, targets: NDArray[np.integer[Any]], p: Doubles, moved: Doubles) -> Doubles:
    """Newton's step from probabilities (n, k); `moved` is how far from the identity they are."""
    prior = np.full(len(moved), _OFFSET_PRIOR)
    prior[0] = 1
    residual = p.copy()
    residual[np.arange(len(p)), targets] -= 1
    gradient = np.append((residual * logits).sum(), residual.sum(axis=0)) + prior * moved
    # Along a row the mean may be taken off: the slope's curvature is a variance.
    centred = logits - np.einsum("ij,ij->i", p, logits)[:, None]
    weighted = p * centred
    hessian = np.diag(prior)
    hessian[0, 0] += np.einsum("ij,ij->", weighted, centred)
    hessian[0, 1:] = hessian[1:, 0] = weighted.sum(axis=0)
    hessian[1:, 1:] += np.diag(p.sum(axis=0)) - p.T @ p
    return np.asarray(np.linalg.solve(hessian, -gradient))


def _fit_labels(logits: Doubles, targets: Doubles) -> Calibration:
    positives = targets.sum(axis=0)
    own = np.minimum(positives, len(targets) - positives) >= _ENOUGH
    # One slope for all labels together serves those with few examples; offsets of so few would be noise.
    shared, _ = _platt(logits.reshape(-1, 1), targets.reshape(-1, 1), offsets=False)
    slope, offset = np.full(logits.shape[1], shared[0]), np.zeros(logits.shape[1])
    if own.any():
        slope[own], offset[own] = _platt(logits[:, own], targets[:, own], offsets=True)
    temperature = (1 / slope).astype(np.float32)
    return Calibration(Task.MULTILABEL, temperature, offset.astype(np.float32))


def _platt(logits: Doubles, targets: Doubles, *, offsets: bool) -> tuple[Doubles, Doubles]:
    """Slope and offset of each column, all columns at once: Newton with halving on two variables."""
    slope, offset = np.ones(logits.shape[1]), np.zeros(logits.shape[1])
    value = _platt_loss(logits, targets, slope, offset)
    for _ in range(50):
        d_slope, d_offset = _platt_step(logits, targets, slope, offset, offsets=offsets)
        shrink = np.ones_like(slope)
        for _ in range(40):
            trial = (
                np.clip(slope + shrink * d_slope, _FLATTEST, _SHARPEST),
                np.clip(offset + shrink * d_offset, -_LARGEST_OFFSET, _LARGEST_OFFSET),
            )
            new = _platt_loss(logits, targets, *trial)
            if not (new > value).any():
                break
            shrink[new > value] /= 2
        better = new < value
        if not (better & (value - new > 1e-10 * value)).any():
            break
        slope, offset = np.where(better, trial[0], slope), np.where(better, trial[1], offset)
        value = np.where(better, new, value)
    return slope, offset


def _platt_loss(logits: Doubles, targets: Doubles, slope: Doubles, offset: Doubles) -> Doubles:
    z = slope * logits + offset
    loss = np.logaddexp(0, z) - targets * z
    return np.asarray(loss.sum(axis=0) + 0.5 * (slope - 1) ** 2 + 0.5 * offset**2)


def _platt_step(
    logits: Doubles, targets: Doubles, slope: Doubles, offset: Doubles, *, offsets: bool
) -> tuple[Doubles, Doubles]:
    p = sigmoid(slope * logits + offset)
    residual, variance = p - targets, p * (1 - p)
    g1 = (residual * logits).sum(axis=0) + slope - 1
    h11 = (variance * logits * logits).sum(axis=0) + 1
    if not offsets:
        return -g1 / h11, np.zeros_like(offset)
    g2, h22 = residual.sum(axis=0) + offset, variance.sum(axis=0) + 1
    h12 = (variance * logits).sum(axis=0)
    determinant = h11 * h22 - h12 * h12
    return -(h22 * g1 - h12 * g2) / determinant, -(h11 * g2 - h12 * g1) / determinant
