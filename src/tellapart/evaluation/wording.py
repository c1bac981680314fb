"""Metric names and numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tellapart.evaluation.intervals import Estimate

_WORDS = {
    "f1": "F1",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "ECE",
    "top5": "top-5 accuracy",
    "coverage": "share answered",
    "accuracy_answered": "accuracy when answered",
    "mean_cost": "mean cost per image",
    "hamming_loss": "Hamming loss",
    "subset_accuracy": "subset accuracy",
    "balanced_accuracy": "balanced accuracy",
}
_AVERAGES = ("macro", "micro", "weighted", "samples")


def metric_name(name: str) -> str:
    """`f1_macro` → "macro F1"."""
    stem, _, average = name.rpartition("_")
    if average in _AVERAGES:
        return f"{average} {_WORDS.get(stem, stem.replace('_', ' '))}"
    return _WORDS.get(name, name.replace("_", " "))


def capital(text: str) -> str:
    """First letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def number(value: float | None) -> str:
    """Three decimals, `–` for None; 1.000 and 0.000 only for exact ones."""
    if value is None:
        return "–"
    shown = f"{value:.3f}"
    if shown == "1.000" and value < 1:
        return ">0.999"
    return "<0.001" if shown == "0.000" and value > 0 else shown


def between(estimate: Estimate) -> str:
    """`0.88–0.94`, or "no interval"."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{_outward(estimate.low, math.floor)}–{_outward(estimate.high, math.ceil)}"


def _outward(bound: float, to: Callable[[float], int]) -> str:
    """Bounds are rounded away from the value: an interval must not look narrower than it is."""
    return f"{to(round(bound * 1000, 6)) / 1000:.3f}"


def percent(value: float) -> str:
    """Share of 1 as `12 %` (unbreakable), with a decimal below 10 %; never 100 % or 0 % unless exact."""
    if 0.999 < value < 1:
        return ">99.9\N{NO-BREAK SPACE}%"
    if 0 < value < 0.001:
        return "<0.1\N{NO-BREAK SPACE}%"
    fine = 0 < value < 0.0995 or 0.99 < value < 1
    return f"{100 * value:.{int(fine)}f}\N{NO-BREAK SPACE}%"


def listed(names: Sequence[str], nothing: str = "nothing") -> str:
    """`a, b`; the word for none."""
    return ", ".join(names) if names else nothing
