"""What a single number hides: confusion matrix, ROC, precision-recall, reliability and threshold curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.metrics import ECE_BINS, ece_bins
from tellapart.evaluation.scored import Bools, Floats, Scored

Counts = NDArray[np.integer[Any]]
UNKNOWN = "unknown"
CURVE_POINTS = 101
CURVE_CLASSES = 20


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of images: rows are what is there, columns what was answered.

    `columns` are the labels, followed by "unknown" when some answer was none. Exclusive tasks only.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def shares(self) -> tuple[tuple[float, ...], ...]:
        """Counts divided by their row's total; 0 in rows without images."""
        return tuple(tuple(n / max(sum(row), 1) for n in row) for row in self.counts)

    def mixed_up(self, limit: int = 20) -> tuple[tuple[str, str, int, float], ...]:
        """The most frequent wrong answers: (actual, answered, images, share of the actual class), most first."""
        pairs = [
            (actual, self.columns[j], n, self.shares_of(i)[j])
            for i, actual in enumerate(self.rows)
            for j, n in enumerate(self.counts[i])
            if n and i != j
        ]
        return tuple(sorted(pairs, key=lambda pair: (-pair[2], -pair[3], pair[0], pair[1]))[:limit])

    def shares_of(self, row: int) -> tuple[float, ...]:
        """One row of `shares`."""
        total = max(sum(self.counts[row]), 1)
        return tuple(n / total for n in self.counts[row])


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a ROC curve (x false positive rate, y recall) or precision-recall curve (x recall, y precision)."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images whose confidence falls in one of 15 bins: their mean confidence and the share that was right."""

    confidence: float
    right: float
    n: int


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """What answering "yes" from a threshold on means for one class against the rest; `cost` is per image."""

    label: str
    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    cost: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """All curves of an evaluation; per class only up to 20 classes, for a binary task of the positive class alone."""

    roc: tuple[Curve, ...]
    precision_recall: tuple[Curve, ...]
    reliability: tuple[ReliabilityBin, ...]
    thresholds: tuple[ThresholdCurve, ...]


def confusion(scored: Scored, *, unknown: bool | None = None) -> Confusion:
    """Confusion matrix of an exclusive task; `unknown` forces that column in or out (default: if it is used)."""
    names = scored.schema.names
    k = len(names)
    cells = np.bincount(scored.actual * (k + 1) + scored.predicted, minlength=k * (k + 1)).reshape(k, k + 1)
    if unknown is None:
        unknown = bool(cells[:, k].any())
    shown = cells if unknown else cells[:, :k]
    columns = (*names, UNKNOWN) if unknown else names
    return Confusion(names, columns, tuple(tuple(row) for row in shown.tolist()))


def curves(scored: Scored) -> Curves:
    """All curves of an evaluation."""
    chosen = range(len(scored.schema.names)) if scored.positive is None else [scored.positive]
    if len(chosen) > CURVE_CLASSES:
        chosen = []
    judged = [j for j in chosen if scored.targets[:, j].any()]
    names = scored.schema.names
    return Curves(
        tuple(roc(names[j], scored.probabilities[:, j], scored.targets[:, j]) for j in judged),
        tuple(precision_recall(names[j], scored.probabilities[:, j], scored.targets[:, j]) for j in judged),
        reliability(scored),
        tuple(threshold_curve(scored, j) for j in judged),
    )


def _at_thresholds(scores: Floats, positive: Bools) -> tuple[Floats, Counts, Counts]:
    """Distinct scores, falling, with the hits and false alarms of answering "yes" from each on."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.concatenate([np.diff(scores[order]) != 0, [True]]))
    hits: Counts = np.cumsum(positive[order], dtype=np.int64)[ends]
    return scores[order][ends], hits, np.asarray(ends + 1 - hits)


def roc(label: str, scores: Floats, positive: Bools) -> Curve:
    """ROC curve from (0, 0) to (1, 1), thinned to 101 points."""
    thresholds, hits, alarms = _at_thresholds(scores, positive)
    x = np.concatenate([[0.0], alarms / max(int((~positive).sum()), 1)])
    y = np.concatenate([[0.0], hits / max(int(positive.sum()), 1)])
    return _thinned(label, x, y, np.concatenate([[1.0], thresholds]))


def precision_recall(label: str, scores: Floats, positive: Bools) -> Curve:
    """Precision over recall from the strictest threshold on, thinned to 101 points."""
    thresholds, hits, alarms = _at_thresholds(scores, positive)
    return _thinned(label, hits / max(int(positive.sum()), 1), hits / (hits + alarms), thresholds)


def _thinned(label: str, x: Floats, y: Floats, thresholds: Floats) -> Curve:
    if len(x) > CURVE_POINTS:
        # Equal steps along the curve keep its corners; equal steps in rank would spend all points on one stretch.
        length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS)).clip(0, len(x) - 1))
        keep = np.union1d(keep, [0, len(x) - 1])
        x, y, thresholds = x[keep], y[keep], thresholds[keep]
    return Curve(label, _floats(x), _floats(y), _floats(thresholds))


def reliability(scored: Scored) -> tuple[ReliabilityBin, ...]:
    """Confidence against truth in 15 equal bins, empty ones left out; all labels pooled for multi-label tasks."""
    p, y = scored.probabilities, scored.targets
    if scored.exclusive:
        top = p.argmax(axis=1)[:, None]
        p, y = np.take_along_axis(p, top, axis=1), np.take_along_axis(y, top, axis=1)
    bins = ece_bins(p).ravel()
    n = np.bincount(bins, minlength=ECE_BINS)
    confidence = np.bincount(bins, weights=p.ravel(), minlength=ECE_BINS)
    right = np.bincount(bins, weights=y.ravel(), minlength=ECE_BINS)
    return tuple(
        ReliabilityBin(float(confidence[i] / n[i]), float(right[i] / n[i]), int(n[i])) for i in range(ECE_BINS) if n[i]
    )


def threshold_curve(scored: Scored, column: int, points: int = 51) -> ThresholdCurve:
    """Precision, recall, F1 and (where costs are known) cost per image of "p ≥ threshold" for one class."""
    thresholds = np.linspace(0, 1, points)
    p, y = scored.probabilities[:, column], scored.targets[:, column]
    hits = y.sum() - np.searchsorted(np.sort(p[y]), thresholds)
    alarms = (~y).sum() - np.searchsorted(np.sort(p[~y]), thresholds)
    answers, misses = hits + alarms, y.sum() - hits
    precision = np.divide(hits, answers, out=np.ones(points), where=answers > 0)
    recall = hits / max(int(y.sum()), 1)
    f1 = 2 * hits / np.maximum(answers + y.sum(), 1)
    prices = _prices(scored, column)
    cost = None
    if prices is not None:
        rights = (~y).sum() - alarms
        total = alarms * prices[0] + misses * prices[1] + hits * prices[2] + rights * prices[3]
        cost = _floats(total / len(y))
    label = scored.schema.names[column]
    return ThresholdCurve(label, _floats(thresholds), _floats(precision), _floats(recall), _floats(f1), cost)


def _prices(scored: Scored, column: int) -> tuple[float, float, float, float] | None:
    """Cost of (false alarm, miss, hit, right no); None where one class against the rest has no price."""
    if scored.costs is None:
        return None
    if not scored.exclusive:
        return float(scored.costs[column, 0]), float(scored.costs[column, 1]), 0.0, 0.0
    if scored.positive is None:
        return None
    yes, no = column, 1 - column
    table = scored.costs
    return float(table[no, yes]), float(table[yes, no]), float(table[yes, yes]), float(table[no, no])


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)
