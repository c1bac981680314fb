"""The cost table people write: a CSV, rows actual, columns predicted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.heads.aims import Aim, CostTable
from tellapart.records import LabelSchema, Task

UNKNOWN = "unknown"


def read_costs(path: str | Path) -> CostTable:
    """Read a cost table: the first row names the predicted labels, the first column the actual ones; the cells are costs
    in any one currency. A column "unknown" is what asking a person costs. Empty cells keep the default (0 right, 1 wrong).

    Raises:
        SettingsError: `bad_setting`, with every fault of the file.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise SettingsError(Reason.BAD_SETTING, f"the cost table {path} cannot be read: {exc}") from exc
    if len(rows) < 2:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"the cost table {path} needs a first row with the predicted labels and a row for each actual label",
        )
    predicted = [cell.strip() for cell in rows[0][1:]]
    table: dict[str, dict[str, float]] = {}
    unknown: set[float] = set()
    faults: list[str] = []
    for row in rows[1:]:
        actual = row[0].strip()
        for name, cell in zip(predicted, row[1:], strict=False):
            if not cell.strip():
                continue
            try:
                cost = float(cell)
            except ValueError:
                faults.append(f"{cell!r} for actual {actual!r} predicted {name!r} is no number")
                continue
            if name == UNKNOWN:
                unknown.add(cost)
            else:
                table.setdefault(actual, {})[name] = cost
    if len(unknown) > 1:
        faults.append(f"asking a person must cost the same for every label, got {sorted(unknown)}")
    if not (table or unknown or faults):
        faults.append("it holds no cost: the first row names the predicted labels, the first column the actual ones")
    if faults:
        raise SettingsError(Reason.BAD_SETTING, f"the cost table {path} cannot be used: {'; '.join(faults)}")
    return CostTable.of(table, unknown=unknown.pop() if unknown else None)


def cost_matrix(aim: Aim, schema: LabelSchema) -> NDArray[np.float64] | None:
    """The aim's costs as an evaluation takes them, None for aims without costs."""
    if aim.costs is None:
        return None
    matrix = aim.costs.matrix(schema)
    if schema.task is Task.MULTILABEL:
        return np.tile([matrix[0, 1], matrix[1, 0]], (len(schema.labels), 1))
    if aim.costs.unknown is None:
        return matrix
    return np.column_stack([matrix, np.full(len(matrix), aim.costs.unknown)])
