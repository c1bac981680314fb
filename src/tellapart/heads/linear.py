"""The linear head: L2-regularised logistic regression on embeddings, and what it becomes once fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.calibration import Calibration
from tellapart.heads.objectives import Doubles, Floats, Objective, SigmoidObjective, SoftmaxObjective
from tellapart.heads.solver import Design, minimise
from tellapart.heads.targets import check_embeddings, check_targets
from tellapart.records import Task

# None, "balanced" (every class counts alike), or weight by column: of the class, for multi-label of a label's presence.
ClassWeight = Literal["balanced"] | Mapping[int, float] | None
Targets = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Fitted weights on plain embeddings: `logits = embeddings @ weight + bias`, float32 (d, k) and (k,).

    Columns follow the label schema; a binary head has both columns, of opposite sign. `calibration` turns logits into
    probabilities: softmax for binary and multiclass, sigmoid for multilabel.
    """

    kind: ClassVar[str] = "linear"

    task: Task
    weight: Floats
    bias: Floats
    calibration: Calibration

    @property
    def n_features(self) -> int:
        """Length of the embeddings this head reads."""
        return int(self.weight.shape[0])

    @property
    def n_classes(self) -> int:
        """Number of columns of its answers."""
        return int(self.weight.shape[1])

    def logits(self, embeddings: Floats) -> Floats:
        """Uncalibrated scores float32 (n, k) of embeddings (n, d)."""
        check_embeddings(embeddings, n_features=self.n_features)
        return np.asarray(embeddings @ self.weight + self.bias, np.float32)

    def probabilities(self, embeddings: Floats) -> Floats:
        """Calibrated probabilities float32 (n, k); rows sum to 1 except for multi-label tasks."""
        return self.calibration.apply(self.logits(embeddings))

    def calibrated(self, calibration: Calibration) -> LinearHead:
        """The same head with another calibration."""
        return replace(self, calibration=calibration)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """float32 `weight` (d, k), `bias`, `temperature`, `offset` (k,): softmax or sigmoid of (xW + b)/T + offset."""
        return {"weight": self.weight, "bias": self.bias} | self.calibration.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, task: Task) -> LinearHead:
        """Inverse of `arrays`; other names are ignored.

        Raises:
            ModelError: `model_damaged` when an array is missing or has the wrong shape.
        """
        try:
            weight, bias = (np.asarray(arrays[name], np.float32) for name in ("weight", "bias"))
            calibration = Calibration.from_arrays(arrays, task=task)
        except KeyError as exc:
            known = ", ".join(sorted(arrays))
            raise ModelError(
                Reason.MODEL_DAMAGED, f"a linear head needs an array {exc.args[0]!r}; the file has: {known}"
            ) from exc
        if weight.ndim != 2 or bias.shape != weight.shape[1:] or calibration.temperature.shape != bias.shape:
            shapes = f"weight {weight.shape}, bias {bias.shape}, temperature {calibration.temperature.shape}"
            raise ModelError(
                Reason.MODEL_DAMAGED, f"a linear head needs weight (d, k), bias (k,) and temperature (k,); got {shapes}"
            )
        return cls(task, weight, bias, calibration)


def fit_linear(
    embeddings: Floats,
    targets: Targets,
    *,
    task: Task,
    n_classes: int | None = None,
    C: float = 1.0,
    class_weight: ClassWeight = None,
    sample_weight: NDArray[np.floating[Any]] | None = None,
) -> LinearHead:
    """Logistic regression on standardised embeddings: the optimum of scikit-learn's `LogisticRegression(C=C)`.

    `embeddings` float32 (n, d). `targets` int64 (n,) columns for binary and multiclass, uint8 (n, k) for multilabel;
    `n_classes` is needed where the last classes may have no example. Minimised is C · Σ weight · log loss + ½‖W‖², the
    intercept free, on features of zero mean and unit variance (folded back into the returned weights): to compare with
    scikit-learn, standardise first. The result is uncalibrated (temperature 1).

    Raises:
        SettingsError: `bad_setting` for shapes, weights or targets that cannot be; nothing else that data may hold
            is an error (constant or repeated features, n < d, one example, classes without any).
    """
    k = check_targets(embeddings, targets, task=task, n_classes=n_classes)
    if not (np.isfinite(C) and C > 0):
        raise SettingsError(Reason.BAD_SETTING, f"C, the inverse of the regularisation, is a positive number, got {C}")
    weights = example_weights(targets, task=task, n_classes=k, class_weight=class_weight, sample_weight=sample_weight)
    return solve(Design.of(embeddings), targets, C * weights, task=task, n_classes=k)


