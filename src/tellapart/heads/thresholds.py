"""Thresholds: from calibrated probabilities to an answer, or to "I don't know", for a stated aim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.heads.aims import Aim, CostTable
from tellapart.heads.objectives import Doubles
from tellapart.records import LabelSchema, Task

# A precision or recall counts as reached when it holds in at least this share of data sets like the one at hand.
CONFIDENCE = 0.9
# How much the best-F1 thresholds of a multiclass task follow the classes' shares, and the shares of answers withheld.
_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_WITHHELD = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
_PROOF = float(-np.log(1 - CONFIDENCE))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How probabilities become answers. Everything is in the label order of the schema.

    `values` float64 (k,): the lowest probability at which a label is answered; for a binary task only the positive
    label's counts, for `least_cost` none does (`costs` decides by the expected cost). `reached` tells per label whether
    the aim is reached on held-out data with 90 % confidence; `achieved` is the precision, recall, F1 or mean cost seen
    there (NaN where there was nothing to see), `support` the number of samples behind it.
    """

    aim: Aim
    values: tuple[float, ...]
    reached: tuple[bool, ...]
    achieved: tuple[float, ...]
    support: tuple[int, ...]

    @classmethod
    def plain(cls, schema: LabelSchema) -> Thresholds:
        """The likeliest label (0.5 for binary and multi-label), no aim."""
        k = len(schema.labels)
        value = 0.0 if schema.task is Task.MULTICLASS else 0.5
        return cls(Aim("argmax"), (value,) * k, (True,) * k, (float("nan"),) * k, (0,) * k)

    def to_json(self) -> dict[str, Any]:
        """JSON without NaN."""
        achieved = [None if a != a else a for a in self.achieved]
        return {
            "aim": self.aim.to_json(),
            "values": list(self.values),
            "reached": list(self.reached),
            "achieved": achieved,
            "support": list(self.support),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Thresholds:
        """Inverse of `to_json`.

        Raises:
            ModelError: `model_damaged`.
        """
        try:
            achieved = tuple(float("nan") if a is None else float(a) for a in value["achieved"])
            aim, support = Aim.from_json(value["aim"]), tuple(int(n) for n in value["support"])
            values, reached = tuple(float(v) for v in value["values"]), tuple(bool(r) for r in value["reached"])
        except (KeyError, TypeError, ValueError) as exc:
            raise ModelError(Reason.MODEL_DAMAGED, f"the thresholds of this model cannot be read: {exc!r}") from exc
        return cls(aim, values, reached, achieved, support)


def fit_thresholds(
    probabilities: NDArray[Any], targets: NDArray[np.integer[Any]], *, schema: LabelSchema, aim: Aim
) -> Thresholds:
    """Choose thresholds on held-out, calibrated probabilities (n, k).

    `targets` int (n,) columns, or 0/1 (n, k) for multilabel. `precision>=p`: the lowest threshold (the most answers)
    whose precision is at least p with 90 % confidence; `recall>=r`: the highest threshold whose recall is at least r
    with 90 % confidence, by the exact binomial test (Clopper & Pearson 1934). Where no
    threshold does it, the safest one is taken and `reached` says so. In a multiclass task such a threshold can only
    withhold answers, so it can raise a class's precision, never its recall. `best_f1` there also decides between classes
    (see `decide`): thresholds fall with the classes' shares as far as the macro-F1 gains by it.
    """
    _check(probabilities, targets, schema)
    if aim.kind == "argmax" or len(targets) == 0:
        plain = Thresholds.plain(schema)
        return plain if aim.kind == "argmax" else _unreached(plain, aim)
    if aim.kind == "least_cost":
        return _least_cost(probabilities, targets, schema, aim)
    if aim.kind == "best_f1" and schema.task is Task.MULTICLASS:
        return _best_f1(np.asarray(probabilities, np.float64), targets, aim)
    results = [
        _choose(*_one_label(probabilities, targets, schema, column), aim, schema.task) for column in _columns(schema)
    ]
    if schema.task is Task.BINARY:
        results *= 2
        value = results[0][0]
        positive = schema.index(schema.positive or "")
        values = tuple(value if column == positive else 1 - value for column in range(2))
    else:
        values = tuple(result[0] for result in results)
    return Thresholds(
        aim, values, tuple(r[1] for r in results), tuple(r[2] for r in results), tuple(r[3] for r in results)
    )


def decide(probabilities: NDArray[Any], thresholds: Thresholds, schema: LabelSchema) -> NDArray[np.bool_]:
    """Answers as booleans (n, k); a row without any is "I don't know" (for multilabel: nothing is present).

    Multiclass answers are the likeliest class where it reaches its threshold; for `best_f1` the class that is the most
    times its threshold, because the likeliest is too seldom a rare one.
    """
    if thresholds.aim.kind == "least_cost":
        return _decide_by_cost(probabilities, thresholds.aim.table, schema)
    if schema.task is Task.MULTILABEL:
        return np.asarray(probabilities >= np.asarray(thresholds.values, probabilities.dtype))
    answers = np.zeros(probabilities.shape, bool)
    if schema.task is Task.BINARY:
        positive = schema.index(schema.positive or "")
        answers[:, positive] = probabilities[:, positive] >= thresholds.values[positive]
        answers[:, 1 - positive] = ~answers[:, positive]
        return answers
    values, rows = np.asarray(thresholds.values, probabilities.dtype), np.arange(len(probabilities))
    rival = probabilities / np.maximum(values, 1e-6) if thresholds.aim.kind == "best_f1" else probabilities
    best = rival.argmax(axis=1)
    answers[rows, best] = probabilities[rows, best] >= values[best]
    return answers


def apply_thresholds(probabilities: NDArray[Any], thresholds: Thresholds, schema: LabelSchema) -> list[tuple[str, ...]]:
    """Names answered for each row of probabilities (n, k): one, several for multilabel, or () for "I don't know"."""
    names = schema.names
    return [
        tuple(name for name, yes in zip(names, row, strict=True) if yes)
        for row in decide(probabilities, thresholds, schema).tolist()
    ]


def _check(probabilities: NDArray[Any], targets: NDArray[np.integer[Any]], schema: LabelSchema) -> None:
    n, k = len(targets), len(schema.labels)
    if probabilities.shape != (n, k) or (schema.task is Task.MULTILABEL) != (targets.ndim == 2):
        raise SettingsError(
            Reason.BAD_SETTING,
            f"thresholds need probabilities ({n}, {k}) for {n} targets and {k} labels, got {probabilities.shape} "
            f"and targets {targets.shape}",
        )


def _columns(schema: LabelSchema) -> tuple[int, ...]:
    return (schema.index(schema.positive or ""),) if schema.task is Task.BINARY else tuple(range(len(schema.labels)))


def _one_label(
    probabilities: NDArray[Any], targets: NDArray[np.integer[Any]], schema: LabelSchema, column: int
) -> tuple[Doubles, NDArray[np.bool_], int]:
    """Scores of the samples that could be answered with this label, whether they are it, and how many are in all."""
    actual = targets[:, column] == 1 if schema.task is Task.MULTILABEL else targets == column
    scores = probabilities[:, column].astype(np.float64)
    if schema.task is not Task.MULTICLASS:
        return scores, actual, int(actual.sum())
    candidates = probabilities.argmax(axis=1) == column
    return scores[candidates], actual[candidates], int(actual.sum())


def _choose(
    scores: Doubles, actual: NDArray[np.bool_], n_actual: int, aim: Aim, task: Task
) -> tuple[float, bool, float, int]:
    """Threshold, whether the aim is reached, the value achieved, and the samples behind it."""
    default = 0.0 if task is Task.MULTICLASS else 0.5
    if n_actual == 0 or len(scores) == 0:
        return default, False, float("nan"), 0
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(actual[order], dtype=np.int64)
    # A threshold cannot part equal scores: only the last of each run is a candidate.
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], [True]))
    true, answered = hits[ends], ends + 1
    if aim.kind == "precision":
        place, reached, achieved, support = _for_precision(true, answered, aim.value)
    elif aim.kind == "recall":
        place, reached, achieved, support = _for_recall(true, n_actual, aim.value)
    else:
        place, reached, achieved, support = _for_f1(true, answered, n_actual)
    return _between(ranked, int(ends[place])), reached, achieved, support


