"""Metrics named and defined as in scikit-learn, computed for many weightings of the rows at once.

Every metric is a function of weighted sums over the rows (the ranking metrics through their influences). So the plain
value (all weights one) and a thousand bootstrap replicates go through the same code: one matrix product gives the sums
of all replicates.

A class without a single image in the (re)weighted data has no precision, recall, F1, ROC-AUC or average precision: its
value is NaN, and macro averages leave it out (scikit-learn with `labels=` the classes present). Anything else that
divides by zero is 0, as scikit-learn's `zero_division=0`. "Unknown" answers are nobody's prediction: they lower recall
and accuracy, not precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tellapart.evaluation.ranking import average_precision, roc_auc
from tellapart.evaluation.scored import Bools, Floats, Ints, Scored
from tellapart.records import Task

ECE_BINS = 15
TOP = 5
_RANKINGS = {"roc_auc": roc_auc, "average_precision": average_precision}
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics by name: `overall` arrays (b,), `per_class` arrays (b, k); b is the number of weightings."""

    overall: dict[str, Floats]
    per_class: dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Measurer:
    """All metrics of one evaluation, ready to be asked under any weighting.

    `columns` (n, m) holds the values whose weighted sums are all that the metrics need, `slices` where each name lies
    in it, `ranked` the plain values of the ranking metrics. `unit` is the resampling unit (group) of each row (n,),
    None when each row stands for itself.
    """

    scored: Scored
    columns: Floats
    slices: dict[str, slice]
    ranked: dict[str, Floats]
    unit: Ints | None
    n_units: int

    @classmethod
    def of(cls, scored: Scored, *, unit: Ints | None = None, ranking: bool = True) -> Measurer:
        """Prepare; `ranking=False` leaves out ROC-AUC and average precision, which need a sort per class."""
        named = _columns(scored)
        ranked: dict[str, Floats] = {}
        if ranking:
            influences, ranked = _ranking_columns(scored)
            named |= influences
        ends = np.cumsum([column.shape[1] for column in named.values()]).tolist()
        slices = {
            name: slice(end - column.shape[1], end) for (name, column), end in zip(named.items(), ends, strict=True)
        }
        n_units = len(scored) if unit is None else int(unit.max()) + 1
        return cls(scored, np.concatenate(list(named.values()), axis=1), slices, ranked, unit, n_units)

    def point(self) -> Measured:
        """The plain metrics, in double precision; b = 1."""
        return self._measure(self.columns.sum(axis=0, keepdims=True))

    def by_unit(self) -> Floats:
        """Columns summed over each resampling unit, float32 (units, m): the input of `replicates`."""
        if self.unit is None:
            return self.columns.astype(np.float32)
        order = np.argsort(self.unit, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], np.diff(self.unit[order]) != 0]))
        return np.add.reduceat(self.columns[order], starts, axis=0).astype(np.float32)

    def replicates(self, by_unit: Floats, weights: Floats) -> Measured:
        """Metrics for weights float32 (b, units)."""
        return self._measure((weights @ by_unit).astype(np.float64))

    def _measure(self, all_sums: Floats) -> Measured:
        sums = {name: all_sums[:, where] for name, where in self.slices.items()}
        overall, per_class = _from_counts(sums, self.scored)
        overall |= _from_means(sums)
        binary = self.scored.schema.task is Task.BINARY
        for name, values in self.ranked.items():
            replicated = values + sums[name]
            if name.endswith("_micro"):
                overall[name] = replicated[:, 0]
                continue
            per_class[name] = replicated
            if binary:
                overall[name] = replicated[:, self.scored.positive or 0]
            else:
                overall[f"{name}_macro"] = mean_of_defined(replicated)
        return Measured(overall, per_class)


def _columns(scored: Scored) -> dict[str, Floats]:
    hit = scored.targets & scored.decided
    columns: dict[str, Floats] = {
        "one": np.ones((len(scored), 1)),
        "actual": scored.targets.astype(np.float64),
        "predicted": scored.decided.astype(np.float64),
        "hit": hit.astype(np.float64),
    }
    means = _exclusive_means(scored, hit) if scored.exclusive else _multilabel_means(scored, hit)
    means["ece"] = _ece(scored)
    return columns | {f"mean:{name}": np.asarray(v, dtype=np.float64)[:, None] for name, v in means.items()}


def _exclusive_means(scored: Scored, hit: Bools) -> dict[str, Floats | Bools]:
    p, y = scored.probabilities, scored.targets
    actual = scored.actual
    p_true = p[np.arange(len(p)), actual]
    squares = (p - y) ** 2
    means: dict[str, Floats | Bools] = {
        "accuracy": np.asarray(hit.any(axis=1)),
        "coverage": np.asarray(scored.decided.any(axis=1)),
        "log_loss": -np.log(np.clip(p_true, _EPS, 1 - _EPS)),
        # Two classes: squared error of one of them; more: summed over the classes (scikit-learn's convention).
        "brier": squares.sum(axis=1) if scored.positive is None else squares[:, scored.positive],
    }
    if p.shape[1] > TOP:
        means[f"top{TOP}"] = _in_top(p, actual, p_true)
    if scored.costs is not None:
        means["mean_cost"] = scored.costs[actual, scored.predicted]
    return means


def _in_top(p: Floats, actual: Ints, p_true: Floats) -> Bools:
    """Ties go to the later column, as in scikit-learn's `top_k_accuracy_score`."""
    later = np.arange(p.shape[1])[None, :] > actual[:, None]
    ahead = (p > p_true[:, None]) | ((p == p_true[:, None]) & later)
    return np.asarray(ahead.sum(axis=1) < TOP)


