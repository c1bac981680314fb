"""What thresholds are for: `argmax`, `best_f1`, `precision>=0.98`, `recall>=0.95`, `least_cost` with a cost table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Reason, SettingsError
from tellapart.records import LabelSchema, Task

_SHARE = re.compile(r"(precision|recall)\s*>=\s*([0-9.]+)\s*(%?)")
_FALSE_ALARMS = re.compile(r"false_alarms<=([0-9.e-]+)")
_KINDS = "argmax (or none), best_f1, precision>=0.98, recall>=0.95, least_cost"
# Multi-label decisions are priced label by label: the names of the two sides of such a table.
ABSENT, PRESENT = "absent", "present"


@dataclass(frozen=True, slots=True)
class CostTable:
    """`costs[actual][predicted]` by label name, in any one currency; `unknown` is the price of asking a person.

    Pairs left out cost 0 where the answer is right and 1 where it is wrong. For multi-label the names are "absent" and
    "present", for every label alike, and `unknown` must be None.
    """

    costs: tuple[tuple[str, str, float], ...]
    unknown: float | None = None

    @classmethod
    def of(cls, costs: Mapping[str, Mapping[str, float]], *, unknown: float | None = None) -> CostTable:
        """From nested mappings, rows actual, columns predicted.

        Raises:
            SettingsError: `bad_setting` for a cost that is not a finite number.
        """
        flat = [(actual, predicted, cost) for actual, row in costs.items() for predicted, cost in row.items()]
        for actual, predicted, cost in [*flat, ("any", "unknown", 0 if unknown is None else unknown)]:
            if isinstance(cost, bool) or not isinstance(cost, int | float) or not math.isfinite(cost):
                _refuse(f"a cost is a finite number, got {cost!r} for actual {actual!r} predicted {predicted!r}")
        return cls(tuple((a, p, float(c)) for a, p, c in flat), None if unknown is None else float(unknown))

    def matrix(self, schema: LabelSchema) -> NDArray[np.float64]:
        """float64 (k, k), rows actual, columns predicted, in label order; (2, 2) absent/present for multilabel.

        Raises:
            SettingsError: `bad_setting` for names that the schema does not have.
        """
        multilabel = schema.task is Task.MULTILABEL
        names = (ABSENT, PRESENT) if multilabel else schema.names
        unknown = sorted({name for a, p, _ in self.costs for name in (a, p)} - set(names))
        if unknown:
            _refuse(f"the cost table names {', '.join(map(repr, unknown))}; known are {', '.join(map(repr, names))}")
        if multilabel and self.unknown is not None:
            _refuse('a multi-label answer has no "unknown": leave its cost out of the table')
        matrix = 1 - np.eye(len(names))
        for actual, predicted, cost in self.costs:
            matrix[names.index(actual), names.index(predicted)] = cost
        return matrix


@dataclass(frozen=True, slots=True)
class Aim:
    """A stated aim. `kind` is argmax, best_f1, precision, recall or least_cost; `value` the share asked for.

    Models of good images alone have the kind false_alarms, which is asked for by `anomaly.false_alarms` of a recipe.
    """

    kind: str
    value: float = 0.0
    costs: CostTable | None = None

    @property
    def promises(self) -> bool:
        """Whether it is a share that must hold, and not only the best that can be had."""
        return self.kind in ("precision", "recall")

    @classmethod
    def parse(cls, text: str, *, costs: CostTable | None = None) -> Aim:
        """Read `argmax`, `none`, `best_f1`, `precision>=0.98`, `recall>=95%` or `least_cost` (which needs `costs`).

        Raises:
            SettingsError: `bad_setting`.
        """
        plain = text.strip().lower()
        if costs is not None and plain != "least_cost":
            _refuse(f"a cost table belongs to the aim least_cost, got {text!r}")
        if plain in ("argmax", "none", "best_f1"):
            return cls("argmax" if plain == "none" else plain)
        if plain == "least_cost":
            if costs is None:
                _refuse("the aim least_cost needs a cost table (rows actual, columns predicted)")
            return cls(plain, costs=costs)
        return cls._parse_share(text, plain)

    @classmethod
    def _parse_share(cls, text: str, plain: str) -> Aim:
        match = _SHARE.fullmatch(plain)
        if match is None or match[2].count(".") > 1 or match[2] == ".":
            _refuse(f"unknown aim {text!r}; an aim is one of {_KINDS}")
        assert match is not None
        share = float(match[2]) / (100 if match[3] else 1)
        if not 0 < share < 1:
            _refuse(f"an aim asks for a share between 0 and 1 (no classifier can promise all or nothing), got {text!r}")
        return cls(match[1], share)

    @property
    def table(self) -> CostTable:
        """The cost table of `least_cost`; an empty one otherwise."""
        return self.costs if self.costs is not None else CostTable(())

    def __str__(self) -> str:
        if self.kind == "false_alarms":
            return f"{self.kind}<={self.value:g}"
        return f"{self.kind}>={self.value:g}" if self.kind in ("precision", "recall") else self.kind

    def to_json(self) -> dict[str, Any]:
        """`{"aim": "precision>=0.98"}`; least_cost adds `costs` and `unknown`."""
        value: dict[str, Any] = {"aim": str(self)}
        if self.costs is not None:
            rows: dict[str, dict[str, float]] = {}
            for actual, predicted, cost in self.costs.costs:
                rows.setdefault(actual, {})[predicted] = cost
            value |= {"costs": rows, "unknown": self.costs.unknown}
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Aim:
        """Inverse of `to_json`."""
        if match := _FALSE_ALARMS.fullmatch(str(value["aim"])):
            return cls("false_alarms", float(match[1]))
        costs = CostTable.of(value["costs"], unknown=value.get("unknown")) if "costs" in value else None
        return cls.parse(str(value["aim"]), costs=costs)


def _refuse(message: str) -> None:
    raise SettingsError(Reason.BAD_SETTING, message)
