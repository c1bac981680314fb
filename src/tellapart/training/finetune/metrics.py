"""How good a network is on the images that it is validated on, in a few numbers per epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.ranking import average_precision
from tellapart.records import Task

Floats = NDArray[np.float64]


def metric_name(task: Task) -> str:
    """The metric by which epochs are compared; higher is better, 0 to 1."""
    return "average_precision_macro" if task is Task.MULTILABEL else "f1_macro"


def validation_metrics(logits: NDArray[np.floating], targets: NDArray[np.floating], task: Task) -> dict[str, float]:
    """`val_loss` and metrics of float logits (n, k) and 0/1 targets (n, k), n at least 1.

    The loss is cross-entropy, or for several labels the mean binary one, whatever was minimised: so trainings compare. The
    macro F1 is the mean over the classes that occur, by the likeliest class or, for several labels, those above one half.
    """
    wide, present = logits.astype(np.float64), targets > 0.5
    if task is Task.MULTILABEL:
        decided = wide > 0
        return {
            "val_loss": float(np.mean(np.logaddexp(0, wide) - present * wide)),
            "average_precision_macro": _average_precision_macro(wide, present),
            "f1_macro": _f1_macro(decided, present),
        }
    decided = wide.argmax(axis=1)[:, None] == np.arange(wide.shape[1])
    peak = wide.max(axis=1)
    log_total = peak + np.log(np.exp(wide - peak[:, None]).sum(axis=1))
    return {
        "val_loss": float(np.mean(log_total - (wide * present).sum(axis=1))),
        "f1_macro": _f1_macro(decided, present),
        "accuracy": float((decided & present).any(axis=1).mean()),
    }


def _f1_macro(decided: NDArray[np.bool_], present: NDArray[np.bool_]) -> float:
    hits = (decided & present).sum(axis=0)
    f1 = 2 * hits / np.maximum(decided.sum(axis=0) + present.sum(axis=0), 1)
    occurs = present.any(axis=0)
    return float(f1[occurs].mean()) if occurs.any() else 0.0


def _average_precision_macro(scores: Floats, present: NDArray[np.bool_]) -> float:
    columns = np.flatnonzero(present.any(axis=0) & ~present.all(axis=0))
    return float(np.mean([average_precision(scores[:, c], present[:, c])[0] for c in columns])) if len(columns) else 0.0