def _between(ranked: Doubles, last: int) -> float:
    """Halfway between the last score that is answered and the first that is not."""
    below = ranked[last + 1] if last + 1 < len(ranked) else 0.0
    middle = 0.5 * (float(ranked[last]) + float(below))
    # Neighbours in float32 can be neighbours in float64 as well: then the answered score itself is the threshold.
    return middle if middle > below else float(ranked[last])


_Choice = tuple[int, bool, float, int]
_Counts = NDArray[np.integer[Any]]


def _for_precision(true: _Counts, answered: _Counts, aim: float) -> _Choice:
    evidence = _evidence(true, answered, aim)
    passing = np.flatnonzero(evidence >= _PROOF)
    place = int(passing[-1]) if passing.size else int(np.argmax(evidence))
    return place, bool(passing.size), float(true[place] / answered[place]), int(answered[place])


def _for_recall(true: _Counts, n_actual: int, aim: float) -> _Choice:
    evidence = _evidence(true, np.full_like(true, n_actual), aim)
    passing = np.flatnonzero(evidence >= _PROOF)
    place = int(passing[0]) if passing.size else int(np.argmax(true))
    return place, bool(passing.size), float(true[place] / n_actual), n_actual


def _for_f1(true: _Counts, answered: _Counts, n_actual: int) -> _Choice:
    f1 = 2 * true / (answered + n_actual)
    place = int(np.argmax(f1))
    return place, True, float(f1[place]), n_actual


