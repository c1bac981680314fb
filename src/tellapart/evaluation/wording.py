"""Metric names and numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.evaluation.evaluation import Evaluation
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
    return f"{number(estimate.low)}–{number(estimate.high)}"


def behind(evaluation: Evaluation) -> str:
    """`1,344 images in 267 groups`."""
    images = f"{evaluation.n:,} image{'s' if evaluation.n != 1 else ''}"
    return images if evaluation.n_groups is None else f"{images} in {evaluation.n_groups:,} groups"


def percent(value: float) -> str:
    """Share of 1 as `12 %`, with a decimal below 10 %; never 100 % or 0 % unless exact."""
    if 0.999 < value < 1:
        return ">99.9 %"
    if 0 < value < 0.001:
        return "<0.1 %"
    return f"{100 * value:.1f} %" if 0 < value < 0.1 or 0.99 < value < 1 else f"{100 * value:.0f} %"


def listed(names: Sequence[str], nothing: str = "nothing") -> str:
    """`a, b`; the word for none."""
    return ", ".join(names) if names else nothing
