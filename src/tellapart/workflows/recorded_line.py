"""What keeps a line of a recording from being used, and in which words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from tellapart.errors import Reason
from tellapart.records.observation import Observation


class NotAnswered(Exception):
    """The line of an image that the model could not answer: a time passed, and nothing was seen."""

    def __init__(self, refused: Any) -> None:
        told = refused if isinstance(refused, dict) else {}
        super().__init__(str(told.get("message", "nobody knows why")))
        self.code = str(told.get("code", Reason.BAD_ROW.value))


def check(one: Observation, value: Mapping[str, Any]) -> None:
    """Whether an observation can be decided on, with the line that it was read from.

    Raises:
        TypeError, ValueError: a figure, a name or an answer is none.
    """
    if not isinstance(value["predicted"], list) or isinstance(value.get("at"), str | bool):
        raise TypeError("predicted is a list of labels, and at a number")
    if not isinstance(value.get("unknown", False), bool):
        raise TypeError(f"unknown is true or false, got {value['unknown']!r:.40}")
    for name in ("view", "trigger"):
        if not isinstance(value.get(name), str | None):
            raise TypeError(f"{name} is a text, got {value[name]!r:.40}")
    _check_figures(one, value)


def _check_figures(one: Observation, value: Mapping[str, Any]) -> None:
    for name, figure in (("at", one.at_s), ("oodScore", one.ood_score)):
        if not math.isfinite(figure):
            raise ValueError(f"{name} is {figure}")
    if one.quality is not None and not 0 <= one.quality <= 1:
        raise ValueError(f"a quality lies in 0–1, got {one.quality:g}")
    outside = [p for p in one.confidences.values() if not 0 <= p <= 1]
    if outside:
        raise ValueError(f"a confidence lies in 0–1, got {outside[0]:g}")
    if len(one.confidences) < len(value["classifierResults"]):
        raise ValueError("a label has one confidence, and here one has two")


def no_number(name: str) -> NoReturn:
    """Of what JSON does not know: NaN and the infinities."""
    raise ValueError(f"{name} is no figure")


def told(exc: Exception) -> str:
    """Why a line could not be read."""
    if isinstance(exc, json.JSONDecodeError):
        return f"it is not JSON ({exc.msg} at character {exc.pos + 1})"
    return f"the key {exc} is missing" if isinstance(exc, KeyError) else str(exc)