def _best_f1(probabilities: Doubles, targets: NDArray[np.integer[Any]], aim: Aim) -> Thresholds:
    """Thresholds `level · share ** power` of the best macro-F1: two numbers to choose, so few examples do."""
    n, k = probabilities.shape
    counts = np.bincount(targets, minlength=k)
    best, chosen, achieved = -1.0, np.zeros(k), np.zeros(k)
    for power in _POWERS:
        scale = ((counts + 1) / (n + k)) ** power
        rival = probabilities / scale
        answer, height = rival.argmax(axis=1), rival.max(axis=1)
        # Below the first level nothing is withheld: probabilities sum to 1.
        for level in (0.999 / scale.sum(), *np.quantile(height, _WITHHELD)):
            said = height >= level
            f1 = _f1(answer[said], targets[said], counts)
            value = float(f1[counts > 0].mean())
            if value > best + 1e-9:
                best, chosen, achieved = value, np.minimum(level * scale, 1.0), f1
    achieved[counts == 0] = np.nan
    return Thresholds(aim, tuple(chosen.tolist()), (True,) * k, tuple(achieved.tolist()), tuple(counts.tolist()))


def _f1(answers: _Counts, actual: _Counts, counts: _Counts) -> Doubles:
    """F1 of each class (k,) from the answers given, what those images are, and how many images a class has in all."""
    hits = np.bincount(answers[answers == actual], minlength=len(counts))
    sizes = np.bincount(answers, minlength=len(counts)) + counts
    return np.asarray(2 * hits / np.maximum(sizes, 1), np.float64)


def _evidence(successes: _Counts, trials: _Counts, p: float) -> Doubles:
    """How unlikely so good a rate would be were p the truth: -log of the binomial tail, 0 for rates up to p."""
    # Loaded here: choosing thresholds is part of training, and predicting must start without scipy.
    from scipy.special import bdtrc

    chance = np.maximum(bdtrc(successes - 1, trials, p), 1e-300)
    return np.where(successes > p * trials, -np.log(chance), 0.0)


def _unreached(plain: Thresholds, aim: Aim) -> Thresholds:
    return Thresholds(aim, plain.values, (False,) * len(plain.values), plain.achieved, plain.support)


def _least_cost(
    probabilities: NDArray[Any], targets: NDArray[np.integer[Any]], schema: LabelSchema, aim: Aim
) -> Thresholds:
    """Expected cost under calibrated probabilities needs no search (Elkan 2001); held-out data says what it costs."""
    table, plain = aim.table, Thresholds.plain(schema)
    costs, unknown = table.matrix(schema), table.unknown
    if schema.task is Task.MULTILABEL:
        answers = _decide_by_cost(probabilities, table, schema).astype(np.int64)
        achieved = costs[targets, answers].mean(axis=0)
        base = costs[targets, (probabilities >= 0.5).astype(np.int64)].mean(axis=0)
        value = _cost_threshold(costs)
        reached = tuple((achieved <= base + 1e-12).tolist())
        k = len(plain.values)
        return Thresholds(aim, (value,) * k, reached, tuple(achieved.tolist()), (len(targets),) * k)
    answers_ = _decide_by_cost(probabilities, table, schema)
    priced = np.where(answers_.any(axis=1), costs[targets, answers_.argmax(axis=1)], unknown or 0.0)
    base_cost = costs[targets, probabilities.argmax(axis=1)].mean()
    actual = [priced[targets == column] for column in range(len(plain.values))]
    achieved_ = tuple(float(part.mean()) if part.size else float("nan") for part in actual)
    better = bool(priced.mean() <= base_cost + 1e-12)
    return Thresholds(aim, plain.values, (better,) * len(actual), achieved_, tuple(len(part) for part in actual))


def _cost_threshold(costs: Doubles) -> float:
    """Probability of presence from which answering "present" is cheaper; rows actual, columns predicted."""
    false_alarm, miss = costs[0, 1] - costs[0, 0], costs[1, 0] - costs[1, 1]
    return float(false_alarm / (false_alarm + miss)) if false_alarm + miss > 0 else 0.5


def _decide_by_cost(probabilities: NDArray[Any], table: CostTable, schema: LabelSchema) -> NDArray[np.bool_]:
    costs = table.matrix(schema)
    if schema.task is Task.MULTILABEL:
        return np.asarray(probabilities >= _cost_threshold(costs))
    expected = probabilities.astype(np.float64) @ costs
    answers = np.zeros(probabilities.shape, bool)
    rows, best = np.arange(len(expected)), expected.argmin(axis=1)
    answers[rows, best] = True if table.unknown is None else expected[rows, best] <= table.unknown
    return answers
