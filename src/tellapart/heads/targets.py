"""What every head asks of the arrays it is given; each fault is a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.records import Task


def check_embeddings(embeddings: NDArray[Any], *, n_features: int | None = None) -> None:
    """Float (n, d), n ≥ 1, all finite.

    Raises:
        SettingsError: `bad_setting`.
    """
    if embeddings.ndim != 2 or embeddings.dtype.kind != "f":
        _refuse(f"embeddings are floats of shape (n, d), got {embeddings.dtype} of shape {embeddings.shape}")
    if n_features is not None and embeddings.shape[1] != n_features:
        _refuse(
            f"this head reads embeddings of {n_features} numbers, got {embeddings.shape[1]}: was the backbone changed?"
        )
    # A sum is finite only if all its terms are; it costs a tenth of np.isfinite over the whole array.
    if not np.isfinite(embeddings.sum(dtype=np.float64)):
        bad = int((~np.isfinite(embeddings).all(axis=1)).sum())
        _refuse(
            f"embeddings are finite numbers, got {bad} rows with NaN or infinity: does the backbone suit the images?"
        )


def check_targets(embeddings: NDArray[Any], targets: NDArray[Any], *, task: Task, n_classes: int | None = None) -> int:
    """Integer (n,) columns, or 0/1 (n, k) for multilabel; returns the number of classes (binary: 2).

    Raises:
        SettingsError: `bad_setting`.
    """
    check_embeddings(embeddings)
    n, ndim = len(embeddings), 2 if task is Task.MULTILABEL else 1
    if n == 0 or targets.ndim != ndim or len(targets) != n or targets.dtype.kind not in "iub":
        shape = f"({n}, k)" if ndim == 2 else f"({n},)"
        _refuse(f"{task} targets for {n} embeddings are integers of shape {shape}, got {targets.dtype} {targets.shape}")
    if ndim == 2:
        return _check_range(targets, 2, targets.shape[1], given=n_classes)
    k = 2 if task is Task.BINARY else (n_classes or max(int(targets.max()), 0) + 1)
    return _check_range(targets, k, k, given=n_classes)


def _check_range(targets: NDArray[Any], n_values: int, k: int, *, given: int | None) -> int:
    if given is not None and given != k:
        _refuse(f"n_classes is {given}, but the targets have {k} classes")
    if targets.size and not (targets.min() >= 0 and targets.max() < n_values):
        _refuse(f"targets lie in 0 to {n_values - 1}, got {targets.min()} to {targets.max()}")
    return k


def _refuse(message: str) -> None:
    raise SettingsError(Reason.BAD_SETTING, message)