def solve(
    design: Design, targets: Targets, weights: Floats, *, task: Task, n_classes: int, start: Floats | None = None
) -> LinearHead:
    """The uncalibrated head of weights (n,) or (n, k) that contain C; `start` (K, r + 1) is a guess on the design."""
    objective, sums = make_objective(targets, weights[None], task=task, n_classes=n_classes)
    shape = (objective.n_problems, objective.n_rows, design.matrix.shape[1])
    solution = minimise(design, objective, sums, start=None if start is None else start.reshape(shape))
    weight, bias = design.fold_back(solution.weights.reshape(-1, shape[2]))
    if task is Task.BINARY:
        weight, bias = (np.concatenate([-0.5 * a, 0.5 * a], axis=-1) for a in (weight, bias))
    return LinearHead(task, weight, bias, Calibration.identity(task, n_classes))


def make_objective(targets: Targets, weights: Floats, *, task: Task, n_classes: int) -> tuple[Objective, Doubles]:
    """The loss of F weightings at once, and the weight sum of each of its problems.

    `weights` (F, n), or (F, n, k) for multilabel, where each weighting makes k problems. A binary task is one row of
    weights, as in scikit-learn: two rows would halve the penalty.
    """
    if task is Task.MULTILABEL:
        flat = np.ascontiguousarray(np.moveaxis(weights, 2, 1)).reshape(-1, len(targets))
        repeated = np.tile(np.asarray(targets, np.float32).T, (len(weights), 1))
        return SigmoidObjective(repeated, flat), flat.sum(axis=1, dtype=np.float64)
    sums = weights.sum(axis=1, dtype=np.float64)
    if task is Task.BINARY:
        return SigmoidObjective(np.broadcast_to(targets, weights.shape), weights), sums
    return SoftmaxObjective(np.asarray(targets, np.int64), n_classes, weights), sums


def example_weights(
    targets: Targets,
    *,
    task: Task,
    n_classes: int,
    class_weight: ClassWeight = None,
    sample_weight: NDArray[np.floating[Any]] | None = None,
) -> Floats:
    """Weight of each example: float32 (n,), or (n, k) for multilabel, where presence and absence are the classes.

    "balanced" gives n / (classes · count), as scikit-learn does, counting by `sample_weight` where given. That is one number
    per sample, for multilabel also one per sample and label (n, k).
    """
    own = _sample_weights(targets, sample_weight)
    factor = np.ones(targets.shape)
    if class_weight == "balanced":
        factor = _balance(targets, own, n_classes)
    elif class_weight is not None:
        factor = _table(targets, class_weight, task=task, n_classes=n_classes)
    return np.asarray(factor * own, np.float32)


def _sample_weights(targets: Targets, given: NDArray[np.floating[Any]] | None) -> Doubles:
    """The given ones, in the shape of the targets."""
    if given is None:
        return np.ones(targets.shape)
    weights, n = np.asarray(given, np.float64), len(targets)
    suits = weights.shape == (n,) or weights.shape == targets.shape
    if not suits or not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise SettingsError(
            Reason.BAD_SETTING,
            "sample weights are one finite number >= 0 per sample, not all of them 0: "
            f"expected shape ({n},), got {weights.shape}",
        )
    return np.broadcast_to(weights[:, None], targets.shape) if weights.ndim < targets.ndim else weights


def _balance(targets: Targets, own: Doubles, n_classes: int) -> Doubles:
    total = own.sum(axis=0)
    if targets.ndim == 1:
        counts = np.bincount(targets, own, minlength=n_classes)
        present = int((counts > 0).sum())
        return np.asarray(total / (present * np.maximum(counts, 1e-12))[targets])
    positive = (own * targets).sum(axis=0)
    both = np.where((positive > 0) & (positive < total), 2, 1)
    share = np.where(targets == 1, positive, total - positive)
    return np.asarray(total / (both * np.maximum(share, 1e-12)))


def _table(targets: Targets, given: Mapping[int, float], *, task: Task, n_classes: int) -> Doubles:
    table = np.ones(n_classes)
    for column, weight in given.items():
        if not 0 <= column < n_classes or not np.isfinite(weight) or weight < 0:
            raise SettingsError(
                Reason.BAD_SETTING,
                f"class weights are numbers >= 0 by column 0 to {n_classes - 1}, got {column!r}: {weight!r}",
            )
        table[column] = weight
    return np.where(targets == 1, table, 1.0) if task is Task.MULTILABEL else table[targets]
