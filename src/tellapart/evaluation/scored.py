"""Answers and truth of one evaluation, checked once and brought into one form for all tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError, Reason, TrainingError
from tellapart.records import LabelSchema, Task

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scored:
    """Probabilities beside the truth: all arrays (n, k), columns in the order of `schema.names`.

    `targets` marks what is really there (one per row unless multi-label), `decided` what the thresholds made of the
    probabilities: for exclusive tasks at most one per row, and a row with none is "unknown".
    """

    probabilities: NDArray[np.float64]
    targets: Bools
    decided: Bools
    schema: LabelSchema
    costs: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def exclusive(self) -> bool:
        """True for binary and multi-class: exactly one label is right."""
        return self.schema.task is not Task.MULTILABEL

    @property
    def positive(self) -> int | None:
        """Column of the positive class of a binary task, None for other tasks."""
        return None if self.schema.positive is None else self.schema.index(self.schema.positive)

    @property
    def actual(self) -> Ints:
        """Column of the true label (n,); exclusive tasks only."""
        return np.asarray(np.argmax(self.targets, axis=1))

    @property
    def predicted(self) -> Ints:
        """Column of the decided label (n,), k where the answer is "unknown"; exclusive tasks only."""
        k = self.decided.shape[1]
        return np.asarray(np.where(self.decided.any(axis=1), np.argmax(self.decided, axis=1), k))

    def subset(self, rows: Bools | Ints) -> Scored:
        """The same evaluation on some rows."""
        return Scored(self.probabilities[rows], self.targets[rows], self.decided[rows], self.schema, self.costs)


def score(
    probabilities: Floats,
    targets: NDArray[np.integer[Any]],
    schema: LabelSchema,
    *,
    decisions: Bools | None = None,
    costs: Floats | None = None,
) -> Scored:
    """Check the arrays of an evaluation and bring them into one form.

    Args:
        probabilities: (n, k) in 0–1.
        targets: int (n,) columns of the true labels, or 0/1 (n, k) for a multi-label task.
        schema: names and order of the k columns.
        decisions: bool (n, k) after thresholds; None takes the most likely label, or p ≥ 0.5 for each label of a
            multi-label task.
        costs: for exclusive tasks (k, k) `costs[actual, predicted]`, or (k, k + 1) with the cost of "unknown" last
            (0 when left out); for a multi-label task (k, 2): cost of a false alarm and of a miss, per label.

    Raises:
        TrainingError: no_test_data when there is not one row.
        DataError: label_conflict when shapes or values contradict each other.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    k = len(schema.labels)
    if values.ndim != 2 or values.shape[1] != k:
        raise _conflict(f"probabilities want shape (n, {k}), one column per label, got {values.shape}")
    if len(values) == 0:
        message = "there is not one labelled image to evaluate on; give the test split images or name another folder"
        raise TrainingError(Reason.NO_TEST_DATA, message)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1 + 1e-6):
        raise _conflict(
            "probabilities must lie in 0–1, got NaN, infinity or values outside; calibrate or clip them first"
        )
    truth = _indicator(np.asarray(targets), len(values), schema)
    decided = _argmax_decisions(values, schema) if decisions is None else np.asarray(decisions).astype(bool)
    if decided.shape != values.shape:
        raise _conflict(f"decisions want the shape of the probabilities, {values.shape}, got {decided.shape}")
    if schema.task is not Task.MULTILABEL and int(decided.sum(axis=1).max()) > 1:
        raise _conflict(f"a {schema.task.value} decision sets at most one label per image, got rows with several")
    return Scored(values, truth, decided, schema, _check_costs(costs, k, schema.task))


def _indicator(targets: NDArray[Any], n: int, schema: LabelSchema) -> Bools:
    k = len(schema.labels)
    if schema.task is Task.MULTILABEL:
        if targets.shape != (n, k):
            raise _conflict(f"multilabel targets want shape {(n, k)}, 0 or 1 per label, got {targets.shape}")
        return targets.astype(bool)
    if targets.shape != (n,) or not np.issubdtype(targets.dtype, np.integer):
        raise _conflict(
            f"{schema.task.value} targets want integer columns of shape {(n,)}, got {targets.dtype} {targets.shape}"
        )
    if targets.min() < 0 or targets.max() >= k:
        raise _conflict(f"targets are columns 0–{k - 1} of the schema, got {targets.min()}–{targets.max()}")
    indicator = np.zeros((n, k), dtype=bool)
    indicator[np.arange(n), targets] = True
    return indicator


def _argmax_decisions(probabilities: NDArray[np.float64], schema: LabelSchema) -> Bools:
    if schema.task is Task.MULTILABEL:
        return probabilities >= 0.5
    decided = np.zeros(probabilities.shape, dtype=bool)
    decided[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return decided


def _check_costs(costs: Floats | None, k: int, task: Task) -> NDArray[np.float64] | None:
    if costs is None:
        return None
    table = np.asarray(costs, dtype=np.float64)
    shapes = [(k, 2)] if task is Task.MULTILABEL else [(k, k), (k, k + 1)]
    if table.shape not in shapes:
        wanted = " or ".join(str(shape) for shape in shapes)
        raise _conflict(f"a cost table for {k} {task.value} labels has shape {wanted}, got {table.shape}")
    if table.shape == (k, k) and task is not Task.MULTILABEL:
        table = np.concatenate([table, np.zeros((k, 1))], axis=1)
    return table


def _conflict(message: str) -> DataError:
    return DataError(Reason.LABEL_CONFLICT, message)