def _multilabel_means(scored: Scored, hit: Bools) -> dict[str, Floats | Bools]:
    p, y, decided = scored.probabilities, scored.targets, scored.decided
    n_hit, n_predicted, n_actual = hit.sum(axis=1), decided.sum(axis=1), y.sum(axis=1)
    means: dict[str, Floats | Bools] = {
        "subset_accuracy": (y == decided).all(axis=1),
        "hamming_loss": (y != decided).mean(axis=1),
        # An image with nothing on it and nothing found counts 0 here, as in scikit-learn.
        "precision_samples": _ratio(n_hit, n_predicted),
        "recall_samples": _ratio(n_hit, n_actual),
        "f1_samples": _ratio(2 * n_hit, n_predicted + n_actual),
        "log_loss": -np.log(np.clip(np.where(y, p, 1 - p), _EPS, 1 - _EPS)).mean(axis=1),
        "brier": ((p - y) ** 2).mean(axis=1),
    }
    if scored.costs is not None:
        false_alarm, miss = scored.costs.T
        means["mean_cost"] = (decided & ~y) @ false_alarm + (y & ~decided) @ miss
    return means


def ece_bins(confidence: Floats) -> Ints:
    """Bin 0–14 of each confidence: (0, 1/15], (1/15, 2/15] …, 0 joins the first.

    Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    return np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)


def _ece(scored: Scored) -> Floats:
    """Values (n,) whose mean is the ECE: each row's gap with the sign of its bin's gap, so that gaps in a bin cancel.

    Of the confidence (highest probability) for exclusive tasks, the mean over labels for multi-label ones.
    """
    p, y = scored.probabilities, scored.targets
    if scored.exclusive:
        top = p.argmax(axis=1)[:, None]
        p, y = np.take_along_axis(p, top, axis=1), np.take_along_axis(y, top, axis=1)
    gap = p - y
    cell = ece_bins(p) + np.arange(p.shape[1]) * ECE_BINS
    sign = np.sign(np.bincount(cell.ravel(), weights=gap.ravel(), minlength=p.shape[1] * ECE_BINS))
    return np.asarray((sign[cell] * gap).mean(axis=1))


def _ranking_columns(scored: Scored) -> tuple[dict[str, Floats], dict[str, Floats]]:
    columns: dict[str, Floats] = {}
    ranked: dict[str, Floats] = {}
    n, k = scored.probabilities.shape
    for name, metric in _RANKINGS.items():
        results = [metric(scored.probabilities[:, j], scored.targets[:, j]) for j in range(k)]
        ranked[name] = np.array([value for value, _ in results])
        columns[name] = np.stack([influence for _, influence in results], axis=1) * _small_sample(scored.targets)
        if not scored.exclusive:
            value, influence = metric(scored.probabilities.ravel(), scored.targets.ravel())
            ranked[f"{name}_micro"] = np.array([value])
            columns[f"{name}_micro"] = influence.reshape(n, k).sum(axis=1)[:, None]
    return columns, ranked


def _small_sample(targets: Bools) -> Floats:
    """Factor per class by which influences understate the spread of few images: m/(m - 1) in variance, as DeLong's."""
    fewer = np.minimum(targets.sum(axis=0), (~targets).sum(axis=0)).clip(2)
    return np.asarray(np.sqrt(fewer / (fewer - 1)))


def _from_means(sums: dict[str, Floats]) -> dict[str, Floats]:
    total = sums["one"][:, 0]
    means: dict[str, Floats] = {
        name[5:]: column[:, 0] / total for name, column in sums.items() if name.startswith("mean:")
    }
    if "coverage" in means:
        means["accuracy_answered"] = _ratio(means["accuracy"], means["coverage"], np.nan)
    return means


def _from_counts(sums: dict[str, Floats], scored: Scored) -> tuple[dict[str, Floats], dict[str, Floats]]:
    actual, predicted, hit = sums["actual"], sums["predicted"], sums["hit"]
    present = actual > 0
    per_class = {
        "precision": np.where(present, _ratio(hit, predicted), np.nan),
        "recall": np.where(present, _ratio(hit, actual), np.nan),
        "f1": np.where(present, _ratio(2 * hit, predicted + actual), np.nan),
    }
    overall: dict[str, Floats] = {}
    hits, answers, truths = hit.sum(axis=1), predicted.sum(axis=1), actual.sum(axis=1)
    micro = (_ratio(hits, answers), _ratio(hits, truths), _ratio(2 * hits, answers + truths))
    for (name, values), pooled in zip(per_class.items(), micro, strict=True):
        overall[f"{name}_macro"] = mean_of_defined(values)
        overall[f"{name}_micro"] = pooled
        overall[f"{name}_weighted"] = _ratio((np.nan_to_num(values) * actual).sum(axis=1), truths, np.nan)
        if scored.positive is not None:
            overall[name] = values[:, scored.positive]
    if scored.exclusive:
        overall["balanced_accuracy"] = overall["recall_macro"]
    return overall, per_class


def _ratio(numerator: Floats | Ints, denominator: Floats | Ints, empty: float = 0.0) -> Floats:
    out = np.full(np.shape(denominator), empty)
    return np.divide(numerator, denominator, out=out, where=np.asarray(denominator) > 0)


def mean_of_defined(values: Floats) -> Floats:
    """Mean over the last axis without NaN; NaN where nothing is left."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1), np.nan)
