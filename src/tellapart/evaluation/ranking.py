"""ROC-AUC and average precision, each with the influence of every row on it.

The influence of a row is the derivative of the metric by the row's weight. With it a bootstrap replicate is the metric
plus a weighted sum of influences, one column of a matrix product, instead of a sort per replicate (the infinitesimal
jackknife: Efron and Tibshirani 1993, chapter 21; for ROC-AUC it equals DeLong et al. 1988).
"""

from __future__ import annotations

import numpy as np

from tellapart.evaluation.scored import Bools, Floats, Ints


def roc_auc(scores: Floats, positive: Bools) -> tuple[float, Floats]:
    """Probability that a positive outranks a negative (ties count half), and the influences (n,).

    Equal to scikit-learn's `roc_auc_score`; NaN without a positive or without a negative.
    """
    level, n_levels = _levels(scores)
    hits = np.bincount(level[positive], minlength=n_levels).astype(np.float64)
    misses = np.bincount(level[~positive], minlength=n_levels).astype(np.float64)
    n_positive, n_negative = hits.sum(), misses.sum()
    if not n_positive or not n_negative:
        return float("nan"), np.full(len(scores), np.nan)
    negatives_below = np.cumsum(misses) - misses / 2
    positives_above = n_positive - np.cumsum(hits) + hits / 2
    value = float(hits @ negatives_below / (n_positive * n_negative))
    as_positive = (negatives_below / n_negative - value) / n_positive
    as_negative = (positives_above / n_positive - value) / n_negative
    return value, np.where(positive, as_positive[level], as_negative[level])


def average_precision(scores: Floats, positive: Bools) -> tuple[float, Floats]:
    """Mean precision at the rank of each positive (tied scores are one rank), and the influences (n,).

    Equal to scikit-learn's `average_precision_score`; NaN without a positive. A ranking by chance has the share of
    positives as its value, not 0.5.
    """
    level, n_levels = _levels(scores)
    hits = np.bincount(level[positive], minlength=n_levels).astype(np.float64)
    n_positive = hits.sum()
    if not n_positive:
        return float("nan"), np.full(len(scores), np.nan)
    found = np.cumsum(hits[::-1])[::-1]
    answers = np.cumsum(np.bincount(level, minlength=n_levels)[::-1])[::-1]
    precision = found / answers
    value = float(hits @ precision / n_positive)
    # A row of level m also stands among the answers of every lower threshold l ≤ m.
    as_answer = -np.cumsum(hits * precision / answers) / n_positive
    as_hit = as_answer + (np.cumsum(hits / answers) + precision - value) / n_positive
    return value, np.where(positive, as_hit[level], as_answer[level])


def _levels(scores: Floats) -> tuple[Ints, int]:
    """Rank of each row, equal for equal scores, lowest score first; and the number of ranks."""
    order = np.argsort(scores, kind="stable")
    steps = np.concatenate([[0], np.cumsum(np.diff(scores[order]) != 0)])
    level = np.empty(len(scores), dtype=np.int64)
    level[order] = steps
    return level, int(steps[-1]) + 1
